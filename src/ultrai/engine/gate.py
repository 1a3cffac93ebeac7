"""The Gate: admission of Attempts by concurrency and pace.

Theory of operation. A Permit needs one of `concurrency` seats and the consent of every lane of its
model: a pause (a 429 pauses the model for everyone), the exact window that all `:free` models of an
upstream share, and the pace that the user set for the model. A request that a lane holds back waits
in a heap by the moment at which it may try again, without taking a seat; a request that only lacks
a seat waits in its owner's line, and owners take turns, so that a run of a hundred slots does not
starve a run of one. Everything happens on the event loop without awaiting, so no lock is needed.

The Gate does not know what a Slot, a price or a failure is.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict, deque
from collections.abc import Mapping
from enum import Enum

from ultrai.domain.value import value
from ultrai.policy.pacing import FREE_MODELS_PER_MINUTE, ExactWindow, Pace, TokenBucket


class Refusal(Enum):
    """Why no Permit was given."""

    QUEUE_FULL = "queue_full"
    TOO_LATE = "too_late"


@value
class Entry:
    """Who asks for a Permit: which model of which upstream, for which owner (a Run)."""

    model: str
    upstream: str
    owner: str
    is_free: bool = False


class _Waiter:
    """A request that waits; done when its future is."""

    __slots__ = ("entry", "future", "give_up_s")

    def __init__(
        self, entry: Entry, future: asyncio.Future[Refusal | None], *, give_up_s: float
    ) -> None:
        self.entry = entry
        self.future = future
        self.give_up_s = give_up_s


class Gate:
    """Gives Permits; every one that `enter` gave must be given back with `leave`."""

    def __init__(
        self,
        *,
        concurrency: int = 50,
        queue_limit: int = 10_000,
        paces: Mapping[str, int] | None = None,
    ) -> None:
        self._concurrency = concurrency
        self._queue_limit = queue_limit
        self._per_minute = dict(paces or {})
        self._active = 0
        self._waiting = 0
        self._lines: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        self._held: list[tuple[float, int, _Waiter]] = []
        self._ticket = 0
        self._paces: dict[str, Pace] = {}
        self._pauses: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def active(self) -> int:
        """How many Permits are out."""
        return self._active

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._waiting

    @property
    def is_full(self) -> bool:
        """Whether nobody else may wait."""
        return self._waiting >= self._queue_limit

    async def enter(self, entry: Entry, *, patience_s: float) -> Refusal | None:
        """Wait for a Permit; None: it is given.

        Refused as soon as it is clear that a lane stays closed beyond `patience_s` from now: on
        entry, or later, when a pause has grown or others in the lane were first. The wait for a
        seat has no such bound; the caller's deadline ends it.
        """
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        earliest_s = self._earliest_s(entry, now_s)
        if earliest_s - now_s > patience_s:
            return Refusal.TOO_LATE
        if earliest_s <= now_s and self._active < self._concurrency and not self._lines:
            self._grant(entry, now_s)
            return None
        if self.is_full:
            return Refusal.QUEUE_FULL
        waiter = _Waiter(entry, loop.create_future(), give_up_s=now_s + patience_s)
        self._waiting += 1
        self._queue(waiter, earliest_s, now_s=now_s)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            granted = waiter.future.done() and not waiter.future.cancelled()
            if granted and waiter.future.result() is None:
                self.leave()
            raise
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Give a Permit back."""
        self._active -= 1
        if self._lines:
            self._pump()

    def pause(self, model: str, until_s: float) -> None:
        """Let nobody start on `model` before `until_s` on the loop's clock."""
        self._pauses[model] = max(until_s, self._pauses.get(model, until_s))

    def wait_s(self, entry: Entry) -> float:
        """How long the lanes alone would hold a request back now."""
        now_s = asyncio.get_running_loop().time()
        return self._earliest_s(entry, now_s) - now_s

    def close(self) -> None:
        """Forget the timer; waiters are their owners' concern."""
        if self._timer is not None:
            self._timer.cancel()

    def _queue(self, waiter: _Waiter, earliest_s: float, *, now_s: float) -> None:
        if earliest_s <= now_s:
            self._lines.setdefault(waiter.entry.owner, deque()).append(waiter)
            self._pump()
            return
        if earliest_s > waiter.give_up_s:
            waiter.future.set_result(Refusal.TOO_LATE)
            return
        self._ticket += 1
        heapq.heappush(self._held, (earliest_s, self._ticket, waiter))
        self._arm()

    def _pump(self) -> None:
        now_s = asyncio.get_running_loop().time()
        while self._lines and self._active < self._concurrency:
            owner, line = self._lines.popitem(last=False)
            waiter = line.popleft()
            if line:
                self._lines[owner] = line
            if waiter.future.done():
                continue
            earliest_s = self._earliest_s(waiter.entry, now_s)
            if earliest_s > now_s:
                self._queue(waiter, earliest_s, now_s=now_s)
                continue
            self._grant(waiter.entry, now_s)
            waiter.future.set_result(None)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._held[0][0], self._wake)

    def _wake(self) -> None:
        now_s = asyncio.get_running_loop().time()
        while self._held and self._held[0][0] <= now_s:
            _, _, waiter = heapq.heappop(self._held)
            if not waiter.future.done():
                self._lines.setdefault(waiter.entry.owner, deque()).append(waiter)
        self._arm()
        self._pump()

    def _grant(self, entry: Entry, now_s: float) -> None:
        self._active += 1
        for lane in self._lanes(entry):
            self._paces[lane] = self._pace(lane, entry).started(now_s)

    def _earliest_s(self, entry: Entry, now_s: float) -> float:
        earliest_s = now_s
        pause_s = self._pauses.get(entry.model)
        if pause_s is not None:
            if pause_s > now_s:
                earliest_s = pause_s
            else:
                del self._pauses[entry.model]
        for lane in self._lanes(entry):
            earliest_s = max(earliest_s, self._pace(lane, entry).earliest_s(now_s))
        return earliest_s

    def _lanes(self, entry: Entry) -> tuple[str, ...]:
        lanes: tuple[str, ...] = ()
        if entry.is_free:
            lanes = (f"free of {entry.upstream}",)
        if self._per_minute and not entry.is_free:
            pace = self._per_minute.get(entry.model, self._per_minute.get("*"))
            if pace is not None:
                lanes = (*lanes, f"pace of {entry.model}")
        return lanes

    def _pace(self, lane: str, entry: Entry) -> Pace:
        known = self._paces.get(lane)
        if known is not None:
            return known
        if lane.startswith("free"):
            return ExactWindow(FREE_MODELS_PER_MINUTE)
        per_minute = self._per_minute.get(entry.model, self._per_minute.get("*", 1))
        return TokenBucket(per_minute)
