"""What must hold after every world. Each check adds one line for each violation.

The truth about money is the simulator's bill, which shares no code with what is checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ultrai.domain.event import EventType
from ultrai.domain.fold import ReportFold
from ultrai.domain.money import parse_usd, reported_nanos
from ultrai.domain.outcome import CostState, FailureKind
from ultrai.domain.report import AttemptReport, Report, RunStatus, SlotReport, SlotState

if TYPE_CHECKING:
    from tests.simulation.stage import Asked, Play

GRACE_MS = 1500  # the way of the last bytes and the settling of what was cancelled
JITTER_S = 1.0  # how differently two requests may travel
FREE_PER_MINUTE = 20
# The upstream itself says something untrue about money, or nothing.
UNTRUE = ("usage", "cost")


def violations(play: Play) -> list[str]:
    """All that is wrong with this world; empty: nothing."""
    found = [*play.wrong, *play.leaks]
    for asked in play.asked:
        label = asked.question.prompt.split(":")[0]
        for check in _OF_ONE_RUN:
            found += [f"{label}: {problem}" for problem in check(asked, play)]
    for check_all in _OF_ALL:
        found += check_all(play)
    return found


# --- one run ------------------------------------------------------------------------------------


def _events_are_gapless(asked: Asked, _: Play) -> Iterator[str]:
    expected = 0
    for event in asked.events:
        if event.seq != expected:
            yield f"event {expected} is missing before {event.seq} ({event.type.value})"
        last = event.facts.get("last_seq", event.seq)
        assert isinstance(last, int)
        expected = last + 1
    if asked.report is not None and asked.events[-1].type is not EventType.REPORT:
        yield "the last event is no report"


def _events_tell_the_report(asked: Asked, _: Play) -> Iterator[str]:
    if asked.report is None:
        return
    fold = ReportFold()
    for event in asked.events:
        fold.apply(event)
    if fold.report().to_dict() != asked.report.to_dict():
        yield "the events do not amount to the report"
    stored = asked.stored
    if stored is not None and stored.to_dict() != asked.report.to_dict():
        yield "the stored report is not the one that was given"


def _nothing_shown_is_lost(asked: Asked, play: Play) -> Iterator[str]:
    """An Answer that a reader has seen is in the history, whatever happened afterwards."""
    if play.died_at is None or asked.ended != "dead":
        return
    seen = {e.slot: e.answer for e in asked.events if e.type is EventType.SLOT_ANSWERED}
    if not seen:
        return
    if asked.stored is None:
        yield "an answer was shown and the run is not stored"
        return
    kept = {slot.index: slot.answer for slot in asked.stored.slots}
    for slot, answer in seen.items():
        if kept.get(slot or 0) != answer:
            yield f"the answer of slot {slot} was shown and is not stored"


def _dead_runs_read_interrupted(asked: Asked, play: Play) -> Iterator[str]:
    stored = asked.stored
    if play.died_at is None or stored is None or asked.report is not None:
        return
    if stored.status is RunStatus.RUNNING:
        yield f"a dead process's run reads {stored.status.value}"
    for slot in (*stored.slots, *(stored.summary.parts if stored.summary else ())):
        if slot.state in (SlotState.PENDING, SlotState.RUNNING):
            yield f"slot {slot.index} of a dead run reads {slot.state.value}"


def _every_slot_has_one_end(asked: Asked, _: Play) -> Iterator[str]:
    if asked.report is None:
        return
    ends: dict[int | None, int] = {}
    for event in asked.events:
        if event.type in (EventType.SLOT_ANSWERED, EventType.SLOT_FAILED):
            ends[event.slot] = ends.get(event.slot, 0) + 1
    for slot in asked.report.slots:
        if ends.get(slot.index) != 1:
            yield f"slot {slot.index} ended {ends.get(slot.index, 0)} times"
        has_answer = slot.answer is not None
        if (slot.state is SlotState.ANSWERED) != has_answer:
            yield f"slot {slot.index} is {slot.state.value}, and it has an answer: {has_answer}"
        if (slot.answer is None) != (slot.answered_by is None):
            yield f"slot {slot.index}: answer and answered_by disagree"


def _every_attempt_has_one_end(asked: Asked, _: Play) -> Iterator[str]:
    if asked.report is None:
        return
    started = [(e.slot, e.attempt) for e in asked.events if e.type is EventType.ATTEMPT_STARTED]
    if len(started) != len(set(started)):
        yield "an attempt started twice"
    for slot in asked.report.slots:
        answers = [a for a in slot.attempts if a.outcome == "answer"]
        if len(answers) != (slot.state is SlotState.ANSWERED):
            yield f"slot {slot.index} has {len(answers)} answering attempts"
        for attempt in slot.attempts:
            if attempt.outcome is None:
                yield f"attempt {slot.index}.{attempt.n} has no outcome"
            if attempt.outcome == "failure" and attempt.failure is None:
                yield f"attempt {slot.index}.{attempt.n} failed of nothing"
            failure = attempt.failure
            if failure is not None and (failure.remedy is None or not failure.advice):
                yield f"attempt {slot.index}.{attempt.n}: no remedy or no advice for {failure.kind}"


def _not_tried_too_often(asked: Asked, play: Play) -> Iterator[str]:
    if asked.report is None:
        return
    for slot in asked.report.slots:
        for model, count in Counter(attempt.model for attempt in slot.attempts).items():
            if count > play.terms.max_attempts:
                yield f"slot {slot.index} tried {model} {count} times"


def _in_time(asked: Asked, _: Play) -> Iterator[str]:
    report = asked.report
    if report is None or report.elapsed_ms is None:
        return
    if report.elapsed_ms > asked.question.deadline_s * 1000 + GRACE_MS:
        yield f"took {report.elapsed_ms} ms of {asked.question.deadline_s} s"


def _status_says_what_the_slots_say(asked: Asked, _: Play) -> Iterator[str]:
    report = asked.report
    if report is None:
        return
    answered = sum(slot.state is SlotState.ANSWERED for slot in report.slots)
    wanted = asked.question.quorum or len(report.slots)
    if report.status is RunStatus.COMPLETE and answered < wanted:
        yield f"complete with {answered} of {wanted} answers"
    if report.status is RunStatus.DEGRADED and not 0 < answered < wanted:
        yield f"degraded with {answered} of {wanted} answers"
    if report.status is RunStatus.FAILED and answered:
        yield f"failed with {answered} answers"
    if report.status is RunStatus.RUNNING:
        yield "still running at its end"


def _diverse(asked: Asked, _: Play) -> Iterator[str]:
    report = asked.report
    if report is None or asked.question.named:
        return
    answered = [slot.answered_by for slot in report.slots if slot.answered_by]
    told = any(notice.code.value == "diversity_lost" for notice in report.notices)
    if len(answered) != len(set(answered)) and not told:
        yield f"one model answered twice without a word: {answered}"


def _waits_are_kept(asked: Asked, _: Play) -> Iterator[str]:
    """Between a failure that named a wait and the next attempt of that slot on that model."""
    until: dict[tuple[int | None, str], tuple[int, float]] = {}
    models: dict[tuple[int | None, int | None], str] = {}
    for event in asked.events:
        key = (event.slot, event.attempt)
        if event.type is EventType.ATTEMPT_STARTED:
            model = models[key] = str(event.facts["model"])
            if (event.slot, model) in until:
                failed_ms, wait_s = until.pop((event.slot, model))
                if event.t_ms - failed_ms < wait_s * 1000 - 2:
                    yield f"{model} was asked {event.t_ms - failed_ms} ms after 'wait {wait_s} s'"
        failure = event.failure
        if event.type is EventType.ATTEMPT_FAILED and failure and failure.retry_after_s:
            until[event.slot, models[key]] = event.t_ms, failure.retry_after_s


# --- money --------------------------------------------------------------------------------------


def _costs_are_the_bill(asked: Asked, play: Play) -> Iterator[str]:
    report = asked.report or asked.stored
    if report is None:
        return
    bill = {line.generation_id: line for line in play.world.bill}
    lies = untrue(play)
    for slot, attempt in _attempts(report):
        line = bill.get(attempt.generation_id or "")
        if line is None or attempt.generation_id in lies:
            continue
        billed = reported_nanos(line.cost_wire)
        where = f"attempt {slot.index}.{attempt.n} on {attempt.model}"
        if attempt.cost.state is CostState.REPORTED and attempt.cost.nanos != billed:
            yield f"{where} reports {attempt.cost.nanos}, billed was {billed}"
        if attempt.cost.state is CostState.NOT_BILLED and billed:
            yield f"{where} is called not billed, and {billed} was"
        at_most = attempt.cost.nanos
        is_estimate = attempt.cost.state is CostState.ESTIMATED and at_most is not None
        if is_estimate and (billed or 0) > (at_most or 0):
            yield f"{where} is estimated at {at_most}, billed was {billed}"


def _caps_hold(asked: Asked, play: Play) -> Iterator[str]:
    cap = asked.question.max_cost_usd
    report = asked.report or asked.stored
    if cap is None or report is None:
        return
    ids = {attempt.generation_id for _, attempt in _attempts(report)} - untrue(play)
    spent = sum(
        reported_nanos(line.cost_wire) or 0 for line in play.world.bill if line.generation_id in ids
    )
    if spent > parse_usd(cap):
        yield f"spent {spent} nanodollars under a cap of ${cap}"
    reckoned = sum(a.cost.nanos or 0 for _, a in _attempts(report))
    if reckoned > parse_usd(cap) and not untrue(play):
        yield f"accounts for {reckoned} nanodollars under a cap of ${cap}"


def _unknown_is_never_nothing(asked: Asked, _: Play) -> Iterator[str]:
    report = asked.report
    if report is None:
        return
    for slot, attempt in _attempts(report):
        known = attempt.cost.state.is_known
        if not known and attempt.cost.nanos == 0 and not attempt.model.endswith(":free"):
            yield f"attempt {slot.index}.{attempt.n} is unknown and counted as 0"
    knows = all(a.cost.state.is_known for _, a in _attempts(report))
    if report.to_dict()["cost_known"] is not knows:
        yield "cost_known is not what the attempts say"


# --- all runs together --------------------------------------------------------------------------


def _never_too_many(play: Play) -> Iterator[str]:
    changes = []
    for seen in play.world.chats():
        if seen.outcome != "client_left" and seen.finished_at is not None:
            delay_s = play.terms.network.delay_s
            changes.append((seen.started_at + delay_s, 1))
            changes.append((seen.finished_at - delay_s, -1))
    now = 0
    for _, step in sorted(changes):
        now += step
        if now > play.terms.concurrency:
            yield f"{now} requests at once, {play.terms.concurrency} are allowed"
            return


def _free_window_holds(play: Play) -> Iterator[str]:
    if play.died_at is not None:
        return  # a new process does not know what the dead one has started
    starts = _free_starts(play)
    for first, last in zip(starts, starts[FREE_PER_MINUTE:], strict=False):
        if last - first < 60 - JITTER_S:
            yield f"{FREE_PER_MINUTE + 1} free requests within {last - first:.2f} s"


def _only_the_key_opens(play: Play) -> Iterator[str]:
    for seen in play.world.requests:
        if "sk-or-" in str(seen.body) or "sk-or-" in seen.query:
            yield "the key is in a body or an address"


def _resumed_runs_complete(play: Play) -> Iterator[str]:
    for earlier, report in play.resumed:
        if report.status is not RunStatus.COMPLETE and not _was_limited(report):
            kinds = [slot.failure.kind.value for slot in report.slots if slot.failure]
            yield f"{earlier.id} was resumed and is {report.status.value}: {kinds}"


def _was_limited(report: Report) -> bool:
    """Whether nobody could have answered in some slot.

    Models are retired, windows too small, and resumed runs share one minute of free requests.
    """
    nobody = (FailureKind.MODEL_UNAVAILABLE, FailureKind.CONTEXT_TOO_LONG)
    failed = [(slot.primary, slot.failure.kind) for slot in report.slots if slot.failure]
    return any(
        kind in nobody or (kind is FailureKind.RATE_LIMITED and primary.endswith(":free"))
        for primary, kind in failed
    )


def _the_healed_world_answers(play: Play) -> Iterator[str]:
    healed = play.healed
    if healed is None:
        yield "no run was made after the faults were healed"
    elif healed.status is not RunStatus.COMPLETE:
        kinds = [slot.failure.kind.value for slot in healed.slots if slot.failure]
        yield f"after healing a run is {healed.status.value}: {kinds}"


def _the_ledger_holds(play: Play) -> Iterator[str]:
    for books in play.books:
        yield from books.problems
        yield from books.unbalanced
        if books.held_nanos or books.open_runs:
            yield f"{books.open_runs} runs still hold {books.held_nanos} nanodollars"


def _every_request_was_announced(play: Play) -> Iterator[str]:
    """Whatever has reached the upstream stands in the ledger, also if its process died."""
    seen = Counter(str(each.model) for each in play.world.chats() if each.model is not None)
    for model, count in seen.items():
        known = play.books[-1].attempts[model]
        if known < count:
            yield f"{count} requests for {model} were sent, {known} are in the ledger"


def _the_ledger_is_the_bill(play: Play) -> Iterator[str]:
    lies = untrue(play)
    posted = play.books[-1].posted
    for line in play.world.bill:
        if line.generation_id not in posted or line.generation_id in lies:
            continue
        nanos, known = posted[line.generation_id]
        billed = reported_nanos(line.cost_wire) or 0
        if (known and nanos != billed) or nanos < billed:
            yield f"{line.generation_id} stands at {nanos} in the ledger, billed was {billed}"


def _nothing_stays_open(play: Play) -> Iterator[str]:
    """Once all was reconciled, each cost is known or given up, and the bill lies within."""
    books = play.books[-1]
    if books.unasked:
        yield f"{books.unasked} attempts are still to be asked about"
    total = sum(reported_nanos(line.cost_wire) or 0 for line in play.world.bill)
    if total > books.posted_nanos and not untrue(play) and not books.unpriced:
        yield f"billed was {total} in all, and {books.posted_nanos} are posted"


def _the_budget_holds(play: Play) -> Iterator[str]:
    limit = play.terms.budget_nanos
    if limit is None:
        return
    if play.books[0].posted_nanos > limit and not untrue(play):
        yield f"{play.books[0].posted_nanos} nanodollars are posted under a budget of {limit}"
    ids = set(play.books[0].posted) - untrue(play)
    spent = sum(
        reported_nanos(line.cost_wire) or 0 for line in play.world.bill if line.generation_id in ids
    )
    if spent > limit:
        yield f"{spent} nanodollars were billed under a budget of {limit}"


# Limits that a world must have come near, or it says nothing about them.
PRESSED = (
    "a budget is half used",
    "a cap is half used",
    "a free minute is full",
    "a kept answer is given",
)


def pressed(play: Play) -> Iterator[str]:
    """Which limits this world came near."""
    limit = play.terms.budget_nanos
    if limit is not None and play.books[0].posted_nanos * 2 > limit:
        yield PRESSED[0]
    for asked in play.asked:
        report, cap = asked.report, asked.question.max_cost_usd
        if report is not None and cap is not None:
            spent = sum(attempt.cost.nanos or 0 for _, attempt in _attempts(report))
            if spent * 2 > parse_usd(cap):
                yield PRESSED[1]
        if report is not None and any(s.answer and s.answer.cached for s in report.slots):
            yield PRESSED[3]
    starts = _free_starts(play)
    for first, last in zip(starts, starts[FREE_PER_MINUTE - 1 :], strict=False):
        if last - first < 60:
            yield PRESSED[2]
            return


def _free_starts(play: Play) -> list[float]:
    return [s.started_at for s in play.world.chats() if (s.model or "").endswith(":free")]


def untrue(play: Play) -> set[str | None]:
    """The answers about whose cost the upstream itself says something untrue, or nothing."""
    return {
        seen.generation_id
        for seen in play.world.chats()
        if any(word in kind for kind in seen.faults for word in UNTRUE)
    }


def _attempts(report: Report) -> Iterator[tuple[SlotReport, AttemptReport]]:
    parts = () if report.summary is None else report.summary.parts
    for slot in (*report.slots, *parts):
        for attempt in slot.attempts:
            yield slot, attempt


_OF_ONE_RUN: Sequence[Callable[[Asked, Play], Iterator[str]]] = (
    _events_are_gapless,
    _events_tell_the_report,
    _nothing_shown_is_lost,
    _dead_runs_read_interrupted,
    _every_slot_has_one_end,
    _every_attempt_has_one_end,
    _not_tried_too_often,
    _in_time,
    _status_says_what_the_slots_say,
    _diverse,
    _waits_are_kept,
    _costs_are_the_bill,
    _caps_hold,
    _unknown_is_never_nothing,
)
_OF_ALL: Sequence[Callable[[Play], Iterator[str]]] = (
    _never_too_many,
    _free_window_holds,
    _only_the_key_opens,
    _resumed_runs_complete,
    _the_healed_world_answers,
    _the_ledger_holds,
    _every_request_was_announced,
    _the_ledger_is_the_bill,
    _nothing_stays_open,
    _the_budget_holds,
)
