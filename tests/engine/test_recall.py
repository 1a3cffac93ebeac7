"""Answers that were given before, and requests that are under way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.engine.bar import PROMPT, Bar, broken, cocktail, codes, kinds, model

from ultrai.domain.access import TAG
from ultrai.domain.ask import Ask
from ultrai.domain.errors import BudgetRefusal
from ultrai.domain.event import EventType
from ultrai.domain.ledger import Reserve, Settle, Start
from ultrai.domain.outcome import CostState, FailureKind
from ultrai.domain.query import Message, Sampling
from ultrai.domain.report import Report, RunStatus, SlotState
from ultrai.engine.tuning import Tuning
from ultrai.testing import MemoryCache, MemoryLedger, Script, run_in_virtual_time

A, B, C = "acme/a", "acme/b", "acme/c"
PING = Ask(messages=PROMPT, models=(A,))


def bar(*models: str, **more: object) -> Bar:
    scripts = {each: [Script(text=f"answer of {each}", first_s=1.0)] for each in models or (A,)}
    return Bar(**{"scripts": scripts, "cache": MemoryCache(), **more})  # type: ignore[arg-type]


def test_the_same_question_is_asked_once():
    here = bar()
    first, second = here.asks(PING, PING)
    assert len(here.upstream.requests) == 1
    assert first.slots[0].answer.cached is False
    answer = second.slots[0].answer
    assert (answer.cached, answer.text) == (True, first.slots[0].answer.text)
    assert second.slots[0].cost.to_dict() == {"cost_usd": "0", "cost_state": "not_billed"}
    assert second.status is RunStatus.COMPLETE
    assert second.usage == first.usage
    assert "answered_from_cache" in codes(second)
    assert second.cost_known


def test_an_answer_from_the_cache_is_told_as_a_stream():
    here = bar()
    here.ask(PING)
    report, events = here.watch(PING)
    types = [event.type for event in events]
    text = "".join(event.text or "" for event in events if event.type is EventType.TEXT_DELTA)
    assert text == report.slots[0].answer.text
    started, first = types.index(EventType.ATTEMPT_STARTED), types.index(EventType.FIRST_TOKEN)
    assert started < first < types.index(EventType.SLOT_ANSWERED)
    assert report.slots[0].attempts[0].generation_id is None


def test_an_answer_from_the_cache_takes_no_permit_and_no_money():
    here = bar(ledger=MemoryLedger())
    here.ask(PING)
    here.ledger.steps.clear()
    here.ask(PING)
    assert not here.ledger.steps


def test_only_what_is_not_known_is_reserved():
    here = bar(A, B)
    here.ask(PING)
    here.ledger.steps.clear()
    here.ask(replace(PING, models=(A, B)))
    steps = here.ledger.steps
    held = [slot.wanted_nanos for s in steps if isinstance(s, Reserve) for slot in s.slots]
    assert held[0] == 0
    assert held[1] > 0
    assert [step.place.slot for step in steps if isinstance(step, Start | Settle)] == [1, 1]


def test_an_answer_from_the_cache_fits_any_cap_and_any_budget():
    here = bar(ledger=MemoryLedger())
    here.ask(PING)
    here.ledger.limit_nanos = 0
    capped = replace(PING, max_cost_nanos=0)
    assert here.ask(capped).slots[0].answer.cached
    with pytest.raises(BudgetRefusal):
        here.ask(replace(capped, messages=(Message("user", "something else"),)))


def test_a_kept_answer_is_of_use_while_the_upstream_is_down_and_the_circuit_open():
    here = bar(A, B, cocktails=[cocktail("X", (A, B))])
    here.ask(Ask(messages=PROMPT, cocktail="X"))
    for _ in range(10):
        here.health.failed(A, FailureKind.UPSTREAM_ERROR, now_s=1_763_899_200.0)
    report = here.ask(Ask(messages=PROMPT, cocktail="X"))
    assert report.slots[0].answered_by == A
    assert report.slots[0].answer.cached
    assert len(here.upstream.requests) == 1


def test_a_backup_is_remembered_too():
    here = Bar(
        scripts={A: [broken(FailureKind.MODERATED, 403)], B: [Script(text="b")]},
        cocktails=[cocktail("X", (A, B))],
        cache=MemoryCache(),
    )
    here.ask(Ask(messages=PROMPT, cocktail="X"))
    report = here.ask(Ask(messages=PROMPT, cocktail="X"))
    assert here.upstream.asked() == [A, B, A]
    assert report.slots[0].answered_by == B
    assert report.slots[0].answer.cached


@pytest.mark.parametrize(
    "other",
    [
        replace(PING, messages=(Message("user", "pong"),)),
        replace(PING, messages=(Message("system", "be short"), *PROMPT)),
        replace(PING, models=(B,)),
        replace(PING, sampling=Sampling(max_tokens=999)),
        replace(PING, sampling=Sampling(temperature=0.5)),
        replace(PING, sampling=Sampling(seed=1)),
    ],
    ids=["prompt", "system", "model", "max_tokens", "temperature", "seed"],
)
def test_whatever_changes_the_request_is_asked_anew(other: Ask):
    here = bar(A, B)
    _, second = here.asks(PING, other)
    assert len(here.upstream.requests) == 2
    assert not second.slots[0].answer.cached


def test_a_parameter_that_is_not_sent_changes_nothing():
    plain = replace(model(A), supported_parameters=frozenset({"max_tokens"}))
    here = bar(models=[plain])
    _, second = here.asks(PING, replace(PING, sampling=Sampling(seed=5)))
    assert second.slots[0].answer.cached


def test_no_cache_asks_anew_and_the_new_answer_takes_the_place_of_the_old():
    here = bar(scripts={A: [Script(text="old"), Script(text="new")]})
    reports = here.asks(PING, replace(PING, use_cache=False), PING)
    assert [report.slots[0].answer.text for report in reports] == ["old", "new", "new"]
    assert [report.slots[0].answer.cached for report in reports] == [False, False, True]


def test_strict_is_an_answer_of_now():
    here = bar()
    _, second = here.asks(PING, replace(PING, strict=True))
    assert not second.slots[0].answer.cached


def test_an_old_answer_is_none():
    here = bar(ttl_s=60.0)

    async def later() -> Report:
        desk = here.desk()
        await desk.ask(PING)
        await asyncio.sleep(59)
        assert (await desk.ask(PING)).slots[0].answer.cached
        await asyncio.sleep(2)
        return await desk.ask(PING)

    assert not run_in_virtual_time(later()).slots[0].answer.cached


def test_an_answer_from_the_far_future_is_none():
    here = bar(ttl_s=60.0)
    here.ask(PING)
    (key, kept), *_ = here.cache.kept.items()
    here.cache.kept[key] = replace(kept, kept_at=kept.kept_at + timedelta(days=3650))
    assert not here.ask(PING).slots[0].answer.cached


@pytest.mark.parametrize(
    "script",
    [Script(finish_reason="length"), broken(FailureKind.MODERATED, 403)],
    ids=["truncated", "moderated"],
)
def test_only_whole_answers_are_kept(script: Script):
    here = bar(scripts={A: [script]})
    here.asks(PING, PING)
    assert not here.cache.kept
    assert len(here.upstream.requests) == 2


def test_several_samples_of_one_model_are_neither_kept_nor_recalled():
    here = bar()
    thrice = replace(PING, models=(f"{A}*3",))
    for report in (*here.asks(PING, thrice), *here.asks(thrice)):
        last = report
    assert len(here.upstream.requests) == 7
    assert not any(slot.answer.cached for slot in last.slots)


def test_a_model_that_serves_two_slots_answers_each_of_them():
    here = Bar(
        scripts={
            A: [broken(FailureKind.MODERATED, 403)],
            B: [Script(text="b", first_s=5.0)],
        },
        cocktails=[cocktail("X", (A, B), (B, A))],
        cache=MemoryCache(),
    )
    report = here.ask(Ask(messages=PROMPT, cocktail="X"))
    assert [slot.answer.cached for slot in report.slots] == [False, False]
    assert here.upstream.asked().count(B) == 2


def test_a_problem_of_the_cache_is_a_notice():
    here = bar()
    here.cache.problem = "the cache was damaged"
    report = here.ask(PING)
    assert codes(report) == ["cache_failed"]
    assert report.status is RunStatus.COMPLETE


# --- under way -----------------------------------------------------------------------------------


def together(here: Bar, count: int, ask: Ask = PING) -> list[Report]:
    async def all_of_them() -> list[Report]:
        desk = here.desk()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(desk.ask(ask)) for _ in range(count)]
        return [task.result() for task in tasks]

    return run_in_virtual_time(all_of_them())


def test_a_thousand_alike_at_once_make_one_request():
    here = bar()
    reports = together(here, 1000)
    assert len(here.upstream.requests) == 1
    shared = [report for report in reports if report.slots[0].answer.cached]
    assert len(shared) == 999
    assert all(codes(report) == ["shared_in_flight"] for report in shared)
    assert {report.slots[0].cost.state for report in shared} == {CostState.NOT_BILLED}
    assert sum(report.cost_nanos or 0 for report in reports) == 1000


def test_those_who_wait_survive_the_cancellation_of_the_one_who_asks():
    here = bar(scripts={A: [Script(text="text", first_s=10.0)]})

    async def cancel_the_leader() -> list[Report]:
        desk = here.desk()
        leader = await desk.start(PING)
        await asyncio.sleep(1)
        others = [await desk.start(PING) for _ in range(3)]
        await asyncio.sleep(1)
        leader.cancel()
        return [await leader.report(), *[await other.report() for other in others]]

    first, *others = run_in_virtual_time(cancel_the_leader())
    assert first.status is RunStatus.INTERRUPTED
    assert [report.status for report in others] == [RunStatus.COMPLETE] * 3
    assert [report.slots[0].answer.cached for report in others].count(False) == 1
    assert len(here.upstream.requests) == 2


def test_one_who_waits_may_leave_and_the_others_stay():
    here = bar(scripts={A: [Script(text="text", first_s=10.0)]})

    async def cancel_a_follower() -> list[Report]:
        desk = here.desk()
        handles = [await desk.start(PING) for _ in range(3)]
        await asyncio.sleep(1)
        handles[1].cancel()
        return [await handle.report() for handle in handles]

    reports = run_in_virtual_time(cancel_a_follower())
    assert [r.slots[0].state for r in reports] == [
        SlotState.ANSWERED,
        SlotState.CANCELLED,
        SlotState.ANSWERED,
    ]
    assert len(here.upstream.requests) == 1


def test_a_failure_is_shared_and_goes_by_the_table_for_each():
    here = Bar(
        scripts={
            A: [replace(broken(FailureKind.MODERATED, 403), head_s=1.0)],
            B: [Script(text="b", first_s=1.0)],
        },
        cocktails=[cocktail("X", (A, B))],
        cache=MemoryCache(),
    )
    reports = together(here, 50, Ask(messages=PROMPT, cocktail="X"))
    assert here.upstream.asked() == [A, B]
    assert {report.status for report in reports} == {RunStatus.COMPLETE}
    assert all(kinds(report) == ["moderated"] for report in reports)


def test_a_shared_failure_is_one_observation_of_its_model():
    script = [replace(broken(FailureKind.OVERLOADED, 503), head_s=1.0)]
    tuning = Tuning(max_attempts=1)
    many = Bar(scripts={A: script}, cache=MemoryCache(), tuning=tuning)
    one = Bar(scripts={A: script}, cache=MemoryCache(), tuning=tuning)
    together(many, 50)
    together(one, 1)
    assert len(many.upstream.requests) == 1
    assert many.health[A] == one.health[A]


def test_retries_of_many_are_retries_of_one():
    here = bar(
        scripts={
            A: [
                replace(broken(FailureKind.UPSTREAM_ERROR, 500), head_s=1.0),
                Script(text="at last", first_s=2.0),
            ]
        }
    )
    reports = together(here, 200)
    assert {report.status for report in reports} == {RunStatus.COMPLETE}
    assert len(here.upstream.requests) == 2


def test_what_another_run_may_not_send_says_nothing_about_this_one():
    """The first waits at the gate for longer than its patience; nobody else is told so."""
    here = bar(
        A, B, cocktails=[cocktail("X", (A, B)), cocktail("Y", (A,))], tuning=Tuning(paces={A: 1})
    )

    async def impatient_and_patient() -> list[Report]:
        desk = here.desk()
        await desk.ask(replace(PING, messages=(Message("user", "takes the minute's one start"),)))
        async with asyncio.TaskGroup() as group:
            asks = [Ask(messages=PROMPT, cocktail=name) for name in ("X", "Y")]
            tasks = [group.create_task(desk.ask(each)) for each in asks]
        return [task.result() for task in tasks]

    first, second = run_in_virtual_time(impatient_and_patient())
    assert first.slots[0].answered_by == B
    assert second.slots[0].answered_by == A
    assert second.status is RunStatus.COMPLETE


# --- other processes that share the cache --------------------------------------------------------


def test_two_processes_that_share_a_cache_make_one_request():
    one = bar(scripts={A: [Script(text="text", first_s=3.0)]})
    other = bar(cache=MemoryCache(one.cache.kept, one.cache.claimed))

    async def both() -> list[Report]:
        desks = [one.desk(), other.desk()]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(desk.ask(PING)) for desk in desks for _ in range(50)]
        return [task.result() for task in tasks]

    reports = run_in_virtual_time(both())
    assert len(one.upstream.requests) + len(other.upstream.requests) == 1
    assert {report.slots[0].answer.text for report in reports} == {"text"}
    assert sum(report.slots[0].answer.cached for report in reports) == 99
    assert not one.cache.claimed


def test_a_claim_ends_with_its_attempt_however_that_ends():
    here = bar(scripts={A: [broken(FailureKind.MODERATED, 403)]})
    here.ask(PING)
    assert not here.cache.claimed

    async def cancelled() -> None:
        desk = here.desk()
        here.upstream._scripts[A] = [Script(first_s=100.0)]
        handle = await desk.start(PING)
        await asyncio.sleep(1)
        assert here.cache.claimed
        await handle.aclose()

    run_in_virtual_time(cancelled())
    assert not here.cache.claimed


def test_the_next_in_line_asks_where_the_other_process_brings_nothing():
    one = bar(scripts={A: [replace(broken(FailureKind.MODERATED, 403), head_s=2.0)]})
    other = bar(cache=MemoryCache(one.cache.kept, one.cache.claimed))

    async def both() -> list[Report]:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(one.desk().ask(PING))
            await asyncio.sleep(1)
            second = group.create_task(other.desk().ask(PING))
        return [first.result(), second.result()]

    first, second = run_in_virtual_time(both())
    assert first.status is RunStatus.FAILED
    assert second.status is RunStatus.COMPLETE
    assert not second.slots[0].answer.cached


def test_each_key_to_the_server_has_answers_of_its_own():
    here = bar()
    mine, theirs = (replace(PING, tags={TAG: name}) for name in ("mine", "theirs"))
    reports = here.asks(mine, theirs, mine, replace(mine, tags={TAG: "mine", "team": "x"}))
    assert [report.slots[0].answer.cached for report in reports] == [False, False, True, True]
