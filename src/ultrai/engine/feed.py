"""The feed of one Run: the only place where its Events are made, numbered and handed on.

Theory of operation. `publish` numbers an Event, folds it into the Report, hands it to the history
and to every subscriber, at once and without awaiting. An Answer goes through `publish_committed`:
nobody is told before the history has it, and Events that come meanwhile wait behind it, so order
holds. A subscriber that reads slowly costs no more memory than the text itself: deltas of the same
Attempt that pile up are merged.

The feed does not know what Events mean.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Protocol

from ultrai.domain.errors import StoreError
from ultrai.domain.event import Event, EventType
from ultrai.domain.fold import ReportFold
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.outcome import Answer, Cost, Failure, Usage
from ultrai.domain.report import Report
from ultrai.domain.value import value

_BACKLOG_BEFORE_MERGING = 256
_MERGED_TEXT_CAP = 65_536
_DELTAS = (EventType.TEXT_DELTA, EventType.REASONING_DELTA)
_NO_FACTS: Mapping[str, object] = {}


class EventLog(Protocol):
    """The part of a history that the feed writes to."""

    def append(self, events: Sequence[Event]) -> None:
        """Queue Events; returns at once."""
        ...

    async def flush(self) -> None:
        """Return when all is committed."""
        ...


@value
class Body:
    """What an Event says beside its head."""

    text: str | None = None
    answer: Answer | None = None
    failure: Failure | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    notice: Notice | None = None
    facts: Mapping[str, object] = field(default_factory=lambda: _NO_FACTS)


_EMPTY = Body()


class Subscription:
    """One reader's queue."""

    __slots__ = ("_closed", "_events", "_waker")

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._waker: asyncio.Future[None] | None = None
        self._closed = False

    def push(self, event: Event) -> None:
        """Take one Event in; merge it with the last where the reader lags."""
        if len(self._events) >= _BACKLOG_BEFORE_MERGING and event.type in _DELTAS:
            last = self._events[-1]
            if _same_stream(last, event) and len(last.text or "") < _MERGED_TEXT_CAP:
                self._events[-1] = replace(last, text=(last.text or "") + (event.text or ""))
                return
        self._events.append(event)
        self._wake()

    def close(self) -> None:
        """No more will come; what is queued can still be read."""
        self._closed = True
        self._wake()

    async def read(self) -> AsyncIterator[Event]:
        """Events in order until the feed is closed."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self._closed:
                return
            self._waker = asyncio.get_running_loop().create_future()
            await self._waker

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)


class Feed:
    """The one writer of a Run's Events."""

    def __init__(self, run_id: str, *, time_s: Callable[[], float], log: EventLog | None) -> None:
        self.run_id = run_id
        self._time_s = time_s
        self._began_s = time_s()
        self._log = log
        self._fold = ReportFold()
        self._seq = 0
        self._subscriptions: list[Subscription] = []
        self._uncommitted = 0
        self._outbox: list[Event] = []

    @property
    def began_s(self) -> float:
        """The Run's start on the loop's clock."""
        return self._began_s

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the Run's start."""
        return int((self._time_s() - self._began_s) * 1000)

    def report(self) -> Report:
        """The Report as it stands."""
        return self._fold.report()

    def subscribe(self) -> Subscription:
        """A reader that starts with the next Event."""
        subscription = Subscription()
        self._subscriptions.append(subscription)
        return subscription

    def publish(
        self,
        type_: EventType,
        body: Body = _EMPTY,
        *,
        slot: int | None = None,
        attempt: int | None = None,
    ) -> Event:
        """Make, number and hand on one Event."""
        event = self._record(type_, body, slot=slot, attempt=attempt)
        if self._uncommitted:
            self._outbox.append(event)
        else:
            self._deliver(event)
        return event

    async def publish_committed(
        self, type_: EventType, body: Body, *, slot: int, attempt: int
    ) -> None:
        """The same for an Answer: readers see it only once the history has it."""
        event = self._record(type_, body, slot=slot, attempt=attempt)
        if self._log is None or not self._subscriptions:
            self._deliver(event)
            return
        self._uncommitted += 1
        self._outbox.append(event)
        try:
            await self._commit()
        finally:
            self._uncommitted -= 1
            if not self._uncommitted:
                waiting, self._outbox = self._outbox, []
                for each in waiting:
                    self._deliver(each)

    async def finish(self, facts: Mapping[str, object]) -> Report:
        """Write the last Event, commit everything, close the readers; the final Report."""
        event = self._record(EventType.REPORT, Body(facts=facts), slot=None, attempt=None)
        try:
            await self._commit()
        finally:
            report = self._fold.report()
            self._deliver(replace(event, report=report))
            self.close()
        return report

    def finish_at_once(self, facts: Mapping[str, object]) -> None:
        """The same without awaiting, for a Run that is being cancelled itself."""
        event = self._record(EventType.REPORT, Body(facts=facts), slot=None, attempt=None)
        self._deliver(replace(event, report=self._fold.report()))
        self.close()

    def close(self) -> None:
        """Let the readers end."""
        for subscription in self._subscriptions:
            subscription.close()

    def notice(self, code: NoticeCode, message: str, *, slot: int | None = None) -> None:
        """Publish a Notice."""
        notice = Notice(code, message, slot)
        self.publish(EventType.NOTICE, Body(notice=notice), slot=slot)

    async def _commit(self) -> None:
        if self._log is None:
            return
        try:
            await self._log.flush()
        except StoreError as error:
            self._log = None  # say it once; the Run itself goes on
            self.notice(NoticeCode.HISTORY_FAILED, f"this run is not stored: {error}")

    def _record(
        self, type_: EventType, body: Body, *, slot: int | None, attempt: int | None
    ) -> Event:
        event = Event(
            seq=self._seq,
            run_id=self.run_id,
            t_ms=self.elapsed_ms,
            type=type_,
            slot=slot,
            attempt=attempt,
            text=body.text,
            answer=body.answer,
            failure=body.failure,
            usage=body.usage,
            cost=body.cost,
            notice=body.notice,
            facts=body.facts,
        )
        self._seq += 1
        self._fold.apply(event)
        if self._log is not None:
            self._log.append((event,))
        return event

    def _deliver(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.push(event)


def _same_stream(last: Event, event: Event) -> bool:
    return (last.type, last.slot, last.attempt) == (event.type, event.slot, event.attempt)
