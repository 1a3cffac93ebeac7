"""Finds out what Attempts really cost whose figure did not arrive with the answer.

Theory of operation. An Attempt that was cut, cancelled, timed out or whose process died counts at
its bound until the upstream has told its cost. The upstream keeps a record of each generation; it
appears some time after it ended: 404 and trouble of any kind mean *not yet*. Each Attempt is asked
for again with growing waits; one that is still not known `PATIENCE_S` after it was first asked for,
and one that has no id to ask by, is `unknown_billed` and stays at its bound.

It does not know Budgets or Runs: corrections go to the Ledger, which does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ultrai.domain.errors import UltraiError
from ultrai.domain.generation import Generation
from ultrai.domain.ledger import Correct, Defer, OpenAttempt
from ultrai.domain.money import reported_nanos
from ultrai.domain.outcome import Cost, CostState
from ultrai.domain.stamp import stamp
from ultrai.engine.ports import Clock, Ledger, Upstream

PATIENCE_S = 600.0
LEAST_TRIES = 3
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 120.0


class Finding(StrEnum):
    """What came of asking once."""

    RECONCILED = "reconciled"
    NOT_YET = "not_yet"
    UNKNOWN_BILLED = "unknown_billed"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One Attempt, what was found, and why nothing was; `cost_nanos` None: not known."""

    attempt: OpenAttempt
    finding: Finding
    cost_nanos: int | None = None
    reason: str = ""


class Reconciler:
    """Asks the upstreams; one for each process."""

    def __init__(
        self, ledger: Ledger, upstreams: Callable[[str], Upstream | None], *, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._upstreams = upstreams
        self._clock = clock

    async def once(self, *, only_due: bool = False) -> AsyncIterator[Reconciled]:
        """Ask for every open Attempt, or for those whose time has come, one after another."""
        now = stamp(self._clock.now())
        for attempt in await self._ledger.open_attempts():
            if not only_due or attempt.next_try_at is None or attempt.next_try_at <= now:
                yield await self._ask(attempt)

    async def until_done(self) -> AsyncIterator[Reconciled]:
        """Ask until nothing is open any more."""
        while True:
            async for each in self.once(only_due=True):
                yield each
            wait_s = await self._wait_s()
            if wait_s is None:
                return
            await asyncio.sleep(wait_s)

    async def _wait_s(self) -> float | None:
        """Until the next is due; None: nothing is open."""
        due = [attempt.next_try_at for attempt in await self._ledger.open_attempts()]
        if not due:
            return None
        now = self._clock.now()
        waits = [(datetime.fromisoformat(at) - now).total_seconds() for at in due if at]
        return min(max(0.2, min(waits, default=0.2)), LONGEST_WAIT_S)

    async def _ask(self, attempt: OpenAttempt) -> Reconciled:
        upstream = self._upstreams(attempt.upstream)
        if attempt.generation_id is None:
            return self._give_up(attempt, "the upstream gave it no id to ask by")
        if upstream is None:
            return self._not_yet(attempt, f"there is no upstream {attempt.upstream} any more")
        try:
            found = await upstream.read_generation(attempt.generation_id)
        except UltraiError as error:
            return self._not_yet(attempt, str(error))
        nanos = None
        if found is not None and found.cost_raw is not None:
            nanos = reported_nanos(found.cost_raw)
        if found is None or nanos is None:
            return self._not_yet(attempt, "the upstream has no record of it")
        self._correct(attempt, Cost(nanos, CostState.RECONCILED, found.cost_raw), found=found)
        return Reconciled(attempt, Finding.RECONCILED, nanos)

    def _not_yet(self, attempt: OpenAttempt, reason: str) -> Reconciled:
        now = self._clock.now()
        first = attempt.first_try_at
        waited_s = 0.0 if first is None else (now - datetime.fromisoformat(first)).total_seconds()
        if waited_s >= PATIENCE_S and attempt.tries >= LEAST_TRIES:
            return self._give_up(attempt, reason)
        wait_s = min(FIRST_WAIT_S * 2**attempt.tries, LONGEST_WAIT_S)
        next_try = stamp(now + timedelta(seconds=wait_s))
        self._ledger.post(Defer(attempt.place, stamp(now), next_try))
        return Reconciled(attempt, Finding.NOT_YET, reason=reason)

    def _give_up(self, attempt: OpenAttempt, reason: str) -> Reconciled:
        self._correct(attempt, Cost(None, CostState.UNKNOWN_BILLED), found=None)
        return Reconciled(attempt, Finding.UNKNOWN_BILLED, reason=reason)

    def _correct(self, attempt: OpenAttempt, cost: Cost, *, found: Generation | None) -> None:
        step = Correct(attempt.place, stamp(self._clock.now()), cost)
        if found is not None:
            step = Correct(
                attempt.place,
                stamp(self._clock.now()),
                cost,
                usage=found.native,
                normalised=found.normalised,
                provider=found.provider,
            )
        self._ledger.post(step)
