"""The one writer of a database: a queue, a thread, and transactions that many Runs share.

Theory of operation. The event loop puts Events on a deque and, at most once per transaction, wakes
the thread; both are lock-free for the loop. The thread lingers `LINGER_S` for more to come, unless
somebody waits for a flush, then writes all that is due in one transaction. Deltas alone wake it for
a transaction every `DELTA_S` only. Flags say what waits; the thread clears them before it empties
the queue, so what comes in between costs one idle round at worst and is never overlooked.

When a transaction fails, whoever waits is told, its rows are kept, and they go with the next one,
which waits for other programs only for a moment unless somebody waits for it. A COMMIT that was not
answered may have taken place, so whatever is kept can be written twice without harm. Steps of the
ledger are kept whatever becomes of the Events beside them. `close` raises for Events that no flush
spoke of, and for those only: Health may be forgotten.

With `inline` there is no thread: what somebody waits for is written where it is called, the rest
when the loop comes round again, or at once where no loop runs. Under a virtual clock that is the
only way, and what is written is the same.

Steps of the ledger that somebody waits for are written at once; meanwhile the next ones gather, so
that under load many share a transaction. An Answer's settlement goes with the Answer.

The thread is a daemon that an exit handler ends, because the interpreter joins other threads before
it runs exit handlers: a history left open would hang the program, or lose its last Events.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ultrai.domain.errors import StoreError
from ultrai.domain.event import Event
from ultrai.domain.ledger import Step
from ultrai.store.backlog import DELTA_CAP, Backlog
from ultrai.store.buffer import is_delta
from ultrai.store.committer import Committer, HopelessError
from ultrai.store.failures import explain
from ultrai.store.orders import Order, Outcome, answer

if TYPE_CHECKING:
    from pathlib import Path

    from ultrai.policy.health import ModelHealth

LINGER_S = 0.02
DELTA_S = 0.25
RETRY_S = 1.0
QUEUE_CAP = 200_000  # Events that wait for the thread; more means that the disk does not follow


class _Waiter:
    """Somebody who awaits a flush."""

    __slots__ = ("error", "future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.error: StoreError | None = None


class _Overflow:
    """Stands in the queue for Events that were dropped."""


_Item = Event | _Waiter | _Overflow | Order | dict[str, "ModelHealth"]


class Writer:
    """Takes Events and Health from the event loop, at once; writes them soon."""

    def __init__(self, committer: Committer, path: Path | str, *, inline: bool = False) -> None:
        self._committer = committer
        self._path = path
        self._inline = inline
        self._backlog = Backlog()
        self._queue: deque[_Item] = deque()
        self._thread: threading.Thread | None = None
        self._wake = threading.Lock()
        self._wake.acquire()
        self._events_wait = self._deltas_wait = self._text_waits = self._flush_waits = False
        self._orders_wait = False
        self._delta_chars = 0
        self._lazy_due: float | None = None
        self._closing = False
        self._untold: StoreError | None = None
        self._failing = False
        self._owes_word = False  # Events came since a flush last told how it went
        self._told: set[str] = set()  # Runs that know that they are not stored

    def append(self, events: Sequence[Event]) -> None:
        """Queue Events; returns at once. After `close` it does nothing."""
        if self._closing:
            return
        urgent = False
        for event in events:
            self._queue.append(event)
            if is_delta(event):
                self._delta_chars += len(event.text or "")
            else:
                urgent = True
        if len(self._queue) > QUEUE_CAP:
            self._drop()
        self._announce(urgent=urgent)

    def remember(self, health: Mapping[str, ModelHealth]) -> None:
        """Queue Health; it is in no hurry."""
        if self._closing or not health:
            return
        self._queue.append(dict(health))
        self._announce(urgent=False)

    def post(self, steps: Sequence[Step]) -> None:
        """Queue steps of the ledger that nobody waits for; after `close` it does nothing."""
        if not self._closing:
            self._queue.append(Order(steps))
            self._announce(urgent=True)

    async def carry_out(self, steps: Sequence[Step]) -> Sequence[Outcome]:
        """What came of these steps of the ledger, once that is committed. Raises StoreError."""
        self._must_be_open()
        order = Order(steps, asyncio.get_running_loop())
        assert order.future is not None
        self._queue.append(order)
        if self._inline:
            self._step(everything=False)
        elif not self._orders_wait:
            self._orders_wait = True
            self._rouse()
        return await order.future

    async def flush(self) -> None:
        """Return when all that was appended before is committed. Raises StoreError."""
        self._must_be_open()
        waiter = _Waiter(asyncio.get_running_loop())
        self._queue.append(waiter)
        if self._inline:
            self._step(everything=True)
        elif not self._flush_waits:
            self._flush_waits = True
            self._rouse()
        await waiter.future

    def close(self) -> None:
        """Write what is pending and end; idempotent.

        Raises StoreError if Events could not be written and no flush has said so.
        """
        if not self._closing:
            self._closing = True
            if self._thread is None:
                self._finish()
            else:
                self._rouse()
                self._thread.join()
                atexit.unregister(self._close_at_exit)
        error, self._untold = self._untold, None
        if error is not None:
            raise error

    def _must_be_open(self) -> None:
        if self._closing:
            message = f"the database {self._path} is closed"
            raise StoreError(message)

    def _announce(self, *, urgent: bool) -> None:
        if self._inline:
            if urgent or self._delta_chars >= DELTA_CAP:
                self._step_soon()
        elif urgent:
            if not self._events_wait:
                self._events_wait = True
                self._rouse()
        elif not self._deltas_wait:
            self._deltas_wait = True
            self._rouse()
        elif self._delta_chars >= DELTA_CAP and not self._text_waits:
            self._text_waits = True
            self._rouse()

    def _step_soon(self) -> None:
        if self._events_wait:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._step(everything=False)
        else:
            self._events_wait = True
            loop.call_soon(self._step_now)

    def _step_now(self) -> None:
        if self._events_wait and not self._closing:
            self._step(everything=False)

    def _rouse(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ultrai-history", daemon=True)
            atexit.register(self._close_at_exit)
            self._thread.start()
        with suppress(RuntimeError):  # it is awake already
            self._wake.release()

    def _drop(self) -> None:
        """Empty the queue of all but money, and those who wait, who will learn what happened."""
        kept: list[_Item] = []
        with suppress(IndexError):  # the thread may empty it at the same time
            while True:
                item = self._queue.popleft()
                if isinstance(item, _Waiter | Order):  # money is never dropped
                    kept.append(item)
        self._queue.append(_Overflow())
        self._queue.extend(kept)

    def _run(self) -> None:
        while not self._closing:
            self._step(everything=self._sleep())
        self._finish()

    def _finish(self) -> None:
        self._step(everything=True)
        self._committer.close()

    def _sleep(self) -> bool:
        """Wait until something is due, and say whether that is everything."""
        due: float | None = None
        while not (self._flush_waits or self._closing):
            if self._text_waits or self._orders_wait:
                return False
            now = time.monotonic()
            if due is None and (self._events_wait or self._backlog.batch):
                due = now + (RETRY_S if self._failing else LINGER_S)
            if self._lazy_due is None and (self._deltas_wait or self._backlog.is_waiting):
                self._lazy_due = now + DELTA_S
            next_due = min((at for at in (due, self._lazy_due) if at is not None), default=None)
            if next_due is None:
                self._wake.acquire()
            elif next_due > now:
                self._wake.acquire(timeout=next_due - now)
            else:
                return next_due == self._lazy_due
        return True

    def _step(self, *, everything: bool) -> None:
        """Empty the queue and write what is due."""
        self._events_wait = self._deltas_wait = self._text_waits = self._flush_waits = False
        self._orders_wait = False
        self._delta_chars = 0
        waiters = self._drain()
        everything = everything or bool(waiters)
        if everything:
            self._lazy_due = None
        hasty = self._failing and (self._closing or not waiters)
        error = self._commit(everything=everything, hasty=hasty)
        if error is not None and waiters:
            self._backlog.take_lost()  # they are told now; the next must not hear it again
            self._told |= self._backlog.runs_under_way()
        for waiter in waiters:
            waiter.error = error or waiter.error
        if waiters:
            self._untold, self._owes_word = None, False
        self._settle(waiters)

    def _drain(self) -> list[_Waiter]:
        waiters: list[_Waiter] = []
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, Event):
                self._backlog.take_event(item)
                self._owes_word = self._owes_word or item.run_id not in self._told
            elif isinstance(item, _Waiter):
                if self._backlog.take_lost():
                    item.error = StoreError(
                        f"events were lost because the database {self._path} could not follow",
                        hint="Check the disk; later runs are stored again.",
                    )
                waiters.append(item)
            elif isinstance(item, Order):
                self._backlog.take_order(item)
                self._owes_word = True
            elif isinstance(item, _Overflow):
                self._backlog.abandon()
            else:
                self._backlog.take_health(item)
        return waiters

    def _commit(self, *, everything: bool, hasty: bool) -> StoreError | None:
        lost: StoreError | None = None
        try:
            self._backlog.collect(everything=everything)
        except Exception as error:  # noqa: BLE001 - the thread must live and the waiters be told
            lost = explain(error, self._path)
        owes_word = self._owes_word and (lost is not None or self._backlog.batch.has_events)
        if lost is not None:
            self._backlog.abandon()  # an Event's fault must not cost anybody's money
        failed = self._write(hasty=hasty)
        self._failing = failed is not None
        told = failed or lost
        if told is None:
            self._untold = None
            self._told.clear()
        elif owes_word:
            self._untold = told
        return told

    def _write(self, *, hasty: bool) -> StoreError | None:
        """Write the Batch, and tell those who wait for its steps; why it was not written."""
        batch = self._backlog.batch
        try:
            if batch:
                self._committer.commit(batch, hasty=hasty)
        except HopelessError as error:
            self._backlog.written()
            self._backlog.abandon()
            answer(batch.orders, inline=self._inline)
            return error
        except Exception as error:  # noqa: BLE001 - as above
            explained = explain(error, self._path)
            refused = self._backlog.keep()
            for order in refused:
                order.error = explained
            answer(refused, inline=self._inline)
            return explained
        self._backlog.written()
        answer(batch.orders, inline=self._inline)
        return None

    def _settle(self, waiters: Sequence[_Waiter]) -> None:
        for waiter in waiters:
            if self._inline:
                _resolve(waiter)
                continue
            with suppress(RuntimeError):  # its loop has been closed
                waiter.loop.call_soon_threadsafe(_resolve, waiter)

    def _close_at_exit(self) -> None:
        with suppress(StoreError):
            self.close()


def _resolve(waiter: _Waiter) -> None:
    if waiter.future.done():
        return
    if waiter.error is None:
        waiter.future.set_result(None)
    else:
        waiter.future.set_exception(waiter.error)
