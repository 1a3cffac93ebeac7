"""Text measured in terminal cells: fitting, wrapping by words, rows from a stream."""

from __future__ import annotations

import re

from rich.cells import cell_len, chop_cells, set_cell_size

_BULLET = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)]|>)\s+|\s+")
_TAB = "    "
_LEAST_ROOM = 8


def cell_length(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return cell_len(text)


def fit(text: str, width: int) -> str:
    """`text`, cut with an ellipsis where it is wider than `width` cells."""
    if cell_len(text) <= width:
        return text
    return f"{set_cell_size(text, max(0, width - 1)).rstrip()}…" if width > 1 else "…"[:width]


def fit_tail(text: str, width: int) -> str:
    """The end of `text`, after an ellipsis where it is wider than `width` cells."""
    if cell_len(text) <= width or width < 1:
        return text
    tail = text[-(width - 1) :] if width > 1 else ""
    while cell_len(tail) > width - 1:
        tail = tail[1:]
    return f"…{tail}"


def wrap_words(text: str, width: int, *, indent: str = "") -> list[str]:
    """`text` in rows of at most `width` cells, broken at spaces; rows after the first indented.

    A word wider than a row is cut. Only trailing spaces of broken rows are lost.
    """
    rows: list[str] = []
    row = ""
    if cell_len(indent) > width - _LEAST_ROOM:
        indent = ""
    for word in re.findall(r"\s*\S+|\s+$", text):
        if cell_len(row) + cell_len(word) <= width:
            row += word
            continue
        if row.strip():
            rows.append(row.rstrip())
            row = indent
            word = word.lstrip()  # noqa: PLW2901 - the break stands for the spaces
        *whole, row = _chop(row + word, width)
        rows.extend(whole)
    return [*rows, row]


def _chop(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    return chop_cells(text, max(1, width))


class RowWriter:
    """Cuts streamed text into rows: whole rows come out as soon as they are full.

    Prose is broken at spaces and keeps the indent of its bullet. Fenced code and Markdown tables
    are left as they are, for the terminal to break, so that they can be copied. What it yields
    never changes afterwards; `unfinished` is the row that still grows.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.unfinished = ""
        self._indent: str | None = None
        self._fenced = False

    def feed(self, text: str) -> list[str]:
        """The rows that are complete after `text`."""
        rows: list[str] = []
        first, *others = text.replace("\t", _TAB).split("\n")
        self._take(first, rows)
        for line in others:
            self._end_line(rows)
            self._take(line, rows)
        return rows

    def flush(self) -> list[str]:
        """The last row, if there is one."""
        rows: list[str] = []
        if self.unfinished:
            self._end_line(rows)
        return rows

    def _take(self, text: str, rows: list[str]) -> None:
        self.unfinished += text
        if self._is_verbatim() or cell_len(self.unfinished) <= self.width:
            return
        if self._indent is None:
            bullet = _BULLET.match(self.unfinished)
            self._indent = " " * cell_len(bullet.group()) if bullet else ""
        *whole, self.unfinished = wrap_words(self.unfinished, self.width, indent=self._indent)
        rows.extend(whole)

    def _end_line(self, rows: list[str]) -> None:
        rows.append(self.unfinished.rstrip())
        if self._indent is None and self.unfinished.lstrip().startswith(("```", "~~~")):
            self._fenced = not self._fenced
        self.unfinished = ""
        self._indent = None

    def _is_verbatim(self) -> bool:
        opening = self.unfinished.lstrip()
        return self._indent is None and (self._fenced or opening.startswith(("|", "```", "~~~")))
