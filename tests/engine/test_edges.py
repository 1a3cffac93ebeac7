"""Where things meet: a stop before the start, a cap raised, a key refused beside a local backup."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.engine.bar import PROMPT, Bar, broken, cocktail, codes, cut, failure, model

from ultrai.domain.ask import Ask
from ultrai.domain.budget import Payer
from ultrai.domain.catalog import Endpoint, Rates
from ultrai.domain.event import EventType
from ultrai.domain.ledger import SlotHold
from ultrai.domain.outcome import Cost, CostState, Failure, FailureKind, Phase, Received, Usage
from ultrai.domain.plan import NotReady, NotReadyReason, PlannedCandidate
from ultrai.domain.report import RunStatus
from ultrai.engine.gate import Entry, Gate, Refusal
from ultrai.engine.run import STOP_GRACE_S
from ultrai.engine.settlement import cost_of
from ultrai.engine.treasury import Bill, Claim, Envelope
from ultrai.engine.tuning import Tuning
from ultrai.policy.health import ModelHealth
from ultrai.policy.lineup import next_turn
from ultrai.policy.succession import Successions
from ultrai.testing import MemoryLedger, Script, run_in_virtual_time

SLOW = {f"m/{n}": [Script(head_s=100)] for n in range(3)}
THREE = [cocktail("X", ["m/0"], ["m/1"], ["m/2"])]
ASK = Ask(messages=PROMPT, cocktail="X")


@pytest.mark.parametrize("how", ["cancel", "stop_waiting", "aclose"])
def test_a_run_ended_before_its_first_step_asks_nobody(how: str) -> None:
    bar = Bar(cocktails=THREE, scripts=SLOW)

    async def main() -> None:
        handle = await bar.desk().start(ASK)
        if how == "aclose":
            await handle.aclose()
        else:
            getattr(handle, how)()
        report = await handle.report()
        expected = RunStatus.FAILED if how == "stop_waiting" else RunStatus.INTERRUPTED
        assert report.status is expected
        assert [slot.state.value for slot in report.slots] == ["cancelled"] * 3
        assert [event.type async for event in handle.events()][-1] is EventType.REPORT

    run_in_virtual_time(main())
    assert bar.upstream.requests == []


def test_a_desk_that_closes_ends_watched_and_unwatched_runs_and_settles_them() -> None:
    bar = Bar(cocktails=THREE, scripts=SLOW)

    async def main() -> None:
        desk = bar.desk()
        handle = await desk.start(ASK)
        unwatched = asyncio.get_running_loop().create_task(desk.ask(ASK))
        await asyncio.sleep(1)
        await desk.aclose()
        assert bar.upstream.active == 0
        assert (await unwatched).status is RunStatus.INTERRUPTED
        assert (await handle.report()).status is RunStatus.INTERRUPTED

    run_in_virtual_time(main())


def test_a_desk_that_closes_at_once_leaves_no_reader_waiting() -> None:
    bar = Bar(cocktails=THREE, scripts=SLOW)

    async def main() -> None:
        desk = bar.desk()
        handle = await desk.start(ASK)
        await desk.aclose()
        events = [event async for event in handle.events()]
        assert events[-1].type is EventType.REPORT

    run_in_virtual_time(main())


def capped(*rest: Script) -> list[Script]:
    return [Script(failure=failure(FailureKind.MODEL_UNAVAILABLE, 404, price_capped=True)), *rest]


def dear(factor: int) -> list[Endpoint]:
    rate = Decimal("0.000001") * factor
    return [Endpoint("Dear", Rates(rate, rate), None, None, 0, None, None, None)]


X = [cocktail("X", ["a/a", "b/b"])]
CAPPED = replace(ASK, max_cost_nanos=10_000_000)


def test_a_dearest_price_that_the_budget_does_not_allow_goes_to_the_backup() -> None:
    bar = Bar(cocktails=X, scripts={"a/a": capped()})
    bar.upstream.endpoints = dear(1000)
    report = bar.ask(CAPPED)
    assert bar.upstream.asked() == ["a/a", "b/b"]
    assert report.exit_code == 0


def test_a_raised_cap_respects_max_attempts_and_the_users_own_ceiling() -> None:
    for tuning in (Tuning(max_attempts=1), Tuning(max_usd_per_million=Decimal(2))):
        bar = Bar(cocktails=X, scripts={"a/a": capped()}, tuning=tuning)
        bar.upstream.endpoints = dear(3)
        bar.ask(CAPPED)
        assert bar.upstream.asked() == ["a/a", "b/b"]


def test_a_404_of_our_own_cap_is_no_mark_against_the_model() -> None:
    bar = Bar(cocktails=X, scripts={"a/a": capped(Script())})
    first, second = bar.asks(CAPPED, ASK)
    assert first.slots[0].answered_by == "b/b"
    assert second.slots[0].answered_by == "a/a"


def test_a_silent_attempt_on_a_stopped_upstream_gives_way_to_a_backup_elsewhere() -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["a/a"], ["c/c", "local/l"])],
        scripts={"a/a": [broken(FailureKind.AUTH, 401)], "c/c": [Script(head_s=100)]},
        models=[model("a/a"), model("c/c")],
    )
    report = bar.ask(ASK)
    assert [slot.answered_by for slot in report.slots] == [None, "local/l"]
    assert report.exit_code == 6
    assert STOP_GRACE_S * 1000 <= (report.elapsed_ms or 0) < 10_000
    silent = report.slots[1].attempts[0]
    assert silent.outcome == "failure"
    assert silent.cost.state is CostState.ESTIMATED


def test_a_backup_that_starts_a_slot_does_not_take_another_slots_primary() -> None:
    gone = replace(model("a/a"), context_length=1)
    bar = Bar(
        cocktails=[cocktail("X", ["a/a", "b/b", "c/c"], ["b/b"])],
        models=[gone, model("b/b"), model("c/c")],
    )
    report = bar.ask(ASK)
    assert [slot.answered_by for slot in report.slots] == ["c/c", "b/b"]


def test_a_retired_model_whose_only_heir_cools_down_is_asked_all_the_same() -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["old/one"])],
        models=[model("new/one")],
        successions=Successions("2026-11-10", {"old/one": ("new/one",)}),
    )
    for ask in (ASK, Ask(messages=PROMPT, models=("old/one",))):
        bar.health._set("new/one", ModelHealth(failures_in_row=9, open_until_s=9e9))
        report = bar.ask(ask)
        assert report.slots[0].answered_by == "new/one"
        assert "circuit_open" in codes(report)


def test_many_slots_that_fail_together_share_one_budget_for_retries() -> None:
    bar = Bar(scripts={"a/a": [broken(FailureKind.UPSTREAM_ERROR)]}, tuning=Tuning(concurrency=200))
    bar.ask(Ask(messages=PROMPT, models=("a/a*100",)))
    assert len(bar.upstream.requests) <= 100 * 1.25 + 1


def test_a_prompt_too_long_for_one_model_goes_only_where_prompt_and_answer_fit() -> None:
    small = replace(model("b/b"), max_completion_tokens=300)
    bar = Bar(
        cocktails=[cocktail("X", ["a/a", "b/b", "c/c"])],
        models=[model("a/a"), small, model("c/c")],
        scripts={"a/a": [broken(FailureKind.CONTEXT_TOO_LONG, 400)]},
    )
    bar.ask(ASK)
    assert bar.upstream.asked() == ["a/a", "c/c"]


def test_credit_that_affords_more_than_was_asked_is_no_reason_to_raise_it() -> None:
    odd = broken(FailureKind.INSUFFICIENT_CREDIT, 402, affordable_tokens=5000)
    bar = Bar(cocktails=[cocktail("X", ["a/a"])], scripts={"a/a": [odd]})
    report = bar.ask(ASK)
    assert bar.upstream.asked() == ["a/a"]
    assert report.exit_code == 6


def test_text_cut_by_the_deadline_is_withdrawn() -> None:
    bar = Bar(cocktails=X, scripts={"a/a": [Script(text="one two three", first_s=1, gap_s=9)]})
    report, events = bar.watch(replace(ASK, deadline_s=3))
    assert EventType.ATTEMPT_WITHDRAWN in [event.type for event in events]
    assert report.slots[0].attempts[0].partial is not None


def test_a_bug_in_one_slot_is_raised_as_itself_and_every_slot_is_settled() -> None:
    bar = Bar(cocktails=THREE, scripts=SLOW)

    async def explode(*_: object) -> Received:
        message = "a bug"
        raise ZeroDivisionError(message)

    bar.upstream.send = explode  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError, match="a bug"):
        bar.ask(Ask(messages=PROMPT, models=("m/0",)))
    assert bar.history.events[-1].type is EventType.REPORT


def test_a_cap_holds_also_when_no_answer_says_what_it_cost() -> None:
    """Unfigured attempts burn their bound, so what may have been spent never passes the cap."""
    bar = Bar(
        cocktails=[cocktail("X", ["a/a", "b/b"], ["c/c", "d/d"])],
        scripts={"a/a": [Script(cost_raw=None)], "c/c": [cut()]},
    )
    bound = 1_295_000
    report = bar.ask(replace(ASK, max_cost_nanos=2 * bound + 1_000))
    assert len(bar.upstream.requests) == 2, "a third could pass the cap"
    assert report.slots[0].answered_by == "a/a"


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
USED = Usage(100, 50, 0, 0)


@pytest.mark.parametrize(
    ("received", "state", "nanos"),
    [
        (Received(sent=False, failure=failure(FailureKind.NETWORK, None)), "not_billed", 0),
        (Received(failure=failure(FailureKind.RATE_LIMITED, 429)), "not_billed", 0),
        (Received(failure=failure(FailureKind.UPSTREAM_ERROR, 502)), "not_billed", 0),
        (Received(failure=failure(FailureKind.UPSTREAM_ERROR, 200)), "not_billed", 0),
        (
            Received(failure=failure(FailureKind.UPSTREAM_ERROR, 200), usage=USED),
            "estimated",
            150_000,
        ),
        (Received(failure=failure(FailureKind.MODERATED, 403)), "not_billed", 0),
        (Received(failure=failure(FailureKind.MODERATED, 200)), "estimated", 777),
        (Received(failure=failure(FailureKind.BAD_RESPONSE, 200)), "estimated", 777),
        (Received(failure=failure(FailureKind.NETWORK, None)), "estimated", 777),
        (Received(failure=failure(FailureKind.TIMEOUT, None)), "estimated", 777),
        (
            Received(failure=Failure(FailureKind.CUT_STREAM, "cut", Phase.MID_STREAM)),
            "estimated",
            777,
        ),
        (
            Received(failure=failure(FailureKind.UPSTREAM_ERROR, 200), cost_raw="0.5"),
            "reported",
            500_000_000,
        ),
        (Received(failure=failure(FailureKind.TIMEOUT, None), cost_raw="NaN"), "estimated", 777),
    ],
)
def test_what_an_attempt_cost_by_how_it_ended(received: Received, state: str, nanos: int) -> None:
    cost = cost_of(received, model("a/a"), moment=NOON, is_free=False, bound_nanos=lambda: 777)
    assert (cost.state.value, cost.nanos) == (state, nanos)


def test_an_envelope_never_holds_more_than_its_limit() -> None:
    def bill(nanos: int) -> Bill:
        return Bill("failure", Cost(nanos, CostState.REPORTED), nanos, Usage())

    async def spend() -> list[bool]:
        ledger = MemoryLedger()
        payer = Payer("run_1", "2026-11-26T12:00:00.000Z")
        envelope = Envelope(100, ledger, payer=payer, now=lambda: "2026-11-26T12:00:00.000Z")
        await envelope.open([SlotHold(0, 40, 40), SlotHold(1, 40, 40)])
        claim = Claim(0, 1, "a/a", "openrouter", 40)
        allowed = [await envelope.reserve(claim) is None]
        envelope.settle(0, 1, bill=bill(40))
        allowed.append(await envelope.reserve(replace(claim, number=2)) is None)
        allowed.append(await envelope.reserve(replace(claim, number=3, bound_nanos=20)) is None)
        envelope.settle(0, 3, bill=bill(5))
        for slot in (0, 1):
            envelope.close_slot(slot)
        envelope.close()
        assert (ledger.held_nanos, ledger.posted_nanos) == (0, 45)
        return allowed

    assert run_in_virtual_time(spend()) == [True, False, True]


def entry(name: str, owner: str = "run") -> Entry:
    return Entry(model=name, upstream="openrouter", owner=owner)


def test_a_waiter_whose_lane_closes_beyond_its_patience_is_told_so() -> None:
    async def main() -> list[object]:
        gate = Gate(concurrency=1)
        await gate.enter(entry("a/a"), patience_s=20)
        waits = asyncio.get_running_loop().create_task(gate.enter(entry("a/a"), patience_s=20))
        await asyncio.sleep(1)
        gate.pause("a/a", asyncio.get_running_loop().time() + 90)
        gate.leave()
        return [await waits, gate.active, gate.waiting]

    assert run_in_virtual_time(main()) == [Refusal.TOO_LATE, 0, 0]


def test_owners_take_turns_at_the_gate() -> None:
    order: list[str] = []

    async def main() -> None:
        gate = Gate(concurrency=1)
        await gate.enter(entry("m", "first"), patience_s=99)

        async def one(owner: str) -> None:
            await gate.enter(entry("m", owner), patience_s=99)
            order.append(owner)
            gate.leave()

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(one("many"))
            await asyncio.sleep(0)
            group.create_task(one("single"))
            await asyncio.sleep(0)
            gate.leave()

    run_in_virtual_time(main())
    assert order.index("single") <= 1


def test_a_cancelled_waiter_takes_no_permit() -> None:
    async def main() -> int:
        gate = Gate(concurrency=1)
        await gate.enter(entry("m"), patience_s=99)
        waits = asyncio.get_running_loop().create_task(gate.enter(entry("m"), patience_s=99))
        await asyncio.sleep(0)
        gate.leave()
        waits.cancel()
        await asyncio.wait([waits])
        return gate.active

    assert run_in_virtual_time(main()) == 0


def test_a_full_queue_refuses() -> None:
    async def main() -> object:
        gate = Gate(concurrency=1, queue_limit=1)
        await gate.enter(entry("m"), patience_s=99)
        waits = asyncio.get_running_loop().create_task(gate.enter(entry("m"), patience_s=99))
        await asyncio.sleep(0)
        refusal = await gate.enter(entry("m"), patience_s=99)
        waits.cancel()
        await asyncio.wait([waits])
        return refusal

    assert run_in_virtual_time(main()) is Refusal.QUEUE_FULL


def candidate(name: str, role: str, until_s: float | None = None) -> PlannedCandidate:
    cooling = NotReady(NotReadyReason.COOLING_DOWN, "hot", until_s) if until_s else None
    return PlannedCandidate(name, "openrouter", role, 10, cooling)


def test_of_several_open_circuits_the_first_to_reopen_is_asked() -> None:
    line = [candidate("a", "primary", 30.0), candidate("b", "backup", 10.0)]
    turn = next_turn(line, asked=(), taken=())
    assert turn is not None
    assert (turn.candidate.model, turn.cooling) == ("b", True)
