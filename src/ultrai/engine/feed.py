"""The feed of one Run: the only place where its Events are made, numbered and handed on.

Theory of operation. `publish` numbers an Event, folds it into the Report, hands it to the history
and to every subscriber, at once and without awaiting. An Answer goes through `publish_committed`:
nobody is told before the history has it, and Events that come meanwhile wait behind it, so order
holds. A history that fails, or does not answer for `FLUSH_PATIENCE_S`, is given up for this Run
with one Notice: a disk that hangs must not outlast the Run's deadline. The last Event is the
Report, also where its own commit fails: the Notice about that precedes it.

A subscriber that reads slowly costs no more memory than the text itself: where Events pile up,
deltas of one Attempt become one, at the place of the first, also when other Slots speak between
them. Any other Event of the Slot ends that, so that within a Slot facts and text keep their order.

The feed does not know what Events mean.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import field, replace
from io import StringIO
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
FLUSH_PATIENCE_S = 5.0
_DELTAS = (EventType.TEXT_DELTA, EventType.REASONING_DELTA, EventType.SYNTHESIS_DELTA)
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


_Stream = tuple[int | None, int | None, EventType]


class _Merging:
    """Deltas of one Attempt that wait together; `size` is their text's length."""

    __slots__ = ("_count", "_first", "_last_seq", "_text", "size")

    def __init__(self, first: Event) -> None:
        self._first = first
        self._text = StringIO()
        self._count = 0
        self._last_seq = first.seq
        self.size = 0
        self.add(first)

    @property
    def stream(self) -> _Stream:
        """What may be merged with it."""
        return _stream(self._first)

    def add(self, event: Event) -> None:
        """One more."""
        self.size += self._text.write(event.text or "")
        self._count += 1
        self._last_seq = event.seq

    def value(self) -> Event:
        """The one Event that stands for all of them."""
        if self._count == 1:
            return self._first
        facts = {"merged": self._count, "last_seq": self._last_seq}
        return replace(self._first, text=self._text.getvalue(), facts=facts)


class Subscription:
    """One reader's queue."""

    __slots__ = ("_closed", "_merging", "_queue", "_waker")

    def __init__(self) -> None:
        self._queue: deque[Event | _Merging] = deque()
        self._merging: dict[_Stream, _Merging] = {}  # those in the queue that still take text
        self._waker: asyncio.Future[None] | None = None
        self._closed = False

    def push(self, event: Event) -> None:
        """Take one Event in; merge it with others of its Attempt where the reader lags."""
        if event.type in _DELTAS:
            self._push_delta(event)
        else:
            self._end_merging(event.slot)
            self._queue.append(event)
        self._wake()

    def close(self) -> None:
        """No more will come; what is queued can still be read."""
        self._closed = True
        self._wake()

    async def batch(self) -> list[Event] | None:
        """All that is queued, at least one Event unless somebody nudges; None: no more will come.

        For readers that also keep time: they nudge the queue when theirs has come.
        """
        if not self._queue and not self._closed:
            self._waker = asyncio.get_running_loop().create_future()
            await self._waker
        if not self._queue and self._closed:
            return None
        return [self._take() for _ in range(len(self._queue))]

    def nudge(self) -> None:
        """Wake the reader though nothing has come."""
        self._wake()

    async def read(self) -> AsyncIterator[Event]:
        """Events in order until the feed is closed."""
        while True:
            while self._queue:
                yield self._take()
            if self._closed:
                return
            self._waker = asyncio.get_running_loop().create_future()
            await self._waker

    def _push_delta(self, event: Event) -> None:
        has_room = len(self._queue) < _BACKLOG_BEFORE_MERGING
        if has_room and not self._merging:  # the reader follows
            self._queue.append(event)
            return
        stream = _stream(event)
        merging = self._merging.get(stream)
        if merging is not None and merging.size < _MERGED_TEXT_CAP:
            merging.add(event)
        elif merging is not None or not has_room:
            merging = self._merging[stream] = _Merging(event)
            self._queue.append(merging)
        else:
            self._queue.append(event)

    def _end_merging(self, slot: int | None) -> None:
        """Text that comes now stands behind what is queued: of the Slot, or of all (None)."""
        if not self._merging:
            return
        kept = () if slot is None else self._merging.items()
        self._merging = {stream: each for stream, each in kept if stream[0] != slot}

    def _take(self) -> Event:
        head = self._queue.popleft()
        if isinstance(head, Event):
            return head
        if self._merging.get(head.stream) is head:
            del self._merging[head.stream]
        return head.value()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)


