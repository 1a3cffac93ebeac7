"""A Run under way, as whoever started it holds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from ultrai.domain.event import Event
from ultrai.domain.plan import Plan
from ultrai.domain.report import Report
from ultrai.engine.feed import Subscription
from ultrai.engine.run import Run


class RunHandle:
    """A Run under way: read its Events, wait for its Report, stop waiting, cancel."""

    def __init__(
        self, run: Run, execute: Callable[[], asyncio.Task[Report]], *, watched: bool = True
    ) -> None:
        self._run = run
        self._subscription = run.feed.subscribe() if watched else None
        self._task = execute()

    @property
    def run_id(self) -> str:
        """The Run's id."""
        return self._run.feed.run_id

    @property
    def plan(self) -> Plan:
        """The Plan it follows."""
        return self._run.order.plan

    @property
    def reader(self) -> Subscription:
        """The queue behind `events`, for a reader that also keeps time."""
        assert self._subscription is not None, "the Run was started for nobody to watch"
        return self._subscription

    @property
    def now(self) -> Report:
        """The Report as it stands."""
        return self._run.feed.report()

    def join(self) -> Subscription:
        """A further reader, of the Events from here on."""
        return self._run.feed.subscribe()

    async def stored(self) -> None:
        """Return when the history has every Event so far, unless it was given up for this Run."""
        await self._run.feed.flush()

    def events(self) -> AsyncIterator[Event]:
        """All Events from the first; the last has type `report`. To be read once."""
        return self.reader.read()

    async def report(self) -> Report:
        """The final Report; waits for it."""
        return await asyncio.shield(self._task)

    def stop_waiting(self) -> None:
        """Go on with what is there."""
        self._run.stop_waiting()

    def cancel(self) -> None:
        """End now; what arrived is kept and the Run is interrupted."""
        self._run.cancel()

    def cancel_slot(self, index: int) -> bool:
        """End one Slot; False: it has its result already. Raises IndexError."""
        return self._run.cancel_slot(index)

    async def retry_slot(self, index: int) -> bool:
        """Ask one Slot again that was given up; False: too late. Raises IndexError."""
        return await self._run.retry_slot(index)

    async def aclose(self) -> None:
        """Cancel what still runs and wait until it has settled."""
        self.cancel()
        await asyncio.wait([self._task])
