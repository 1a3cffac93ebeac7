"""The figures as rows, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

_WIDTHS = (46, 12, 12, 9, 9)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio` is to the bare loop; `target` bounds the ratio, or else the figure.

    `wall` is in the figure's unit. `at_least`: the target is the least that the figure may be. A
    row without a target is for orientation.
    """

    section: str
    name: str
    value: float
    unit: str
    wall: float | None = None
    ratio: float | None = None
    target: float | None = None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.target is None:
            return ""
        if self.at_least:
            return "ok" if self.value >= self.target else "MISS"
        measured = self.value if self.ratio is None else self.ratio
        return "ok" if measured <= self.target else "MISS"

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {**asdict(self), "verdict": self.verdict}


def print_rows(rows: Sequence[Row]) -> None:
    """A table for each section."""
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            print(f"\n{section}")
            print(_line("", ("value", "wall", "ratio", "target"), ""))
        wall = "" if row.wall is None else f"{row.wall:.3g} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
        target = ""
        if row.target is not None:
            is_ratio = row.ratio is not None and not row.at_least
            target = f"{row.target:g}x" if is_ratio else f"{row.target:g} {row.unit}"
        cells = (f"{_figure(row.value)} {row.unit}", wall, ratio, target)
        print(_line(row.name, cells, row.verdict), flush=True)


def _figure(value: float) -> str:
    """Three digits, or all of a large number."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _line(name: str, cells: Sequence[str], verdict: str) -> str:
    first, *others = _WIDTHS
    columns = "".join(cell.rjust(width) for cell, width in zip(cells, others, strict=True))
    return f"  {name:<{first}}{columns}  {verdict}".rstrip()
