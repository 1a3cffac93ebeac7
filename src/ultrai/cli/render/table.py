"""Tables of text that fit: columns of less importance go first, one column gives way.

Widths are counted in terminal cells, so that wide characters line up. Without a width (a pipe, a
file) nothing is dropped, shortened or wrapped, so that other programs find all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ultrai.cli.render.cells import cell_length, fit, wrap_words
from ultrai.cli.render.palette import PLAIN, Style

_GAP = "  "

UNCUT = 1000
"""As `least` of a flexible column: it is not cut while another column can go."""


@dataclass(frozen=True, slots=True)
class Column:
    """`rank` 0 is always shown; the highest rank goes first where there is no room.

    `flexible`: takes what room is left, shortened with an ellipsis, or wrapped if `wraps`; columns
    with a rank go before it gets less than `least` cells.
    """

    title: str
    align: Literal["left", "right"] = "left"
    rank: int = 0
    flexible: bool = False
    wraps: bool = False
    least: int = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """Text and how it is painted."""

    text: str
    style: Style = PLAIN


Line = tuple[Cell, ...]
"""Pieces to be painted and put one after another."""


def lay_out(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    *,
    width: int | None,
    header: bool,
    fills: bool = False,
) -> list[Line]:
    """The table as lines no wider than `width` cells; None: as wide as it needs.

    `fills`: the flexible columns take all the room, so that the others keep their place.
    """
    kept, widths = _choose(columns, rows, width=width, header=header)
    if fills and width is not None:
        spare = width - sum(widths) - len(_GAP) * (len(kept) - 1)
        flexible = [place for place, index in enumerate(kept) if columns[index].flexible]
        if flexible and spare > 0:
            widths[flexible[0]] += spare
    lines: list[Line] = []
    if header:
        titles = [Cell(columns[index].title, Style.DIM) for index in kept]
        lines.append(_line(titles, [columns[i] for i in kept], widths=widths))
    for row in rows:
        cells = [row[index] for index in kept]
        lines.extend(_wrapped(cells, [columns[i] for i in kept], widths=widths))
    return lines


def paragraph(text: str, style: Style = PLAIN, *, width: int | None) -> list[Line]:
    """A line of text, wrapped by words where there is a width, later rows indented."""
    rows = [text] if width is None else wrap_words(text, width - 1, indent="    ")
    return [(Cell(row, style),) for row in rows]


def _choose(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    *,
    width: int | None,
    header: bool,
) -> tuple[list[int], list[int]]:
    widest = [
        max((cell_length(row[index].text) for row in rows), default=0)
        for index in range(len(columns))
    ]
    # A column without a single word in it says nothing, whatever its title.
    kept = [index for index in range(len(columns)) if widest[index]]
    natural = [
        max(width, cell_length(column.title) if header else 0)
        for width, column in zip(widest, columns, strict=True)
    ]
    if width is None:
        return kept, [natural[index] for index in kept]
    while _least(kept, columns, natural=natural) > width and any(columns[i].rank for i in kept):
        kept.remove(max(kept, key=lambda index: (columns[index].rank, index)))
    room = width - len(_GAP) * (len(kept) - 1)
    room -= sum(natural[i] for i in kept if not columns[i].flexible)
    wanted = {i: natural[i] for i in kept if columns[i].flexible}
    least = {i: min(natural[i], columns[i].least) for i in wanted}
    spare = room - sum(least.values())
    if spare >= 0:
        more = _share(spare, {i: wanted[i] - least[i] for i in wanted})
        shares = {i: least[i] + more[i] for i in wanted}
    else:
        shares = {i: max(1, share) for i, share in _share(room, wanted).items()}
    return kept, [shares.get(i, min(natural[i], width)) for i in kept]


def _share(room: int, wanted: Mapping[int, int]) -> dict[int, int]:
    """Divide the room: who wants less than an equal share gets that, the others what is left."""
    shares: dict[int, int] = {}
    for index in sorted(wanted, key=lambda index: wanted[index]):
        equal = room // (len(wanted) - len(shares))
        shares[index] = min(wanted[index], equal)
        room -= shares[index]
    return shares


def _least(kept: Sequence[int], columns: Sequence[Column], *, natural: Sequence[int]) -> int:
    gaps = len(_GAP) * (len(kept) - 1)
    return gaps + sum(
        min(natural[i], columns[i].least) if columns[i].flexible else natural[i] for i in kept
    )


def _wrapped(
    cells: Sequence[Cell], columns: Sequence[Column], *, widths: Sequence[int]
) -> list[Line]:
    stacks = [
        wrap_words(cell.text, width) if column.wraps else [fit(cell.text, width)]
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    height = max((len(stack) for stack in stacks), default=0)
    return [
        _line(
            [
                Cell(stack[level] if level < len(stack) else "", cell.style)
                for stack, cell in zip(stacks, cells, strict=True)
            ],
            columns,
            widths=widths,
        )
        for level in range(height)
    ]


def _line(cells: Sequence[Cell], columns: Sequence[Column], *, widths: Sequence[int]) -> Line:
    pieces: list[Cell] = []
    for position, (cell, column, width) in enumerate(zip(cells, columns, widths, strict=True)):
        if position:
            pieces.append(Cell(_GAP))
        blank = " " * max(0, width - cell_length(cell.text))
        last = position == len(cells) - 1
        if column.align == "right":
            pieces.extend((Cell(blank), cell))
        else:
            pieces.extend((cell,) if last else (cell, Cell(blank)))
    return tuple(pieces)
