"""What the ledger learned of a Run's Attempts after the Run had ended, put into its Report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from ultrai.domain.ledger import FIRST_SUMMARY_SLOT, EntryKind
from ultrai.domain.outcome import Cost, CostState
from ultrai.domain.report import AttemptReport, Report, SlotReport
from ultrai.store.ledger_tables import ENTRIES

if TYPE_CHECKING:
    from sqlalchemy import Connection

Corrections = Mapping[tuple[int, int], Cost]


def read_corrections(connection: Connection, run_id: str) -> Corrections:
    """The last word on each Attempt that was corrected, by Slot and number."""
    query = (
        select(
            ENTRIES.c.slot,
            ENTRIES.c.attempt,
            ENTRIES.c.cost_nanos,
            ENTRIES.c.cost_state,
            ENTRIES.c.cost_raw,
        )
        .where(ENTRIES.c.run_id == run_id, ENTRIES.c.kind == EntryKind.CORRECTION.value)
        .order_by(ENTRIES.c.seq)
    )
    return {
        (slot, attempt): Cost(nanos, CostState(state), raw)
        for slot, attempt, nanos, state, raw in connection.execute(query)
    }


def corrected(report: Report, corrections: Corrections) -> Report:
    """The Report with what is known now."""
    if not corrections:
        return report

    def known_now(slot: int, attempt: AttemptReport) -> AttemptReport:
        cost = corrections.get((slot, attempt.n))
        return attempt if cost is None else replace(attempt, cost=cost)

    def all_known(slots: Sequence[SlotReport], first: int = 0) -> tuple[SlotReport, ...]:
        return tuple(
            replace(s, attempts=tuple(known_now(first + s.index, each) for each in s.attempts))
            for s in slots
        )

    summary = report.summary
    if summary is not None:
        summary = replace(summary, parts=all_known(summary.parts, FIRST_SUMMARY_SLOT))
    return replace(report, slots=all_known(report.slots), summary=summary)
