"""What a summary cost is tallied and corrected like what Slots cost."""

from __future__ import annotations

from tests.engine.bar import Bar, broken, model

from ultrai.domain.ask import Ask
from ultrai.domain.document import Document
from ultrai.domain.event import Event
from ultrai.domain.ledger import FIRST_SUMMARY_SLOT
from ultrai.domain.outcome import Cost, CostState, FailureKind
from ultrai.domain.query import Message, Sampling
from ultrai.domain.report import Report
from ultrai.store.buffer import RunBuffer, is_delta
from ultrai.store.corrections import corrected
from ultrai.testing import Script

BOOK = Document("book.txt", "\n\n".join(f"Paragraph {n} tells of rivers." for n in range(3000)))
ASK = Ask(
    messages=(Message("user", "Summarise the book."),),
    documents=(BOOK,),
    models=("a/a",),
    sampling=Sampling(max_tokens=100),
)


def told(first: Script) -> tuple[Report, list[Event]]:
    listed = [model("a/a", window=20_000)]
    return Bar(models=listed, scripts={"a/a": [first, Script()]}).watch(ASK)


def test_the_tally_of_a_run_with_a_summary_is_the_reports() -> None:
    for first in (Script(), Script(cost_raw=None), broken(FailureKind.CUT_STREAM)):
        report, events = told(first)
        assert report.summary is not None
        assert report.summary.parts[0].attempts
        buffer = RunBuffer(report.id)
        for event in events:
            (buffer.take_delta if is_delta(event) else buffer.take_fact)(event)
        assert buffer.cost() == (report.cost_nanos, report.cost_known)


def test_what_the_ledger_learned_of_a_request_is_put_into_the_summary() -> None:
    report, _ = told(Script(cost_raw=None))
    assert not report.cost_known
    known = Cost(7, CostState.RECONCILED)
    now = corrected(report, {(FIRST_SUMMARY_SLOT, 1): known})
    assert now.summary is not None
    assert now.summary.parts[0].attempts[0].cost == known
    assert now.cost_known
    assert now.slots == report.slots
