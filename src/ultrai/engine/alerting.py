"""Watches money and keys and tells people, beside the Runs and never in their way.

Theory of operation. A Run that ends wakes one task, which reads how everything stands, lets the
book mark what has crossed (in one transaction, so that of several processes one tells it) and
delivers what is due, every sink for itself. A delivery is tried a few times and then left in the
book, for a later round of this or any other process. Closing gives the last round a moment; what it
does not manage stays in the book as well. Nothing here raises into a Run.

It does not know what is worth telling: see `policy.alerting`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from ultrai.domain.alert import Alert, AlertKind, Parcel, Standing
from ultrai.domain.attempt import Account
from ultrai.domain.errors import StoreError, UltraiError
from ultrai.domain.stamp import stamp
from ultrai.domain.upstream_key import UpstreamKey
from ultrai.engine.ports import AlertBook, AlertSink, Clock
from ultrai.policy.alerting import AlertRules, Readings, refused, standings

LOGGER = "ultrai.alerts"
PATIENCE_S = 5.0
DRAIN_S = 3.0
WAITS_S = (0.5, 1.0)
LEAST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
ADD_UP_EVERY = timedelta(minutes=1)
ASK_EVERY = timedelta(minutes=10)

_LOG = logging.getLogger(LOGGER)


@dataclass(frozen=True, slots=True)
class Lookout:
    """Where readings come from that are not in the book. None: not to be had."""

    clock: Clock
    account: Callable[[], Awaitable[Account | None]] | None = None
    keys: Callable[[], Awaitable[Sequence[UpstreamKey]]] | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of a test: `problem` None where it arrived."""

    sink: str
    elapsed_ms: int
    problem: str | None


class Alarm:
    """One for each process. `log`: Alerts also go to the logger `ultrai.alerts`, as warnings."""

    def __init__(
        self,
        book: AlertBook,
        sinks: Mapping[str, AlertSink],
        *,
        rules: AlertRules,
        lookout: Lookout,
        log: bool = True,
    ) -> None:
        self._book = book
        self._sinks = sinks
        self._rules = rules
        self._lookout = lookout
        self._log = log
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._refusals: list[Standing] = []

    def refused(self, budget: str, message: str) -> None:
        """A Budget has refused a Run. Returns at once."""
        self._refusals.append(refused(budget, message, now=self._lookout.clock.now()))
        self.wake()

    def wake(self) -> None:
        """Something has been spent: look soon. Returns at once."""
        self._wake.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def look(self, *, now_everything: bool = False) -> list[Standing]:
        """How everything stands. Raises StoreError.

        Spending is added up and the upstream asked now and then only, by whichever process is
        first; `now_everything` does both now.
        """
        now = self._lookout.clock.now()
        spending = now_everything or await self._book.is_time("adding up", now, every=ADD_UP_EVERY)
        readings = await self._book.read(now, spending=spending)
        if spending:
            readings = await self._ask(readings, at_once=now_everything)
        return standings(self._rules, readings, now=now)

    async def evaluate(self) -> Sequence[Alert]:
        """Look, mark and queue what has crossed, and deliver what is due. Raises StoreError."""
        found, refusals = await self.look(), list(self._refusals)
        now, sinks = self._lookout.clock.now(), tuple(self._sinks)
        found += {each.key: each for each in refusals}.values()
        alerts = await self._book.raise_alerts(found, now, sinks=sinks)
        del self._refusals[: len(refusals)]
        for alert in alerts:
            self._write(alert)
        await self.deliver()
        return alerts

    async def deliver(self) -> None:
        """Deliver what is due. Raises StoreError."""
        if not self._sinks:
            return
        due = await self._book.claim(self._lookout.clock.now(), sinks=tuple(self._sinks))
        by_sink: dict[str, list[Parcel]] = {}
        for parcel in due:
            by_sink.setdefault(parcel.sink, []).append(parcel)
        async with asyncio.TaskGroup() as group:
            for name, parcels in by_sink.items():
                group.create_task(self._carry(name, parcels))

    async def test(self) -> list[Delivery]:
        """Send one Alert to everybody, once, whatever is queued."""
        now = stamp(self._lookout.clock.now())
        alert = Alert(
            id=f"alert_test_{now}",
            kind=AlertKind.TEST,
            subject="test",
            message="this is a test: alerts arrive here",
            at=now,
        )
        self._write(alert)
        logged = [Delivery("log", 0, None)] if self._log else []
        tried = await asyncio.gather(*(self._try_out(name, alert) for name in self._sinks))
        return [*logged, *tried]

    async def waiting(self) -> Sequence[tuple[Parcel, str]]:
        """What has not arrived yet, each with what went wrong last. Raises StoreError."""
        return await self._book.waiting()

    async def aclose(self) -> None:
        """Finish the last round, within a moment."""
        task, self._task = self._task, None
        if task is None:
            return
        self._closing.set()
        self._wake.set()
        await asyncio.wait([task], timeout=DRAIN_S)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_PAUSE_S):
                    await self._wake.wait()
            is_last = self._closing.is_set()
            self._wake.clear()
            try:
                await self.evaluate()
            except* StoreError as group:
                _LOG.warning("alerts could not be looked after: %s", group.exceptions[0])
            except* Exception as group:  # noqa: BLE001 - watching goes on, whatever one round met
                told = repr(group.exceptions[0])
                _LOG.error("alerts could not be looked after, which is a bug: %s", told)
            if is_last:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAST_PAUSE_S):
                    await self._closing.wait()

    async def _carry(self, name: str, parcels: Sequence[Parcel]) -> None:
        """Deliver to one sink, in order; one that does not answer is left alone for this round."""
        for parcel in parcels:
            problem = await self._send(name, parcel.alert)
            if problem is None:
                await self._book.delivered(parcel)
                continue
            kept = await self._book.failed(parcel, problem)
            end = "it is tried again later" if kept else "it is given up"
            _LOG.warning("alert %s did not reach %s: %s; %s", parcel.alert.id, name, problem, end)
            return

    async def _send(self, name: str, alert: Alert) -> str | None:
        problem = await self._once(name, alert)
        for wait_s in WAITS_S:
            if problem is None:
                break
            await asyncio.sleep(wait_s)
            problem = await self._once(name, alert)
        return problem

    async def _once(self, name: str, alert: Alert) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._sinks[name].deliver(alert)
        except TimeoutError:
            return f"no answer within {PATIENCE_S:g} s"
        except Exception as error:  # noqa: BLE001 - one way to tell must not end the others
            return f"it broke: {type(error).__name__}"

    async def _try_out(self, name: str, alert: Alert) -> Delivery:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        problem = await self._once(name, alert)
        return Delivery(name, int((loop.time() - began_s) * 1000), problem)

    async def _ask(self, readings: Readings, *, at_once: bool) -> Readings:
        """The same with what the upstream says, where it is time to ask: not knowing is no alert.

        Keys and account are asked for together, so that a key goes by one name.
        """
        out = self._lookout
        if out.account is None:
            return readings
        now = out.clock.now()
        if not at_once and not await self._book.is_time("asking", now, every=ASK_EVERY):
            return readings
        with suppress(UltraiError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                keys = () if out.keys is None else tuple(await out.keys())
                return replace(readings, account=await out.account(), keys=keys)
        return readings

    def _write(self, alert: Alert) -> None:
        if self._log:
            _LOG.warning("alert: %s", alert.message)
