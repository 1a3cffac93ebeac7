"""Readiness, probes and the doctor's findings as tables: states in words, not colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import cost_words, count, duration
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out
from ultrai.domain.plan import NotReadyReason

if TYPE_CHECKING:
    from ultrai.domain.overview import Check, Finding, ProbeResult, ReadinessRow

_READY_COLUMNS = (
    Column("", rank=0),
    Column("model", flexible=True, least=34),
    Column("state"),
    Column("until", rank=3),
    Column("instead", rank=1, flexible=True, least=26),
    Column("cocktails", rank=2),
    Column("window", "right", rank=5),
    Column("out $/M", "right", rank=4),
    Column("first token", "right", rank=6),
    Column("total", "right", rank=7),
)
_FINDING_COLUMNS = (
    Column(""),
    Column("severity", rank=1),
    Column("model", flexible=True, least=34),
    Column("cocktails", rank=2),
    Column("finding", flexible=True, wraps=True, least=40),
    Column("instead", rank=3),
)
_CHECK_COLUMNS = (
    Column(""),
    Column("check"),
    Column("what is so", flexible=True, wraps=True, least=30),
    Column("what to do", flexible=True, wraps=True, least=24),
)
# The upstream of the embedded models: whichever is not here can be fetched.
_EMBEDDED = "local"
_SEVERITIES = {
    "ok": ("✓", Style.GOOD),
    "warning": ("–", Style.ODD),
    "error": ("✗", Style.BAD),
}


def readiness_table(rows: Sequence[ReadinessRow], *, width: int | None) -> list[Line]:
    """One line for each model."""
    return lay_out(_READY_COLUMNS, [_ready_row(row) for row in rows], width=width, header=True)


def readiness_totals(rows: Sequence[ReadinessRow]) -> str:
    """How many are ready."""
    ready = sum(row.ready for row in rows)
    return f"{ready} of {count(len(rows), 'model')} ready"


def probe_line(result: ProbeResult) -> Line:
    """One probe's outcome."""
    if result.ok:
        text = f"✓ {one_line(result.model)} answered, first token {duration(result.first_token_ms)}"
        return (Cell(f"{text}, {cost_words(result.cost)}", Style.GOOD),)
    text = f"✗ {one_line(result.model)} failed: {one_line(result.message)}"
    return (Cell(text, Style.BAD),)


def findings_table(findings: Sequence[Finding], *, width: int | None) -> list[Line]:
    """One line for each finding, or more where it is long."""
    rows = [_finding_row(finding) for finding in findings]
    return lay_out(_FINDING_COLUMNS, rows, width=width, header=True)


def checks_table(checks: Sequence[Check], *, width: int | None) -> list[Line]:
    """One line for each check, or more where it is long."""
    rows = []
    for check in checks:
        symbol, style = _SEVERITIES[check.severity]
        told = [check.name, check.message, check.advice or ""]
        rows.append([Cell(symbol, style), *(Cell(one_line(text)) for text in told)])
    return lay_out(_CHECK_COLUMNS, rows, width=width, header=True)


def until_words(until_s: float | None) -> str:
    """A moment in UTC, given as Unix seconds."""
    return "" if until_s is None else f"{datetime.fromtimestamp(until_s, UTC):%m-%d %H:%M} UTC"


def _ready_row(row: ReadinessRow) -> list[Cell]:
    state = "ready" if row.ready else "not ready"
    if row.reason is not None:
        is_embedded = row.upstream == _EMBEDDED and row.reason is NotReadyReason.NOT_LISTED
        state = "not pulled" if is_embedded else row.reason.value.replace("_", " ")
    style = Style.GOOD if row.ready else Style.BAD
    price = row.completion_usd_per_million
    window = row.context_length
    return [
        Cell("✓" if row.ready else "✗", style),
        Cell(one_line(row.model)),
        Cell(state, style),
        Cell(until_words(row.until_s)),
        Cell(one_line(row.serves_instead or "")),
        Cell(" ".join(row.cocktails)),
        Cell("–" if window is None else f"{window:,}"),
        Cell("–" if price is None else str(price)),
        Cell("" if row.first_token_ms_p50 is None else duration(row.first_token_ms_p50)),
        Cell("" if row.total_ms_p50 is None else duration(row.total_ms_p50)),
    ]


def _finding_row(finding: Finding) -> list[Cell]:
    symbol, style = _SEVERITIES.get(finding.severity, ("?", Style.PLAIN))
    return [
        Cell(symbol, style),
        Cell(finding.severity, style),
        Cell(one_line(finding.model)),
        Cell(" ".join(finding.cocktails)),
        Cell(one_line(finding.message)),
        Cell(one_line(finding.replacement or "")),
    ]
