"""Documents too long are summarised part by part, inside the run's money, and everybody says so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from tests.engine.bar import Bar, broken, cocktail, codes, failure, model

from ultrai.domain.ask import Ask
from ultrai.domain.document import Document
from ultrai.domain.errors import BudgetRefusal, UsageError
from ultrai.domain.event import EventType
from ultrai.domain.fitting import FitWish
from ultrai.domain.fold import ReportFold
from ultrai.domain.notice import NoticeCode
from ultrai.domain.outcome import FailureKind
from ultrai.domain.query import Message, Sampling
from ultrai.domain.report import Report, RunStatus
from ultrai.engine.tuning import Tuning
from ultrai.policy.tokens import bound_tokens, estimate_tokens, window_tokens
from ultrai.testing import Script, run_in_virtual_time

CHEAP, DEAR, OTHER, SMALL = "cheap/one", "dear/one", "other/one", "small/one"
TEXT = "\n\n".join(f"Paragraph {n} tells of rivers and of bridges." for n in range(3000)) + "\n"
BOOK = Document("book.txt", TEXT)
ASK = Ask(
    messages=(Message("user", "Summarise the book."),),
    documents=(BOOK,),
    models=(DEAR, CHEAP),
    sampling=Sampling(max_tokens=500),
)
LISTED = (
    model(CHEAP, price="0.0000001", window=24_000),
    model(DEAR, price="0.00001", window=20_000),
    model(OTHER, price="0.000001", window=200_000),
    model(SMALL, price="0.000001", window=12_000),
)


def bar(**scripts: list[Script]) -> Bar:
    said = {CHEAP: [Script(text="in short")], DEAR: [Script(text="done")], OTHER: [Script()]}
    return Bar(models=LISTED, scripts={**said, SMALL: [Script(text="in short")], **scripts})


def summaries(room: Bar) -> list[str]:
    """The prompts of the requests that summarise."""
    prompts = [request.messages[0].content for request in room.upstream.requests]
    return [prompt for prompt in prompts if "Write the summary only." in prompt]


def first_lines(report: Report) -> int:
    """The last line of the first part."""
    return next(s["last_line"] for s in report.summary.sources if s["level"] == 0)


def test_the_cheapest_model_of_the_run_summarises_and_all_slots_read_it():
    room = bar()
    report = room.ask(ASK)
    assert report.status is RunStatus.COMPLETE
    asked = [
        r for r in room.upstream.requests if "Write the summary only." in r.messages[0].content
    ]
    assert {request.model for request in asked} == {CHEAP}
    for slot in report.slots:
        assert slot.fit["mode"] == "summarise"
        (answering,) = [
            request
            for request in room.upstream.requests
            if request.model == slot.primary and request not in asked
        ]
        prompt = answering.messages[0].content
        assert prompt.count("in short") == len(slot.fit["sources"][0]["passages"])
        assert prompt.endswith("Summarise the book.")
    assert codes(report).count("input_summarised") == 2
    assert codes(report).count("summary_planned") == 1


def test_every_word_is_in_exactly_one_request_of_the_first_level():
    room = bar()
    report = room.ask(ASK)
    first = [s for s in report.summary.sources if s["level"] == 0]
    prompts = summaries(room)[: len(first)]
    for n in (0, 1, 1499, 2998, 2999):
        assert sum(f"Paragraph {n} tells" in prompt for prompt in prompts) == 1
    assert first[0]["first_line"] == 1
    assert all(a["last_line"] <= b["first_line"] for a, b in pairwise(first))


def test_what_the_summary_cost_is_part_of_the_run():
    room = bar()
    report = room.ask(ASK)
    parts = report.summary.parts
    assert len(parts) == len(summaries(room)) > 3
    assert report.cost_nanos == 1000 * (len(parts) + 2)
    assert report.cost_known
    shape = report.to_dict()
    assert len(shape["summary"]["parts"]) == len(parts)
    assert shape["usage"]["prompt_tokens"] == 10 * (len(parts) + 2)
    assert room.ledger.held_nanos == 0


def test_nothing_is_sent_that_was_not_reserved_at_the_start():
    room = bar()
    plan = run_in_virtual_time(room.desk().plan(ASK))
    room.ask(ASK)
    assert plan.summary.model == CHEAP
    by_index = {part.slot.index: part.slot.first.bound_nanos for part in plan.summary.parts}
    assert sum(by_index.values()) == plan.summary.cost_nanos.high
    price = Decimal("0.0000001") * 1_000_000_000 * Decimal("1.25")
    sent = [r for r in room.upstream.requests if "Write the summary only." in r.messages[0].content]
    for request, bound in zip(sent, by_index.values(), strict=True):
        tokens = bound_tokens(request.messages) + request.sampling.max_tokens
        assert tokens * price <= bound
    for slot in plan.slots:
        (request,) = [
            r for r in room.upstream.requests if r.model == slot.primary and r not in sent
        ]
        assert bound_tokens(request.messages) <= slot.first.bound_nanos


def test_the_prompts_fit_the_windows():
    room = bar()
    room.ask(ASK)
    windows = {each.id: each.context_length for each in LISTED}
    for request in room.upstream.requests:
        planned = window_tokens(estimate_tokens(request.messages, None), None)
        assert planned + request.sampling.max_tokens <= windows[request.model]


def test_summaries_are_merged_where_all_of_them_are_too_long():
    long = Document("long.txt", TEXT * 6)
    room = bar(**{SMALL: [Script(text="in short " * 300)]})
    report = room.ask(replace(ASK, documents=(long,), models=(SMALL,)))
    levels = [source["level"] for source in report.summary.sources]
    assert report.status is RunStatus.COMPLETE
    asked = [part for part in report.summary.parts if part.state.value == "answered"]
    merges = [prompt for prompt in summaries(room) if "summaries of neighbouring parts" in prompt]
    assert len(merges) == len(asked) - levels.count(0) > 0
    assert report.slots[0].fit["sources"][0]["passages"][0]["last_line"] > first_lines(report)


def test_summaries_that_came_out_short_are_not_merged():
    long = Document("long.txt", TEXT * 6)
    report = bar().ask(replace(ASK, documents=(long,), models=(SMALL,)))
    states = {
        source["level"]: part.state.value
        for source, part in zip(report.summary.sources, report.summary.parts, strict=True)
    }
    assert states.pop(0) == "answered"
    assert set(states.values()) == {"skipped"}
    assert report.status is RunStatus.COMPLETE


def test_what_is_pinned_stands_in_front_of_the_summaries_as_it_is():
    room = bar(**{DEAR: [Script(text="in short")]})
    room.ask(replace(ASK, models=(DEAR,), pins=("Paragraph 700 tells", "book.txt:3-5")))
    prompt = room.upstream.requests[-1].messages[0].content
    assert prompt.index("Paragraph 700 tells of rivers and of bridges.") < prompt.index("in short")
    assert "(lines 3-5)\n```\nParagraph 1 tells of rivers and of bridges.\n\nParagraph 2" in prompt
    with pytest.raises(UsageError, match="the pinned passages do not fit"):
        bar().ask(replace(ASK, models=(DEAR,), pins=("book.txt:1-5999",)))


def test_a_part_that_nobody_summarises_is_told_in_its_own_sentences():
    ask = replace(ASK, models=(DEAR,))
    parts = len(run_in_virtual_time(bar().desk().plan(ask)).summary.parts)
    refusals = [broken(FailureKind.BAD_REQUEST, 400)] * 2
    room = bar(**{DEAR: [*refusals, *[Script(text="in short")] * (parts - 2), Script()]})
    report = room.ask(ask)
    assert report.status is RunStatus.COMPLETE
    (notice,) = [n for n in report.notices if n.code is NoticeCode.SUMMARY_INCOMPLETE]
    assert notice.message.startswith("2 parts could not be summarised")
    prompt = room.upstream.requests[-1].messages[0].content
    assert prompt.count("in short") == parts - 2
    assert prompt.count("tells of rivers") > 2


def test_a_writer_that_fails_is_replaced_by_the_next_cheapest():
    room = bar(**{CHEAP: [broken(FailureKind.MODEL_UNAVAILABLE, 404)]})
    report = room.ask(replace(ASK, models=(DEAR, CHEAP)))
    assert {part.answered_by for part in report.summary.parts} == {DEAR}
    assert "summary_incomplete" not in codes(report)


def test_a_named_writer_writes():
    room = Bar(
        models=LISTED,
        scripts={CHEAP: [Script()], DEAR: [Script()], OTHER: [Script(text="in short")]},
        tuning=Tuning(fit_summariser=OTHER),
    )
    report = room.ask(ASK)
    assert {part.answered_by for part in report.summary.parts} == {OTHER}
    with pytest.raises(UsageError, match="fit_summariser: no/such cannot summarise"):
        Bar(models=LISTED, scripts={}, tuning=Tuning(fit_summariser="no/such")).ask(ASK)


def test_a_cap_that_does_not_hold_the_summary_refuses_the_run_before_anything_is_sent():
    room, ask = bar(), replace(ASK, fit=FitWish.SUMMARISE)
    plan = run_in_virtual_time(room.desk().plan(ask))
    needed = plan.summary.cost_nanos.high + sum(s.first.bound_nanos for s in plan.slots)
    with pytest.raises(BudgetRefusal, match="worst case"):
        room.ask(replace(ask, max_cost_nanos=needed - 1))
    assert room.upstream.requests == []
    report = room.ask(replace(ask, max_cost_nanos=needed))
    assert report.status is RunStatus.COMPLETE


def test_slots_that_need_no_summary_do_not_wait_for_it():
    slow = [Script(text="in short", first_s=20)]
    room = bar(**{CHEAP: slow, OTHER: [Script(text="at once")]})
    report = room.ask(replace(ASK, models=(OTHER, CHEAP), quorum=1))
    assert report.slots[0].answered_by == OTHER
    assert report.slots[0].fit["mode"] == "whole"
    assert report.slots[1].state.value == "cancelled"
    assert room.upstream.active == 0
    assert room.ledger.held_nanos == 0


def test_the_events_amount_to_the_report_also_when_it_is_stopped():
    def stop(handle, event):
        if event.type is EventType.SUMMARY and event.facts.get("part") == 3:
            handle.cancel()

    room = bar(**{CHEAP: [Script(text="in short", first_s=2, gap_s=1)]})
    report, events = room.watch(ASK, stop)
    fold = ReportFold()
    for event in events:
        fold.apply(event)
    assert fold.report().to_dict() == report.to_dict()
    assert report.status is RunStatus.INTERRUPTED
    assert all(a.outcome for part in report.summary.parts for a in part.attempts)
    states = {part.state.value for part in report.summary.parts}
    assert states <= {"answered", "cancelled"}
    assert "cancelled" in states
    assert room.ledger.held_nanos == 0


def test_a_refused_key_stops_the_summary_and_the_run():
    refused = failure(FailureKind.AUTH, 401)
    room = bar(**{m: [Script(failure=refused)] for m in (CHEAP, DEAR)})
    report: Report = room.ask(ASK)
    assert report.exit_code == 6
    assert not report.answers
    assert room.ledger.held_nanos == 0


def test_the_deadline_ends_the_summary_too():
    room = bar(**{CHEAP: [Script(text="in short", first_s=50)]})
    report = room.ask(replace(ASK, deadline_s=30))
    assert report.elapsed_ms <= 31_000
    assert {slot.failure.kind for slot in report.slots} == {FailureKind.DEADLINE}
    assert room.upstream.active == 0


def test_a_backup_that_holds_the_whole_gets_it():
    room = Bar(
        models=LISTED,
        scripts={
            DEAR: [broken(FailureKind.BAD_REQUEST, 400)],
            OTHER: [Script()],
            CHEAP: [Script()],
        },
        cocktails=[cocktail("X", (DEAR, OTHER))],
    )
    report = room.ask(replace(ASK, models=(), cocktail="X"))
    assert report.slots[0].answered_by == OTHER
    assert report.slots[0].fit["mode"] == "whole"
