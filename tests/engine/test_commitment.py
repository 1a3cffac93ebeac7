"""Text that was shown to somebody who cannot be told to forget it is never replaced."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.engine.bar import PROMPT, Bar, broken, cocktail, cut, model

from ultrai.domain.ask import Ask, Commit
from ultrai.domain.event import Event, EventType
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.outcome import FailureKind
from ultrai.domain.query import Sampling
from ultrai.domain.report import Report, RunStatus, SlotState
from ultrai.testing import Script, run_in_virtual_time

TWO = [cocktail("X", ["m/0", "m/0b"], ["m/1", "m/1b"])]


def test_a_failure_before_the_first_text_is_replaced_as_always() -> None:
    bar = Bar(cocktails=TWO, scripts={"m/0": [broken(FailureKind.OVERLOADED)]})
    report = bar.ask(Ask(cocktail="X", commit=Commit.EACH))
    assert [slot.answered_by for slot in report.slots] == ["m/0b", "m/1"]


def test_a_failure_after_the_first_text_is_the_slots() -> None:
    bar = Bar(cocktails=TWO, scripts={"m/0": [cut()], "m/1": [cut()]})
    report = bar.ask(Ask(cocktail="X", commit=Commit.EACH))
    assert [slot.state for slot in report.slots] == [SlotState.FAILED] * 2
    assert [len(slot.attempts) for slot in report.slots] == [1, 1]
    assert report.slots[0].failure is not None
    assert report.slots[0].failure.kind is FailureKind.CUT_STREAM
    assert report.slots[0].attempts[0].partial is not None


def test_of_several_only_the_first_to_speak_is_committed() -> None:
    early = cut()
    late = Script(text="half", first_s=2.0, failure=early.failure)
    bar = Bar(cocktails=TWO, scripts={"m/0": [late], "m/1": [early]})
    report, events = bar.watch(Ask(cocktail="X", commit=Commit.FIRST))
    assert report.status is RunStatus.DEGRADED
    assert [slot.answered_by for slot in report.slots] == ["m/0b", None]
    spoke = next(event for event in events if event.type is EventType.TEXT_DELTA)
    assert spoke.slot == 1


def test_without_a_wish_nothing_is_committed() -> None:
    bar = Bar(cocktails=TWO, scripts={"m/0": [cut()]})
    report = bar.ask(Ask(cocktail="X"))
    assert report.slots[0].answered_by == "m/0b"


def test_a_slot_is_cancelled_alone() -> None:
    scripts = {"m/0": [Script(head_s=50)], "m/1": [Script(head_s=1)]}
    bar = Bar(cocktails=TWO, scripts=scripts)
    said: list[bool] = []

    def act(handle: object, event: Event) -> None:
        if event.type is EventType.SLOT_ANSWERED:
            said.extend([handle.cancel_slot(0), handle.cancel_slot(0), handle.cancel_slot(1)])

    report, _ = bar.watch(Ask(cocktail="X"), act)
    assert said == [True, False, False]
    assert report.status is RunStatus.DEGRADED
    assert [slot.state for slot in report.slots] == [SlotState.CANCELLED, SlotState.ANSWERED]
    assert report.elapsed_ms == 1000


def _asked_again(scripts: dict[str, list[Script]], at_s: float) -> tuple[Report, bool]:
    """The Run, in which Slot 0 is asked again after so many seconds; whether it was."""
    bar = Bar(cocktails=[cocktail("X", ["m/0"], ["m/1"])], scripts=scripts)

    async def asking() -> tuple[Report, bool]:
        handle = await bar.desk().start(Ask(cocktail="X", messages=PROMPT))
        await asyncio.sleep(at_s)
        was_asked = await handle.retry_slot(0)
        return await handle.report(), was_asked

    return run_in_virtual_time(asking())


def test_a_slot_that_was_given_up_is_asked_again_while_others_are_at_it() -> None:
    scripts = {"m/0": [broken(FailureKind.FORBIDDEN), Script()], "m/1": [Script(head_s=9)]}
    report, was_asked = _asked_again(scripts, 1)
    assert was_asked
    assert report.status is RunStatus.COMPLETE
    assert [attempt.n for attempt in report.slots[0].attempts] == [1, 2]
    assert report.slots[0].failure is None
    assert report.cost_nanos == 2000


def test_a_slot_that_runs_or_has_its_answer_is_not_asked_again() -> None:
    for scripts in (
        {"m/0": [Script(head_s=5)], "m/1": [Script(head_s=9)]},
        {"m/0": [Script()], "m/1": [Script(head_s=9)]},
    ):
        report, was_asked = _asked_again(scripts, 1)
        assert not was_asked
        assert report.status is RunStatus.COMPLETE


def test_a_run_that_is_over_asks_nobody_again() -> None:
    scripts = {"m/0": [broken(FailureKind.FORBIDDEN)], "m/1": [Script()]}
    report, was_asked = _asked_again(scripts, 1)
    assert not was_asked
    assert report.status is RunStatus.DEGRADED


def test_a_slot_that_was_cancelled_a_moment_ago_is_asked_again() -> None:
    scripts = {"m/0": [Script(head_s=5), Script()], "m/1": [Script(head_s=9)]}
    bar = Bar(cocktails=[cocktail("X", ["m/0"], ["m/1"])], scripts=scripts)

    async def asking() -> tuple[Report, bool]:
        handle = await bar.desk().start(Ask(cocktail="X", messages=PROMPT))
        await asyncio.sleep(1)
        assert handle.cancel_slot(0)
        was_asked = await handle.retry_slot(0)
        return await handle.report(), was_asked

    report, was_asked = run_in_virtual_time(asking())
    assert was_asked
    assert report.status is RunStatus.COMPLETE
    assert [attempt.outcome for attempt in report.slots[0].attempts] == ["cancelled", "answer"]


def test_parameters_beyond_our_own_go_out_where_a_model_takes_them() -> None:
    able = replace(model("m/0"), supported_parameters=frozenset({"max_tokens", "top_p"}))
    bar = Bar(cocktails=[cocktail("X", ["m/0"], ["m/1"])], models=[able, model("m/1")])
    sampling = Sampling(extra={"top_p": 0.5})
    remark = Notice(NoticeCode.PARAMETER_DROPPED, "said by the surface")
    report = bar.ask(Ask(cocktail="X", sampling=sampling, notices=(remark,)))
    sent = {request.model: request.sampling.to_dict() for request in bar.upstream.requests}
    assert sent["m/0"] == {"max_tokens": 1000, "top_p": 0.5}
    assert sent["m/1"] == {"max_tokens": 1000}
    assert report.query["top_p"] == 0.5
    assert [(notice.slot, notice.message) for notice in report.notices] == [
        (None, "said by the surface"),
        (1, "m/1 does not support top_p"),
    ]


def test_a_reader_that_keeps_time_is_woken_without_an_event() -> None:
    slow = Bar(cocktails=[cocktail("X", ["m/0"])], scripts={"m/0": [Script(head_s=5)]})

    async def reading() -> list[tuple[float, int]]:
        handle = await slow.desk().start(Ask(cocktail="X", messages=PROMPT))
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        loop.call_later(1, handle.reader.nudge)
        sizes = []
        while (batch := await handle.reader.batch()) is not None:
            sizes.append((loop.time() - began_s, len(batch)))
        return sizes

    sizes = run_in_virtual_time(reading())
    assert (1, 0) in sizes
    assert [size for at_s, size in sizes if size == 0] == [0]
    assert sizes[-1][0] == 5
