"""What all Runs of a process share about Answers given before and Attempts under way.

Theory of operation. A key (`policy.recalling`) names a request as it is really sent. Whoever boards
a Flight that nobody flies is its pilot: it makes the Attempt, and whoever wants the same meanwhile
waits for it to land. It lands with what came of it, or with nothing where that is the pilot's own
affair: then the first of those who wait is the next pilot, and the others stay on board.

The pilot claims the key of the cache first, for other processes may share that. While another
process is at it, the pilot looks again and again, and finds either its Answer or that nobody is at
it any more: a claim that its process does not renew expires.

It does not know Slots, Permits or budgets: an Answer from here needs none of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ultrai.domain.attempt import AttemptRequest
from ultrai.domain.kept import Claim, KeptAnswer
from ultrai.engine.ports import AnswerCache, Clock
from ultrai.policy.recalling import is_fresh, request_key

if TYPE_CHECKING:
    from ultrai.engine.bench import Made

# How soon the pilot looks again at what another process has claimed.
_FIRST_LOOK_S = 0.02
_LAST_LOOK_S = 0.5

_Waiter = asyncio.Future["Made | None"]


class Recall:
    """The memory of a process. `addresses` maps an upstream's name to where its requests go."""

    def __init__(
        self,
        cache: AnswerCache,
        *,
        ttl_s: float,
        clock: Clock,
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        self._cache = cache
        self._ttl_s = ttl_s
        self._clock = clock
        self._addresses = dict(addresses or {})
        self._flights: dict[str, deque[_Waiter]] = {}

    def key_of(self, request: AttemptRequest, upstream: str, *, tenant: str) -> str:
        """The key of a request as it is sent to that upstream."""
        return request_key(
            request.model,
            request.messages,
            sampling=request.sampling,
            upstream=f"{upstream} {self._addresses.get(upstream, '')}",
            tenant=tenant,
        )

    async def find(self, keys: Sequence[str]) -> Mapping[str, KeptAnswer]:
        """Those that are kept and fresh."""
        if not keys:
            return {}
        now = self._clock.now()
        found = await self._cache.find(keys)
        return {key: kept for key, kept in found.items() if is_fresh(kept, now, ttl_s=self._ttl_s)}

    def take_problem(self) -> str | None:
        """What went wrong with the cache, once."""
        return self._cache.take_problem()

    async def board(self, key: str) -> Made | None:
        """What came of a Flight that is under way; None: you are the pilot now, and must `land`."""
        waiting = self._flights.get(key)
        if waiting is None:
            self._flights[key] = deque()
            return None
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result() is None:
                self._hand_over(key)
            raise

    async def claim(self, key: str) -> KeptAnswer | None:
        """For the pilot: the Answer, if another process has brought it; None: go, and `release`."""
        look_s = _FIRST_LOOK_S
        while True:
            claim = await self._claimed(key)
            kept = claim.kept
            if kept is not None and is_fresh(kept, self._clock.now(), ttl_s=self._ttl_s):
                self._cache.release(key, None)
                return kept
            if claim.is_ours:
                return None
            await asyncio.sleep(look_s)
            look_s = min(2 * look_s, _LAST_LOOK_S)

    def release(self, key: str, kept: KeptAnswer | None) -> None:
        """For the pilot: the Attempt is over, with an Answer that others may have or without."""
        self._cache.release(key, kept)

    def land(self, key: str, made: Made | None) -> None:
        """End the Flight with what others can use of it; None: another is to fly it."""
        if made is None:
            self._hand_over(key)
            return
        for waiter in self._flights.pop(key):
            if not waiter.done():
                waiter.set_result(made)

    def keep(self, key: str, kept: KeptAnswer) -> None:
        """Keep an Answer whose request nobody has claimed; returns at once."""
        self._cache.keep(key, kept)

    async def _claimed(self, key: str) -> Claim:
        try:
            return await self._cache.claim(key)
        except asyncio.CancelledError:
            self._cache.release(key, None)  # it may be ours by now
            raise

    def _hand_over(self, key: str) -> None:
        waiting = self._flights[key]
        while waiting:
            waiter = waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        del self._flights[key]


@dataclass(frozen=True, slots=True)
class Memory:
    """How one Run uses the Recall. `known` are Slots whose Answer was found before it began.

    `reads`: it takes what is kept or under way; else its Answers are only kept.
    """

    recall: Recall
    tenant: str
    reads: bool = True
    known: Mapping[int, KeptAnswer] = field(default_factory=dict)
