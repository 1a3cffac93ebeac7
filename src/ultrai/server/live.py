"""The Runs that go on in this process, and those that have just ended.

Of a Run that was started natively all Events are kept in memory until some time after its end, so
that a reader may come late, leave and come back; afterwards the history has them. A Run of chat
completions is read by its own client; whoever else wants its Events gets what the history has of
them so far, and from there on those that come (`joined`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from enum import Enum

from ultrai.assembly.facade import UltrAI
from ultrai.domain.access import AccessKey
from ultrai.domain.ask import Ask
from ultrai.domain.event import Event
from ultrai.domain.report import Report
from ultrai.engine.handle import RunHandle
from ultrai.server.access import Access
from ultrai.server.problems import full

MOST_RUNS = 1000
MOST_ENDED = 200
MOST_KEPT_EVENTS = 200_000
KEEP_ALIVE_S = 5.0
_LOG = logging.getLogger("ultrai.server")


class Watch(Enum):
    """Who reads a Run's Events: nobody, one client while it goes on, or whoever comes."""

    NOT = "not"
    READ = "read"
    KEPT = "kept"


class LiveRun:
    """One Run. Once its last reader has gone it is cancelled, unless it is detached."""

    def __init__(self, handle: RunHandle, owner: str | None, *, detached: bool) -> None:
        self.handle: RunHandle | None = handle
        self.run_id = handle.run_id
        self.owner = owner
        self.detached = detached
        self.readers = 1
        self.events: list[Event] | None = None
        self.ended: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()

    @property
    def now(self) -> Report:
        """The Report as it stands."""
        return self.ended.result() if self.handle is None else self.handle.now

    async def report(self) -> Report:
        """The final Report; waits for it."""
        return await asyncio.shield(self.ended)

    def cancel(self) -> bool:
        """End it now; False: it is over already."""
        if self.handle is None:
            return False
        self.handle.cancel()
        return True

    def leave(self) -> None:
        """A reader has gone; the last one takes the Run along, unless it is detached."""
        self.readers -= 1
        if self.readers <= 0 and not self.detached:
            self.cancel()

    async def attend(self, *, kept: bool) -> None:
        """Wait for its end; collect its Events meanwhile, if they are to be kept."""
        handle = self.handle
        assert handle is not None
        try:
            if kept:
                self.events = []
                while (batch := await handle.reader.batch()) is not None:
                    self.events += batch
                    self._tell()
            self.ended.set_result(await handle.report())
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must see it
            _LOG.exception("a bug in %s", self.run_id)
            self.ended.set_exception(error)
            self.ended.exception()  # somebody has seen it
        finally:
            if not self.ended.done():
                self.ended.cancel()
            self.handle = None
            self._tell()

    async def follow(self, after: int) -> AsyncGenerator[Sequence[Event], None]:
        """The kept Events behind that number, as they come; none where it has been quiet."""
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
            elif self.handle is None:
                return
            elif not await _is_set(news):
                yield ()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class LiveRuns:
    """Starts Runs and finds them again."""

    def __init__(self, session: UltrAI, *, most: int = MOST_RUNS) -> None:
        self.session = session
        self.access = Access(session)
        self.is_draining = False
        self._most = most
        self._starting = 0
        self._runs: OrderedDict[str, LiveRun] = OrderedDict()
        self._ended: OrderedDict[str, LiveRun] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """How many go on."""
        return len(self._runs)

    async def start(
        self, ask: Ask, *, key: AccessKey | None, detached: bool = False, watch: Watch = Watch.READ
    ) -> LiveRun:
        """Start a Run. Raises what planning raises, and Refused where there are too many."""
        if len(self._runs) + self._starting >= self._most:
            raise full(f"{self._most} runs are under way")
        if self.session.is_full:
            raise full("too many attempts wait for their turn")
        ask = self.access.admit(ask, key)
        self._starting += 1
        try:
            watched = watch is not Watch.NOT or not self.session.settings.history
            handle = await self.session.start(ask, watched=watched)
        finally:
            self._starting -= 1
        live = LiveRun(handle, None if key is None else key.id, detached=detached)
        await asyncio.sleep(0)  # its first step: from then on its Report says what it is
        self._runs[live.run_id] = live
        kept = watch is Watch.KEPT or not self.session.settings.history
        task = asyncio.get_running_loop().create_task(self._attend(live, kept=kept))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return live

    def find(self, run_id: str) -> LiveRun | None:
        """The Run, while it goes on and a while after it."""
        return self._runs.get(run_id) or self._ended.get(run_id)

    async def joined(self, live: LiveRun, after: int) -> AsyncGenerator[Sequence[Event], None]:
        """The Events of a Run of which none are kept: the stored ones, then those that come."""
        handle = live.handle
        assert handle is not None
        reader = handle.join()
        await handle.stored()
        stored = await self.session.events(live.run_id)
        seen = max([after, *map(last_seq, stored)])
        yield behind(stored, after)
        loop = asyncio.get_running_loop()
        while True:
            timer = loop.call_later(KEEP_ALIVE_S, reader.nudge)
            batch = await reader.batch()
            timer.cancel()
            if batch is None:
                return
            yield behind(batch, seen)

    def forget_ended(self) -> None:
        """Leave to the history what is over."""
        self._ended.clear()

    async def aclose(self) -> None:
        """Cancel what still goes on and wait until it has settled."""
        for live in list(self._runs.values()):
            live.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _attend(self, live: LiveRun, *, kept: bool) -> None:
        await live.attend(kept=kept)
        del self._runs[live.run_id]
        if kept:
            self._ended[live.run_id] = live
            self._forget()

    def _forget(self) -> None:
        kept = sum(len(live.events or ()) for live in self._ended.values())
        while self._ended and (len(self._ended) > MOST_ENDED or kept > MOST_KEPT_EVENTS):
            _, oldest = self._ended.popitem(last=False)
            kept -= len(oldest.events or ())


def behind(events: Sequence[Event], after: int) -> Sequence[Event]:
    """Those that say something behind that number."""
    return [event for event in events if last_seq(event) > after]


def last_seq(event: Event) -> int:
    """The number of the last Event that this one stands for."""
    last = event.facts.get("last_seq")
    if isinstance(last, int):
        return last
    merged = event.facts.get("merged")
    return event.seq if not isinstance(merged, int) else event.seq + merged - 1


async def _is_set(news: asyncio.Event) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(KEEP_ALIVE_S):
            await news.wait()
            return True
    return False
