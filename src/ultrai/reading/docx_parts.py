"""The XML files inside a DOCX file, each taken element by element as its parser meets them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

_HEADING = re.compile(r"(?:heading|title)\s*(\d?)", re.IGNORECASE)
_DEEPEST = 6
# Text that stands elsewhere too, or that nobody sees: a fallback repeats a drawing's text for old
# programs, moved-from and deleted runs are history.
_HIDDEN = frozenset({"Fallback", "del", "moveFrom", "instrText"})

Attributes = Mapping[str, str]


class Part(Protocol):
    """What an XML file's elements are handed to. Names come without their namespace."""

    def start(self, name: str, attributes: Attributes) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """It ends."""

    def data(self, text: str) -> None:
        """Text in it."""


class StyleNames:
    """Which styles are headings: their ids are in the writer's language, their names are not."""

    def __init__(self) -> None:
        self.heading_levels: dict[str, int] = {}
        self._style = ""

    def start(self, name: str, attributes: Attributes) -> None:
        """Remember the style; take its name."""
        if name == "style":
            self._style = attributes.get("styleId", "")
        elif name == "name" and self._style:
            level = heading_level(attributes.get("val", ""))
            if level:
                self.heading_levels[self._style] = level
            self._style = ""

    def end(self, name: str) -> None:
        """Nothing is left to do."""

    def data(self, text: str) -> None:
        """Styles hold no text."""


def heading_level(style: str) -> int:
    """1 to 6; 0 for what is no heading."""
    found = _HEADING.fullmatch(style.strip())
    return min(_DEEPEST, int(found[1] or 1) or 1) if found else 0


class DocumentPart:
    """Paragraphs as Markdown; a table's row is a line, its cells parted by bars."""

    def __init__(self, heading_levels: Mapping[str, int]) -> None:
        self._levels = heading_levels
        self._lines: list[str] = []
        self._paragraph: list[str] = []
        self._mark = ""
        self._rows: list[list[str]] = []  # of the tables that are open, one in another
        self._hidden = 0
        self._is_text = False

    @property
    def text(self) -> str:
        """What was collected so far."""
        return "\n".join(self._lines)

    def start(self, name: str, attributes: Attributes) -> None:
        """A paragraph, its style, a row, a note's mark, a break; or something hidden."""
        if self._hidden or name in _HIDDEN:
            self._hidden += 1
        elif name == "pStyle":
            style = attributes.get("val", "")
            level = self._levels.get(style) or heading_level(style)
            self._mark = "#" * level + " " if level else self._mark
        elif name == "numPr":
            self._mark = self._mark or "- "
        elif name == "tr":
            self._rows.append([])
        elif name == "t":
            self._is_text = True
        elif name in ("footnoteReference", "endnoteReference"):
            kind = name.removesuffix("Reference")
            self._paragraph.append(f"[{kind} {attributes.get('id', '')}]")
        else:
            self._paragraph.append(_SIGNS.get(name, ""))

    def end(self, name: str) -> None:
        """A paragraph or a row is whole."""
        if self._hidden:
            self._hidden -= 1
        elif name == "t":
            self._is_text = False
        elif name == "p":
            self._end_paragraph()
        elif name == "tc" and self._rows:
            self._rows[-1].append("\0")
        elif name == "tr" and self._rows:
            self._end_row(self._rows.pop())

    def data(self, text: str) -> None:
        """Only what stands in `t` is text."""
        if self._is_text and not self._hidden:
            self._paragraph.append(text)

    def _end_paragraph(self) -> None:
        text = "".join(self._paragraph).strip(" \n")
        mark, self._mark = self._mark, ""
        self._paragraph = []
        if not text:
            return
        if self._rows:
            self._rows[-1].append(text)
            return
        is_item = mark == "- "
        if not is_item or not (self._lines and self._lines[-1].startswith("- ")):
            self._lines.append("")
        self._lines.append(mark + text)

    def _end_row(self, texts: list[str]) -> None:
        cells = "\1".join(texts).split("\0")[:-1]
        row = " | ".join(cell.strip("\1").replace("\1", " ").replace("\n", " ") for cell in cells)
        if self._rows:
            self._rows[-1].append(row)
            return
        if not (self._lines and self._lines[-1].startswith("| ")):
            self._lines.append("")
        self._lines.append(f"| {row} |")


_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


class NumberedNotes:
    """Footnotes or endnotes, each a paragraph that begins with its mark in the body."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._notes: list[str] = []
        self._number = ""
        self._note = DocumentPart({})

    @property
    def text(self) -> str:
        """All of them."""
        return "\n\n".join(self._notes)

    def start(self, name: str, attributes: Attributes) -> None:
        """A note begins, or something in it."""
        if name == self._kind:
            # Separators are notes too, of a type of their own, and hold no text.
            self._number = attributes.get("id", "")
            self._note = DocumentPart({})
        else:
            self._note.start(name, attributes)

    def end(self, name: str) -> None:
        """A note is whole, or something in it."""
        if name != self._kind:
            self._note.end(name)
            return
        text = self._note.text.strip()
        if text:
            self._notes.append(f"[{self._kind} {self._number}] {text}")

    def data(self, text: str) -> None:
        """Text in it."""
        self._note.data(text)
