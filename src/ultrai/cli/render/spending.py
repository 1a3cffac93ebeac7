"""What was spent, and whether the ledger holds, for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import count, money
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import UNCUT, Cell, Column, Line, lay_out, paragraph
from ultrai.domain.drift import DailySpending
from ultrai.domain.spending import Audit, Spending, total
from ultrai.policy.charting import chart_of, sparkline

_BAR = 12
_SEVERAL = 2
_MOST_DAYS = 60
_AROUND_DAYS = len("by day    2026-11-01 … 2026-11-26, up to $0.00000123 a day ")
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def spending_table(rows: Sequence[Spending], *, by: str, width: int | None) -> list[Line]:
    """One line for each group with its share as a bar, and the sum below."""
    everything = total(list(rows))
    most = max((_at_most(row) for row in rows), default=0)
    columns = (
        Column(by.partition(":")[2] or by, flexible=True, least=UNCUT),
        Column("cost", "right"),
        Column("", rank=4),
        Column("unknown", "right", rank=1),
        Column("answers", "right", rank=3),
        Column("tokens in", "right", rank=5),
        Column("out", "right", rank=5),
    )
    cells = [_cells(row, one_line(row.group or "–"), most=most) for row in rows]
    if len(rows) > 1:
        cells.append(_cells(everything, "total", most=0, style=Style.BOLD))
    lines = lay_out(columns, cells, width=width, header=True)
    if everything.unknown:
        lines += [(), *paragraph(_unknown_words(everything), Style.ODD, width=width)]
    return lines


def days_line(daily: Sequence[DailySpending], *, width: int | None) -> list[Line]:
    """A small bar for each day up to the last, where there are several; no lines for one."""
    if len({row.day for row in daily}) < _SEVERAL:
        return []
    room = _MOST_DAYS if width is None else max(1, min(_MOST_DAYS, width - _AROUND_DAYS))
    bars, days, top = sparkline(chart_of(daily), most_days=room)
    words = f"  {days[0]} … {days[-1]}, up to {money(top)} a day"
    line: Line = (Cell("by day  ", Style.DIM), Cell(bars), Cell(words, Style.DIM))
    if width is not None and _AROUND_DAYS + len(bars) > width:
        line = line[:2]
    return [(), line]


def spending_csv(rows: Sequence[Spending], *, by: str) -> str:
    """The same as comma-separated values with a header."""
    text = io.StringIO()
    names = list(Spending(None, 0, 0, 0, 0, 0, 0, 0).to_dict())
    writer = csv.DictWriter(text, [by, *names[1:]], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = row.to_dict()
        writer.writerow({by: values.pop("group"), **values})
    return text.getvalue()


def audit_lines(audit: Audit, *, width: int | None) -> list[Line]:
    """The verdict, the problems, the heads to keep."""
    if audit.problems:
        lines: list[Line] = [(Cell("✗ the ledger was changed", Style.BAD),)]
        for problem in audit.problems:
            lines += paragraph(f"  {problem}", width=width)
    else:
        words = f"✓ the ledger holds: {audit.entries:,} entries, {audit.seals:,} seals"
        lines = [(Cell(words, Style.GOOD),)]
    if audit.heads:
        lines += [(), (Cell("keep elsewhere, and check later with --head:", Style.DIM),)]
        lines += [(Cell(str(head)),) for head in audit.heads]
    return lines


def _cells(row: Spending, name: str, *, most: int, style: Style = Style.PLAIN) -> list[Cell]:
    unknown = f"+{row.unknown} ≤ {money(row.unsure_nanos)}" if row.unknown else ""
    return [
        Cell(name, style),
        Cell(money(row.cost_nanos) if row.is_partly_known else "unknown", style),
        Cell(_bar(_at_most(row), most), Style.DIM),
        Cell(unknown, Style.ODD),
        Cell(f"{row.answers:,}/{row.attempts:,}"),
        Cell(f"{row.prompt_tokens:,}"),
        Cell(f"{row.completion_tokens:,}"),
    ]


def _unknown_words(everything: Spending) -> str:
    """How much is not known, and whether asking can change that."""
    unknown, lasting = everything.unknown, everything.unknown_for_good
    most = money(everything.unsure_nanos)
    words = f"{unknown} of {count(everything.attempts, 'attempt')}: the cost is not known, and is"
    words += f" counted at the most that it may be, {most}"
    if not lasting:
        return f"{words}; 'ultrai reconcile' asks for it"
    if lasting == unknown:
        return f"{words}; that stays so: the upstream did not tell, and asking again is no use"
    return f"{words}; 'ultrai reconcile' asks for {unknown - lasting}, {lasting} stay unknown"


def _at_most(row: Spending) -> int:
    return row.cost_nanos + row.unsure_nanos


def _bar(nanos: int, most: int) -> str:
    """A bar as long as the share, in eighths of a cell."""
    if most <= 0:
        return ""
    eighths = round(nanos / most * _BAR * 8)
    full, rest = divmod(max(eighths, 1 if nanos else 0), 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
