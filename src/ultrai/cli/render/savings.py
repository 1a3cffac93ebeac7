"""What was not spent, as a table and as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import count, money
from ultrai.cli.render.table import Cell, Column, Line, lay_out, paragraph
from ultrai.domain.saving import Saving


def savings_lines(savings: Sequence[Saving], *, runs: int, width: int | None) -> list[Line]:
    """One row for each source, the sum of what is known, and how each figure was come by."""
    columns = (
        Column("by"),
        Column("times", "right"),
        Column("saved", "right"),
        Column("not known", "right", rank=1),
    )
    rows = [
        (
            Cell(_name(each)),
            Cell(f"{each.times:,}"),
            Cell(money(each.nanos) if each.times else "–"),
            Cell(f"{each.unknown:,}" if each.unknown else "–"),
        )
        for each in savings
    ]
    lines = lay_out(columns, rows, width=width, header=True)
    known = sum(each.nanos or 0 for each in savings)
    lines += paragraph(f"{money(known)} in {count(runs, 'run')}, as far as known", width=width)
    for each in savings:
        lines += paragraph(f"{_name(each)}: {each.method}", Style.DIM, width=width)
    return lines


def savings_csv(savings: Sequence[Saving]) -> str:
    """The same as comma-separated values with a header."""
    text = io.StringIO()
    names = ("source", "times", "saved_usd", "unknown", "method")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(each.to_dict() for each in savings)
    return text.getvalue()


def _name(saving: Saving) -> str:
    return saving.source.value.replace("_", " ")
