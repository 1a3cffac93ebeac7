"""The slot room: Candidates in order until one Answer, by the table of remedies.

Theory of operation. `SlotRoom.run` asks `policy.lineup` whose turn it is, makes Attempts on that
Candidate until `policy.fallback` says to move on, and publishes what came of it. The Run may close
a Slot at any moment (deadline, quorum, Ctrl-C) by naming an `Ending` and cancelling its task; the
Slot then says how it ended. Every path ends in exactly one `slot_answered` or `slot_failed`.

It does not know the other Slots; what is shared with them comes through the `Panel`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from ultrai.domain.attempt import PriceCap
from ultrai.domain.outcome import Failure, FailureKind, Remedy
from ultrai.domain.plan import PlannedCandidate, PlannedSlot
from ultrai.engine.attempt import AttemptRoom, Bench, Made, Try
from ultrai.engine.planning import PROBE_TOKENS
from ultrai.engine.telling import SlotTale
from ultrai.policy.fallback import Decision, Situation, advice_for, decide
from ultrai.policy.lineup import Turn, next_turn

_RAISE_FACTOR = 4


class Ending(Enum):
    """Why the Run closed a Slot that was still open."""

    DEADLINE = "deadline"
    QUORUM = "quorum"
    STOPPED_WAITING = "stopped_waiting"
    UPSTREAM_STOPPED = "upstream_stopped"
    INTERRUPTED = "interrupted"


class Panel(Protocol):
    """What a Slot shares with the others of its Run."""

    claims: Counter[str]

    async def dearer_cap(self, model_id: str) -> PriceCap | None:
        """The price of the model's dearest provider, as a cap; None: not to be had."""
        ...

    def stop_upstream(self, name: str, failure: Failure) -> None:
        """Start nothing more on this upstream."""
        ...

    def slot_done(self, slot: SlotRoom) -> None:
        """The Slot has its result."""
        ...


@dataclass(slots=True)
class _Progress:
    """How far the Slot is with one Candidate."""

    candidate: PlannedCandidate
    max_tokens: int
    attempts: int = 0
    changed: bool = False
    cap: PriceCap | None = None


