"""The Runs that go on in this process, and those that have just ended.

Of a Run that was started natively all Events are kept in memory until some time after its end, so
that a reader may come late, leave and come back; afterwards the history has them. A Run of chat
completions is read by its own client alone, so nothing is kept of it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from ultrai.assembly.facade import UltrAI
from ultrai.domain.ask import Ask
from ultrai.domain.event import Event
from ultrai.engine.desk import RunHandle

MOST_ENDED = 200
MOST_KEPT_EVENTS = 200_000
KEEP_ALIVE_S = 5.0


class LiveRun:
    """One Run. Once its last reader has gone it is cancelled, unless it is detached."""

    def __init__(self, handle: RunHandle, owner: str | None, *, detached: bool) -> None:
        self.handle = handle
        self.owner = owner
        self.detached = detached
        self.readers = 0
        self.events: list[Event] | None = None
        self.is_over = False
        self._news = asyncio.Event()

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.handle.run_id

    def leave(self) -> None:
        """A reader has gone; the last one takes the Run along, unless it is detached."""
        self.readers -= 1
        if self.readers <= 0 and not self.detached:
            self.handle.cancel()

    async def keep(self) -> None:
        """Collect the Events until the last one."""
        self.events = []
        try:
            while (batch := await self.handle.reader.batch()) is not None:
                self.events += batch
                self._tell()
        finally:
            self.is_over = True
            self._tell()

    async def follow(self, after: int) -> AsyncIterator[Sequence[Event]]:
        """The kept Events behind that number, as they come; empty when there was a nudge."""
        assert self.events is not None
        position = 0
        while position < len(self.events) and last_seq(self.events[position]) <= after:
            position += 1
        while True:
            news = self._news
            fresh = self.events[position:]
            position += len(fresh)
            if fresh:
                yield fresh
            elif self.is_over:
                return
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        await news.wait()
                        continue
                yield ()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def last_seq(event: Event) -> int:
    """The number of the last Event that this one stands for."""
    last = event.facts.get("last_seq", event.seq)
    return last if isinstance(last, int) else event.seq


class LiveRuns:
    """Starts Runs and finds them again."""

    def __init__(self, session: UltrAI) -> None:
        self.session = session
        self._runs: OrderedDict[str, LiveRun] = OrderedDict()
        self._ended: OrderedDict[str, LiveRun] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """How many go on."""
        return len(self._runs)

    async def start(
        self, ask: Ask, *, owner: str | None, detached: bool = False, kept: bool = False
    ) -> LiveRun:
        """Start a Run. Raises what planning raises."""
        live = LiveRun(await self.session.start(ask), owner, detached=detached)
        self._runs[live.run_id] = live
        task = asyncio.get_running_loop().create_task(self._attend(live, kept=kept))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return live

    def find(self, run_id: str) -> LiveRun | None:
        """The Run, while it goes on and a while after it."""
        return self._runs.get(run_id) or self._ended.get(run_id)

    async def aclose(self) -> None:
        """Cancel what still goes on and wait until it has settled."""
        for live in list(self._runs.values()):
            live.handle.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _attend(self, live: LiveRun, *, kept: bool) -> None:
        try:
            if kept:
                await live.keep()
            await live.handle.report()
        finally:
            live.is_over = True
            del self._runs[live.run_id]
            if kept:
                self._ended[live.run_id] = live
                self._forget()

    def _forget(self) -> None:
        kept = sum(len(live.events or ()) for live in self._ended.values())
        while self._ended and (len(self._ended) > MOST_ENDED or kept > MOST_KEPT_EVENTS):
            _, oldest = self._ended.popitem(last=False)
            kept -= len(oldest.events or ())
