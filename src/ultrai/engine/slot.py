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
from math import inf
from typing import Protocol

from ultrai.domain.attempt import PriceCap
from ultrai.domain.outcome import Failure, FailureKind, Remedy
from ultrai.domain.plan import PlannedCandidate, PlannedSlot
from ultrai.engine.attempt import AttemptRoom, Bench, Made, Try
from ultrai.engine.lessons import cut_by_strict, learn_from
from ultrai.engine.planning import PROBE_TOKENS
from ultrai.engine.recollection import RecollectionRoom
from ultrai.engine.telling import SlotTale
from ultrai.policy.fallback import Decision, Situation, advice_for, decide
from ultrai.policy.lineup import Turn, next_turn

_RAISE_FACTOR = 4
_GIVEN_UP = Decision(Remedy.GIVE_UP_SLOT)


class Ending(Enum):
    """Why the Run closed a Slot that was still open."""

    DEADLINE = "deadline"
    QUORUM = "quorum"
    STOPPED_WAITING = "stopped_waiting"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


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
        self._way = RecollectionRoom(bench, self._room)
        self._tale = SlotTale(bench.feed, planned, asked_tokens=bench.query.sampling.max_tokens)
        self._asked: set[str] = set()
        self._number = 0
        self._turn: Turn | None = None
        self._last_failure: Failure | None = None
        self._ending: Ending | None = None
        self._dropped: Failure | None = None
        self._rest: asyncio.Future[None] | None = None
        self._told = False

    @property
    def is_open(self) -> bool:
        """Whether its result is still to come."""
        return not (self.answered or self._told or self._ending is not None)

    def again(self) -> SlotRoom:
        """The same seat for another go: Candidates from the first, numbers going on."""
        room = SlotRoom(self._planned, self._bench, panel=self._panel, strict=self._strict)
        room._number = self._number
        return room

    def close(self, ending: Ending, failure: Failure | None = None) -> None:
        """End the Slot where it stands; the first ending counts. No failure: it is cancelled."""
        if self.is_open:
            self._ending = ending
            self._room.closing = failure
            if self.task is not None:
                self.task.cancel()

    def upstream_stopped(self, name: str) -> None:
        """Wake from a wait for a retry that will never be made."""
        if self._rest is not None and self._is_on(name):
            _finish(self._rest)

    def drop_silent(self, name: str, failure: Failure) -> None:
        """End an Attempt on that upstream that waits or has shown no text; the Slot goes on."""
        witness = self._room.witness
        speaks = witness is not None and witness.first_token_s is not None
        if self.is_open and self.task is not None and self._is_on(name) and not speaks:
            self._dropped = self._room.closing = failure
            self.task.cancel()

    def claim_first(self, *, backups: bool) -> None:
        """Take the first Candidate before any Slot runs, so that no other takes it as a Backup.

        Without `backups`, only one that is ready and stands first in the Slot.
        """
        if self._turn is not None:
            return
        turn = self._next_turn()
        if turn is not None and (backups or not (turn.is_backup or turn.cooling)):
            self._claim(turn)

    async def run(self) -> None:
        """Work until there is a result; publish it."""
        self._tale.started()
        try:
            if self._ending is None:
                await self._ask_candidates()
        except asyncio.CancelledError:
            if self._ending is None:
                self.settle()
                raise
        finally:
            self._release()
            self._bench.envelope.close_slot(self.index)
        self.settle()
        self._panel.slot_done(self)

    def settle(self) -> None:
        """Say how a Slot without an Answer has ended, also one whose task never began."""
        if self.answered or self._told:
            return
        self._told = True
        failure = self._room.closing
        if failure is not None:
            self._tale.failed(failure)
        else:
            self._tale.cancelled()

    async def _ask_candidates(self) -> None:
        while (turn := self._turn or self._next_turn()) is not None:
            if self._turn is None:
                self._claim(turn)
            self._tale.turn(turn)
            if await self._ask(_Progress(turn.candidate, turn.candidate.max_tokens)):
                return
            self._release()
            self._asked.add(turn.candidate.model)
            if self._gave_up():
                break
        self._told = True
        self._tale.failed(self._last_failure or self._tale.nobody())

    def _next_turn(self) -> Turn | None:
        return next_turn(self._usable(), asked=self._asked, taken=self._panel.claims)

    def _usable(self) -> list[PlannedCandidate]:
        """Candidates whose upstream may be asked; once a window was too small, only ample ones."""
        failure = self._last_failure
        too_long = failure is not None and failure.kind is FailureKind.CONTEXT_TOO_LONG
        asked = self._bench.query.sampling.max_tokens
        return [
            candidate
            for candidate in self._planned.candidates
            if self._bench.is_stopped(candidate.upstream) is None
            and not (too_long and candidate.max_tokens < asked)
        ]

    def _claim(self, turn: Turn) -> None:
        self._turn = turn
        self._panel.claims[turn.candidate.model] += 1

    def _release(self) -> None:
        if self._turn is not None and not self.answered:
            claims, model = self._panel.claims, self._turn.candidate.model
            claims[model] -= 1
            if not claims[model]:
                del claims[model]  # whoever is in the claims is in use
            self._turn = None

    def _is_on(self, upstream: str) -> bool:
        return self._turn is not None and self._turn.candidate.upstream == upstream

    def _gave_up(self) -> bool:
        failure = self._last_failure
        if failure is None:
            return False
        return self._strict or failure.remedy is Remedy.GIVE_UP_SLOT

    async def _ask(self, progress: _Progress) -> bool:
        """Attempts on one Candidate; True: the Slot has its Answer."""
        try:
            return await self._attempts(progress)
        except asyncio.CancelledError:
            if self._dropped is None or self._ending is not None:
                raise
            assert self.task is not None
            self.task.uncancel()
            self._last_failure, self._dropped, self._room.closing = self._dropped, None, None
            return False

    async def _attempts(self, progress: _Progress) -> bool:
        await self._bench.contexts.written(progress.candidate)
        while True:
            stopped = self._bench.is_stopped(progress.candidate.upstream)
            if stopped is not None:
                self._last_failure = stopped
                return False
            self._number += 1
            progress.attempts += 1
            made = await self._way.make(self._try(progress), alone=self._is_alone(progress))
            if made.answer is not None and not (self._strict and made.answer.truncated):
                self.answered = True
                await self._tale.answered(self._number, progress.candidate, made=made)
                return True
            decision = await self._after_failure(progress, made)
            if decision.remedy is not Remedy.RETRY:
                return False
            await self._wait(decision.wait_s)

    async def _after_failure(self, progress: _Progress, made: Made) -> Decision:
        failure = made.failure or cut_by_strict()
        try:
            cap = await self._dearer_cap(progress, failure)
        except asyncio.CancelledError:
            self._tell_failure(progress, replace(made, failure=failure), decision=_GIVEN_UP)
            raise
        if cap is not None:
            progress.cap = cap
            decision = Decision(Remedy.RETRY)
        else:
            decision = self._decide(progress, failure, made=made)
        self._tell_failure(progress, replace(made, failure=failure), decision=decision)
        candidate, remedy, rooms = progress.candidate, decision.remedy, self._bench.rooms
        learn_from(failure, rooms, model=candidate.model, made=made, remedy=remedy)
        self._note(candidate, failure, remedy=remedy)
        if cap is not None:
            self._tale.cap_raised(progress.candidate.model)
        if decision.max_tokens is not None:
            model = progress.candidate.model
            self._tale.tokens_changed(model, progress.max_tokens, after=decision.max_tokens)
            progress.changed = True
            progress.max_tokens = decision.max_tokens
        return decision

    def _tell_failure(self, progress: _Progress, made: Made, *, decision: Decision) -> None:
        assert made.failure is not None
        advice = advice_for(made.failure.kind)
        failure = replace(made.failure, remedy=decision.remedy, advice=advice)
        self._last_failure = failure
        self._tale.attempt_failed(
            self._number,
            progress.candidate.model,
            made=replace(made, failure=failure),
            wait_s=decision.wait_s,
        )

    def _is_alone(self, progress: _Progress) -> bool:
        """Whether another Slot has the model too: then each has its own Answer."""
        return self._panel.claims[progress.candidate.model] > 1

    def _try(self, progress: _Progress) -> Try:
        patience_s, whole_s = self._time_left_s(), inf
        if self._others_left(progress.candidate):
            whole_s = patience_s / 2  # and the other half for them: blanks alone can last for ever
            patience_s = min(patience_s, self._bench.rooms.tuning.max_wait_s)
        bound = None if progress.cap is None else self._bound(progress, progress.max_tokens)
        return Try(
            slot=self.index,
            number=self._number,
            candidate=progress.candidate,
            max_tokens=progress.max_tokens,
            fallback=progress.candidate.role == "backup",
            is_retry=progress.attempts > 1,
            patience_s=patience_s,
            whole_s=whole_s,
            price_cap=progress.cap,
            bound_nanos=bound,
        )

    def _decide(self, progress: _Progress, failure: Failure, *, made: Made) -> Decision:
        if self._bench.commitment.holds(self.index):
            return _GIVEN_UP  # its text was shown to somebody who cannot be told to forget it
        rooms = self._bench.rooms
        is_stopped = self._bench.is_stopped(progress.candidate.upstream) is not None
        situation = Situation(
            attempts=progress.attempts,
            max_attempts=rooms.tuning.max_attempts,
            others_left=self._others_left(progress.candidate),
            time_left_s=self._time_left_s(),
            max_wait_s=rooms.tuning.max_wait_s,
            chance=rooms.chance(),
            may_retry=not is_stopped and rooms.retries.allows_retry(),
            changed=progress.changed or self._strict,
            attempt_s=made.elapsed_ms / 1000,
            max_tokens=progress.max_tokens,
            max_tokens_floor=rooms.tuning.max_tokens_floor,
            raised_tokens=self._raised_tokens(progress),
        )
        decision = decide(failure, situation, backoff=rooms.tuning.backoff)
        if decision.remedy is Remedy.RETRY and made.recalled is None:
            rooms.retries.count_retry()
        return decision

    def _raised_tokens(self, progress: _Progress) -> int | None:
        wanted = progress.max_tokens * _RAISE_FACTOR
        limit = progress.candidate.max_tokens_limit
        raised = wanted if limit is None else min(wanted, limit)
        if raised <= progress.max_tokens or progress.max_tokens <= PROBE_TOKENS:
            return None
        if not self._bench.envelope.is_capped:
            return raised
        bound = self._bound(progress, raised)
        return raised if self._bench.envelope.fits(self.index, bound) else None

    def _bound(
        self, progress: _Progress, max_tokens: int, *, cap: PriceCap | None = None
    ) -> int | None:
        cap, model = cap or progress.cap, progress.candidate.model
        if cap is None:
            return self._room.bound_of(model, max_tokens)
        return self._room.bound_under(cap, max_tokens, model_id=model)

    def _others_left(self, candidate: PlannedCandidate) -> bool:
        if len(self._planned.candidates) == 1:
            return False
        asked = self._asked | {candidate.model}
        return not self._strict and next_turn(self._usable(), asked=asked, taken=()) is not None

    def _time_left_s(self) -> float:
        return self._bench.deadline_s - asyncio.get_running_loop().time()

    async def _dearer_cap(self, progress: _Progress, failure: Failure) -> PriceCap | None:
        """The cap for another try after our own left no provider; None: there will be none."""
        tuning = self._bench.rooms.tuning
        if not failure.price_capped or progress.cap is not None or self._strict:
            return None
        if progress.attempts >= tuning.max_attempts:
            return None
        cap = await self._panel.dearer_cap(progress.candidate.model)
        if cap is None:
            return None
        ceiling = tuning.max_usd_per_million
        if ceiling is not None and cap.completion > ceiling:
            return None
        bound = self._bound(progress, progress.max_tokens, cap=cap)
        return cap if self._bench.envelope.fits(self.index, bound) else None

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

    def _note(self, candidate: PlannedCandidate, failure: Failure, *, remedy: Remedy) -> None:
        """Tell the rest of the Run what a failure means beyond this Attempt."""
        if remedy is Remedy.STOP_UPSTREAM:
            stop = replace(failure, remedy=remedy, advice=advice_for(failure.kind))
            self._panel.stop_upstream(candidate.upstream, stop)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