class SlotRoom:
    """One Slot of one Run."""

    def __init__(self, planned: PlannedSlot, bench: Bench, *, panel: Panel, strict: bool) -> None:
        self.index = planned.index
        self.answered = False
        self.task: asyncio.Task[None] | None = None
        self._planned = planned
        self._bench = bench
        self._panel = panel
        self._strict = strict
        self._room = AttemptRoom(bench)
        self._tale = SlotTale(bench.feed, planned)
        self._asked: set[str] = set()
        self._number = 0
        self._current: PlannedCandidate | None = None
        self._last_failure: Failure | None = None
        self._ending: Ending | None = None
        self._rest: asyncio.Future[None] | None = None
        self._told = False

    @property
    def is_open(self) -> bool:
        """Whether its result is still to come."""
        return self.task is not None and not self.task.done() and not self.answered

    def close(self, ending: Ending, failure: Failure | None = None) -> None:
        """End the Slot where it stands; the first ending counts. No failure: it is cancelled."""
        if self._ending is None and self.task is not None and not self.task.done():
            self._ending = ending
            self._room.closing = failure
            self.task.cancel()

    def upstream_stopped(self, name: str) -> None:
        """Wake from a wait for a retry that will never be made."""
        waits = self._rest is not None and not self._rest.done()
        if waits and self._current is not None and self._current.upstream == name:
            assert self._rest is not None
            self._rest.set_result(None)

    def is_silent_on(self, name: str) -> bool:
        """Whether an Attempt on that upstream waits for its Permit, or has shown no text yet."""
        witness = self._room.witness
        on_it = self._current is not None and self._current.upstream == name
        return on_it and (witness is None or witness.first_token_s is None)

    def claim_first(self) -> None:
        """Take the first Candidate before any Slot runs, so that no other takes it as a Backup."""
        turn = self._next_turn()
        if turn is not None:
            self._current = turn.candidate
            self._panel.claims[turn.candidate.model] += 1

    async def run(self) -> None:
        """Work until there is a result; publish it."""
        self._tale.started()
        try:
            await self._ask_candidates()
        except asyncio.CancelledError:
            self._release()
            self.settle()
            if self._ending is None:
                raise
        finally:
            self._bench.envelope.close_slot(self.index)
        self._panel.slot_done(self)

    def settle(self) -> None:
        """Say how a Slot that was closed has ended, also one whose task never began."""
        if self.answered or self._told:
            return
        self._told = True
        failure = self._room.closing
        if failure is not None:
            self._tale.failed(failure)
        else:
            self._tale.cancelled()

    async def _ask_candidates(self) -> None:
        while (turn := self._next_turn()) is not None:
            candidate = turn.candidate
            if self._current is not candidate:
                self._current = candidate
                self._panel.claims[candidate.model] += 1
            self._tale.turn(turn)
            if await self._ask(_Progress(candidate, candidate.max_tokens)):
                return
            self._release()
            self._asked.add(candidate.model)
            if self._gave_up():
                break
        self._told = True
        self._tale.failed(self._last_failure or self._tale.nobody())

    def _next_turn(self) -> Turn | None:
        if self._current is not None:
            return Turn(self._current)
        usable = [c for c in self._planned.candidates if self._bench.is_stopped(c.upstream) is None]
        taken = +self._panel.claims
        return next_turn(usable, asked=self._asked, taken=taken)

    def _release(self) -> None:
        if self._current is not None and not self.answered:
            self._panel.claims[self._current.model] -= 1
            self._current = None

    def _gave_up(self) -> bool:
        failure = self._last_failure
        if failure is None:
            return False
        return failure.remedy is Remedy.GIVE_UP_SLOT or (
            self._strict and failure.remedy is Remedy.NEXT_CANDIDATE
        )

    async def _ask(self, progress: _Progress) -> bool:
        """Attempts on one Candidate; True: the Slot has its Answer."""
        while True:
            stopped = self._bench.is_stopped(progress.candidate.upstream)
            if stopped is not None:
                self._last_failure = self._last_failure or stopped
                return False
            self._number += 1
            progress.attempts += 1
            made = await self._room.make(self._try(progress))
            if made.answer is not None and not self._is_refused_by_strict(made):
                self.answered = True
                await self._tale.answered(self._number, progress.candidate, made=made)
                return True
            decision = await self._after_failure(progress, made)
            if decision.remedy is not Remedy.RETRY:
                return False
            await self._wait(decision.wait_s)

    async def _after_failure(self, progress: _Progress, made: Made) -> Decision:
        failure = made.failure or _cut_by_strict()
        if await self._raise_cap(progress, failure):
            decision = Decision(Remedy.RETRY)
        else:
            decision = self._decide(progress, failure, made=made)
        failure = replace(failure, remedy=decision.remedy, advice=advice_for(failure.kind))
        self._last_failure = failure
        model = progress.candidate.model
        told = replace(made, failure=failure)
        self._tale.attempt_failed(self._number, model, made=told, wait_s=decision.wait_s)
        self._note(progress.candidate, failure, decision=decision)
        if decision.max_tokens is not None:
            self._tale.tokens_changed(model, progress.max_tokens, after=decision.max_tokens)
            progress.changed = True
            progress.max_tokens = decision.max_tokens
        return decision

    def _try(self, progress: _Progress) -> Try:
        others = self._others_left(progress.candidate)
        time_left_s = self._time_left_s()
        patience_s = time_left_s
        if others:
            patience_s = min(time_left_s, self._bench.rooms.tuning.max_wait_s)
        bound = None
        if progress.cap is not None:
            bound = self._room.bound_under(progress.cap, progress.max_tokens)
        return Try(
            slot=self.index,
            number=self._number,
            candidate=progress.candidate,
            max_tokens=progress.max_tokens,
            fallback=progress.candidate.role == "backup",
            is_retry=progress.attempts > 1,
            patience_s=patience_s,
            price_cap=progress.cap,
            bound_nanos=bound,
        )

    def _decide(self, progress: _Progress, failure: Failure, *, made: Made) -> Decision:
        rooms = self._bench.rooms
        situation = Situation(
            attempts=progress.attempts,
            max_attempts=rooms.tuning.max_attempts,
            others_left=self._others_left(progress.candidate),
            time_left_s=self._time_left_s(),
            max_wait_s=rooms.tuning.max_wait_s,
            chance=rooms.chance(),
            may_retry=rooms.retries.allows_retry()
            and self._bench.is_stopped(progress.candidate.upstream) is None,
            changed=progress.changed or self._strict,
            attempt_s=made.elapsed_ms / 1000,
            max_tokens_floor=rooms.tuning.max_tokens_floor,
            raised_tokens=self._raised_tokens(progress),
        )
        return decide(failure, situation, backoff=rooms.tuning.backoff)

    def _raised_tokens(self, progress: _Progress) -> int | None:
        wanted = progress.max_tokens * _RAISE_FACTOR
        limit = progress.candidate.max_tokens_limit
        raised = wanted if limit is None else min(wanted, limit)
        if raised <= progress.max_tokens or progress.max_tokens <= PROBE_TOKENS:
            return None
        room = self._bench.envelope.room_nanos()
        if room is None:
            return raised
        bound = self._room.bound_of(progress.candidate.model, raised)
        return raised if bound is not None and bound <= room else None

    def _others_left(self, candidate: PlannedCandidate) -> bool:
        usable = [c for c in self._planned.candidates if self._bench.is_stopped(c.upstream) is None]
        asked = self._asked | {candidate.model}
        return not self._strict and next_turn(usable, asked=asked, taken=()) is not None

    def _time_left_s(self) -> float:
        return self._bench.deadline_s - asyncio.get_running_loop().time()

    async def _raise_cap(self, progress: _Progress, failure: Failure) -> bool:
        if not failure.price_capped or progress.cap is not None or self._strict:
            return False
        cap = await self._panel.dearer_cap(progress.candidate.model)
        if cap is None:
            return False
        progress.cap = cap
        self._tale.cap_raised(progress.candidate.model)
        return True

    async def _wait(self, wait_s: float) -> None:
        if wait_s <= 0:
            return
        loop = asyncio.get_running_loop()
        self._rest = loop.create_future()
        handle = loop.call_later(wait_s, _finish, self._rest)
        try:
            await self._rest
        finally:
            handle.cancel()
            self._rest = None

    def _note(self, candidate: PlannedCandidate, failure: Failure, *, decision: Decision) -> None:
        """Tell the rest of the process what a failure means beyond this Attempt."""
        rooms = self._bench.rooms
        gate = rooms.gate
        loop = asyncio.get_running_loop()
        if decision.remedy is not Remedy.RETRY:
            # The tries of one Slot are one observation: three quick ones are no three witnesses.
            rooms.health.failed(candidate.model, failure.kind, now_s=rooms.clock.now().timestamp())
        if failure.kind is FailureKind.RATE_LIMITED and failure.status is not None:
            pause_s = failure.retry_after_s or decision.wait_s
            gate.pause(candidate.model, loop.time() + pause_s)
        elif failure.kind is FailureKind.QUOTA_EXHAUSTED and failure.resets_at_ms is not None:
            rooms.health.rest(candidate.model, failure.resets_at_ms / 1000)
        elif decision.remedy is Remedy.STOP_UPSTREAM:
            self._panel.stop_upstream(candidate.upstream, failure)

    def _is_refused_by_strict(self, made: Made) -> bool:
        return self._strict and made.answer is not None and made.answer.truncated


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _cut_by_strict() -> Failure:
    return Failure(
        FailureKind.EMPTY_ANSWER, "the answer was cut by the token limit, and --strict is on"
    )