class Feed:
    """The one writer of a Run's Events."""

    def __init__(
        self,
        run_id: str,
        *,
        time_s: Callable[[], float],
        log: EventLog | None,
        ears: Sequence[Callable[[Event], None]] = (),
    ) -> None:
        self.run_id = run_id
        self._ears = ears
        self._time_s = time_s
        self._began_s = time_s()
        self._log = log
        self._fold = ReportFold()
        self._seq = 0
        self._subscriptions: list[Subscription] = []
        self._closed = False
        self._uncommitted = 0
        self._outbox: list[Event] = []
        self._flushes: set[asyncio.Timeout] = set()

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
        if self._closed:
            subscription.close()
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
        self._hand_on(event)
        return event

    async def publish_committed(
        self, type_: EventType, body: Body, *, slot: int, attempt: int
    ) -> None:
        """The same for an Answer: readers see it only once the history has it."""
        event = self._record(type_, body, slot=slot, attempt=attempt)
        if self._log is None or not self._subscriptions:
            self._hand_on(event)
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
        """Write the last Event, commit everything, close the readers; the final Report.

        Nobody sees the last Event before it is committed. Where that fails, the Notice that says so
        takes its number and it takes the next, so that it stays the last.
        """
        last = self._record(EventType.REPORT, Body(facts=facts), slot=None, attempt=None)
        try:
            notice = await self._flush()
            if notice is not None:
                last = self._note_before(last, notice)
        finally:
            report = self._fold.report()
            self._end(last, report)
        return report

    def finish_at_once(self, facts: Mapping[str, object]) -> None:
        """The same without awaiting, for a Run that is being cancelled itself."""
        event = self._record(EventType.REPORT, Body(facts=facts), slot=None, attempt=None)
        self._end(event, self._fold.report())

    async def flush(self) -> None:
        """Wait until the history has everything; a Notice when it is given up for that."""
        await self._commit()

    def close(self) -> None:
        """Let the readers end."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    def notice(self, code: NoticeCode, message: str, *, slot: int | None = None) -> None:
        """Publish a Notice."""
        notice = Notice(code, message, slot)
        self.publish(EventType.NOTICE, Body(notice=notice), slot=slot)

    async def _commit(self) -> None:
        notice = await self._flush()
        if notice is not None:
            self.publish(EventType.NOTICE, Body(notice=notice))

    async def _flush(self) -> Notice | None:
        """Wait until the history has everything; a Notice when it is given up for that."""
        log = self._log
        if log is None:
            return None
        try:
            async with asyncio.timeout(FLUSH_PATIENCE_S) as patience:
                self._flushes.add(patience)
                try:
                    await log.flush()
                finally:
                    self._flushes.discard(patience)
        except StoreError as error:
            return self._give_up(str(error))
        except TimeoutError:
            return self._give_up(f"the history did not follow for {FLUSH_PATIENCE_S:g} s")
        return None

    def _give_up(self, why: str) -> Notice | None:
        """Say it once, and let nobody else wait; the Run itself goes on."""
        if self._log is None:
            return None
        self._log = None
        for patience in self._flushes:
            if not patience.expired():
                patience.reschedule(asyncio.get_running_loop().time())
        return Notice(NoticeCode.HISTORY_FAILED, f"this run is not stored: {why}")

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

    def _note_before(self, last: Event, notice: Notice) -> Event:
        """Publish the Notice under the number of `last`, which moves on by one."""
        self._seq = last.seq
        told = self.publish(EventType.NOTICE, Body(notice=notice))
        self._seq += 1
        return replace(last, seq=told.seq + 1, t_ms=told.t_ms)

    def _hand_on(self, event: Event) -> None:
        """Deliver it, behind what waits for a commit."""
        if self._uncommitted:
            self._outbox.append(event)
        else:
            self._deliver(event)

    def _end(self, event: Event, report: Report) -> None:
        self._deliver(replace(event, report=report))
        self.close()

    def _deliver(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.push(event)
        for ear in self._ears:
            ear(event)


def _stream(event: Event) -> _Stream:
    return event.slot, event.attempt, event.type
