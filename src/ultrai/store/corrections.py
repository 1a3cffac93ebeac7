"""What the ledger learned of a Run's Attempts after the Run had ended, put into its Report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from ultrai.domain.ledger import EntryKind
from ultrai.domain.outcome import Cost, CostState
from ultrai.domain.report import AttemptReport, Report
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

    slots = tuple(
        replace(slot, attempts=tuple(known_now(slot.index, each) for each in slot.attempts))
        for slot in report.slots
    )
    return replace(report, slots=slots)
