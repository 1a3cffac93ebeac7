"""The ledger against the upstream's figures, for people."""

from __future__ import annotations

from collections.abc import Sequence

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import count, money
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out, paragraph
from ultrai.domain.drift import Cause, Difference, Drift

_SPANS = {"week": "this week", "month": "this month"}
_CAUSES = {
    Cause.AGREES: "✓ agrees",
    Cause.UNKNOWN_COST: "◌ costs not known",
    Cause.IN_FLIGHT: "◌ requests under way",
    Cause.LAG: "◌ counted minutes later",
    Cause.MIDNIGHT: "◌ under way at midnight",
    Cause.BEFORE_LEDGER: "◌ before the ledger",
    Cause.OUTSIDE: "✗ spent elsewhere",
    Cause.MISSING: "✗ counted less",
}
_ADVICE = {
    Cause.UNKNOWN_COST: (
        "costs not known: 'ultrai reconcile' asks for those that the upstream may still tell"
    ),
    Cause.BEFORE_LEDGER: (
        "before the ledger: a span that began before this ledger knew the key cannot be told from "
        "spending elsewhere"
    ),
    Cause.OUTSIDE: (
        "spent elsewhere: the upstream has counted what this ledger never sent; is the key used by "
        "other programs or machines, or is there another ULTRAI_HOME? 'ultrai keys rotate' ends it"
    ),
    Cause.MISSING: (
        "counted less: the upstream has not counted what it told this ledger; look again later, "
        "then ask its support"
    ),
}


def drift_lines(drift: Drift, wrong: Sequence[Difference], *, width: int | None) -> list[Line]:
    """Both tables, what to do about each cause, and the verdict; `wrong` is what does not pass."""
    name = one_line(drift.label or "the key")
    begins = f"; the ledger knows it since {drift.begins}" if drift.begins else ""
    lines: list[Line] = paragraph(f"{name}{begins}", Style.DIM, width=width)
    lines += [(), *_table(drift.spans, "span", width=width)]
    if drift.days:
        lines += [(), *_table(drift.days, "day (UTC)", width=width)]
    elif drift.days is not None:
        lines += [(), *paragraph("on no completed day was anything spent", width=width)]
    rows = [*drift.spans, *(drift.days or ())]
    for cause, advice in _ADVICE.items():
        if any(row.cause is cause for row in rows):
            lines += [(), *paragraph(advice, width=width)]
    if drift.problem:
        note = f"days and models were not compared: {one_line(drift.problem)}"
        lines += [(), *paragraph(note, Style.ODD, width=width)]
    return [*lines, (), *_verdict(drift, wrong, width=width)]


def _verdict(drift: Drift, wrong: Sequence[Difference], *, width: int | None) -> list[Line]:
    if wrong:
        words = f"✗ nothing explains {count(len(wrong), 'difference')}"
        return paragraph(words, Style.BAD, width=width)
    if drift.unexplained:
        words = f"✓ {count(len(drift.unexplained), 'difference')} no larger than --within"
        return paragraph(words, Style.GOOD, width=width)
    rows = [*drift.spans, *(drift.days or ())]
    if any(row.cause is not Cause.AGREES for row in rows):
        return paragraph("✓ no difference is unexplained", Style.GOOD, width=width)
    return paragraph("✓ the ledger and the upstream agree", Style.GOOD, width=width)


def _table(rows: Sequence[Difference], title: str, *, width: int | None) -> list[Line]:
    columns = (
        Column(title),
        Column("model", flexible=True, rank=1),
        Column("upstream", "right"),
        Column("ledger", "right"),
        Column("unknown", "right", rank=2),
        Column("difference", "right"),
        Column("", "right", rank=3),
        Column("requests", "right", rank=4),
        Column(""),
    )
    return lay_out(columns, [_cells(row) for row in rows], width=width, header=True)


def _cells(row: Difference) -> list[Cell]:
    style = Style.ODD
    if row.cause is Cause.AGREES:
        style = Style.GOOD
    elif row.unexplained_nanos:
        style = Style.BAD
    is_same = row.cause is Cause.AGREES
    percent = "" if is_same or row.percent is None else f"{row.percent:+} %"
    return [
        Cell(_SPANS.get(row.span, row.span)),
        Cell(one_line(row.model or "")),
        Cell(money(row.upstream_nanos)),
        Cell(money(row.ledger_nanos)),
        Cell(f"≤ {money(row.unsure_nanos)}" if row.unsure_nanos else "", Style.ODD),
        Cell("" if is_same else _signed(row.nanos), style),
        Cell(percent, Style.DIM),
        Cell(_requests(row), Style.DIM),
        Cell(_CAUSES[row.cause], style),
    ]


def _signed(nanos: int) -> str:
    return f"{'+' if nanos > 0 else '-'}{money(abs(nanos))}"


def _requests(row: Difference) -> str:
    """`5/4`: the upstream has counted five, the ledger four; nothing where they agree."""
    if row.upstream_requests in (None, row.ledger_requests):
        return ""
    return f"{row.upstream_requests:,}/{row.ledger_requests or 0:,}"
