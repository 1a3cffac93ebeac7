"""Pinned passages: what every model gets, whatever else is left out of the documents."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ultrai.domain.document import Document
from ultrai.domain.errors import UsageError
from ultrai.domain.fitting import Lines
from ultrai.domain.value import value
from ultrai.policy.showing import Shown

_LINES = re.compile(r"(?P<name>.+):(?P<first>[1-9]\d{0,8})-(?P<last>[1-9]\d{0,8})")


@value
class Pin:
    """A span of a document: its place among the Query's documents, and from where to where."""

    document: int
    start: int
    end: int


def find_pins(written: Sequence[str], documents: Sequence[Document]) -> tuple[Pin, ...]:
    """Where the pins stand: `NAME:FIRST-LAST`, or words that occur in a document.

    Raises UsageError for a pin that stands nowhere.
    """
    if written and not documents:
        raise UsageError("--pin goes with -f: there is no document", hint="give the file with -f")
    return tuple(_find(each, documents) for each in written)


def shown_pin(pin: Pin, document: Document) -> Shown:
    """The whole lines that hold the pinned passage."""
    text = document.text
    start = text.rfind("\n", 0, pin.start) + 1
    end = text.find("\n", max(pin.start, pin.end - 1)) + 1 or len(text)
    first = text.count("\n", 0, start) + document.first_line
    passage = text[start:end]
    last = first + passage.rstrip("\n").count("\n")
    return Shown(document.name, passage, Lines(first, last))


def _find(written: str, documents: Sequence[Document]) -> Pin:
    match = _LINES.fullmatch(written.strip())
    if match is not None:
        named = [
            place
            for place, document in enumerate(documents)
            if match["name"] in (document.name, document.name.rpartition("/")[2])
        ]
        if named:  # of parts of one file, the last that begins before the line
            before = [p for p in named if documents[p].first_line <= int(match["first"])]
            place = before[-1] if before else named[0]
            return _of_lines(place, documents[place], match=match)
    words = written.split()
    if words:
        pattern = re.compile(r"\s+".join(map(re.escape, words)))
        for place, document in enumerate(documents):
            found = pattern.search(document.text)
            if found:
                return Pin(place, found.start(), found.end())
    raise UsageError(
        f"--pin {written!r} stands in no document; nothing was sent",
        hint="give words as they stand there, or FILE:FIRST-LAST for lines",
    )


def _of_lines(place: int, document: Document, *, match: re.Match[str]) -> Pin:
    first, last = int(match["first"]), int(match["last"])
    lines = document.text.splitlines(keepends=True)
    before = document.first_line - 1
    first, last = first - before, last - before
    if not 1 <= first <= last <= len(lines):
        there = f"{document.first_line} to {before + len(lines)}"
        raise UsageError(
            f"--pin {match[0]}: {document.name} has lines {there}; nothing was sent",
            hint="name lines that it has, the first one first",
        )
    start = sum(map(len, lines[: first - 1]))
    return Pin(place, start, start + sum(map(len, lines[first - 1 : last])))
