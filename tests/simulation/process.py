"""One life of UltrAI: a process that opens a home directory, asks, and may be killed.

Theory of operation. A process is the real `UltrAI` with its real client and store, on its own side
of the network. `Hooks` tell when it reaches a point of its work. When it is to die there, `die`
makes it harmless in that very instant: its connections are reset, its database connection and its
proof of life are let go with nothing more written, and every later write or connect fails. What the
abandoned tasks still do is seen by nobody; they are cancelled, as memory is when a process is gone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from ultrai.assembly.facade import UltrAI
from ultrai.assembly.opening import Pieces, StoreRoom
from ultrai.domain.event import Event
from ultrai.settings.model import Settings
from ultrai.store.history import SqlHistory
from ultrai.testing import FixedClock
from ultrai.testing.memory_transport import Address, MemoryTransport
from ultrai.testing.network import MemoryNetwork, Weather
from ultrai.upstream.session import open_session

if TYPE_CHECKING:
    from ultrai.store.database import Database


@dataclass
class Hooks:
    """Counts the points that a process reaches and calls `at` for each."""

    at: Callable[[str], None]
    reached: Counter[str] = field(default_factory=Counter)

    def reach(self, point: str) -> None:
        self.reached[point] += 1
        self.at(point)


class WatchedHistory(SqlHistory):
    """The real history, which tells the hooks what is queued and what is committed."""

    def __init__(self, database: Database, hooks: Hooks) -> None:
        super().__init__(database)
        self._hooks = hooks
        self._last = ""

    def append(self, events: Sequence[Event]) -> None:
        super().append(events)
        for event in events:
            self._last = event.type.value
            name = "text" if self._last.endswith("delta") else self._last
            self._hooks.reach(f"{name} is queued")

    async def flush(self) -> None:
        await super().flush()
        self._hooks.reach(f"{self._last} is committed")


class WatchedNetwork(MemoryNetwork):
    """The process's side of the network; it is deaf and mute once the process is dead."""

    def __init__(self, weather: Callable[[], Weather], hooks: Hooks) -> None:
        super().__init__(weather)
        self._hooks = hooks
        self.dead = False

    async def open(
        self, address: Address, factory: Callable[[], asyncio.Protocol]
    ) -> MemoryTransport:
        self._hooks.reach("a connection is asked for")
        if self.dead:
            raise ConnectionRefusedError(111, "the process is dead")
        side = await super().open(address, factory)
        if self.dead:
            side.vanish()
            raise ConnectionRefusedError(111, "the process is dead")
        self._hooks.reach("a connection stands")
        return side


@dataclass(frozen=True)
class WatchedPieces(Pieces):
    """Pieces whose store is the real one, watched."""

    process: Process | None = None

    @asynccontextmanager
    async def open_store(self, settings: Settings) -> AsyncIterator[StoreRoom]:
        assert self.process is not None
        async with super().open_store(settings) as room:
            database = room.history._database
            self.process.database = database
            yield replace(room, history=WatchedHistory(database, self.process.hooks))


class Process:
    """Open it with `open`; `die` kills it."""

    def __init__(
        self,
        settings: Settings,
        *,
        network: WatchedNetwork,
        hooks: Hooks,
        clock: FixedClock,
        chance: Random,
    ) -> None:
        self.settings = settings
        self.network = network
        self.hooks = hooks
        self.dead = False
        self.database: Database | None = None
        self._clock = clock
        self._chance = chance
        self._main: asyncio.Task[object] | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[UltrAI]:
        """The UltrAI of this process; the task that opens it is the one that `die` cancels."""
        self._main = asyncio.current_task()
        async with open_session(connector=self.network.connector()) as session:
            pieces = WatchedPieces(
                clock=self._clock,
                chance=self._chance.random,
                session=session,
                inline=True,
                process=self,
            )
            async with UltrAI(self.settings, pieces) as ultrai:
                yield ultrai
                self.hooks.reach("while it closes")

    def die(self) -> None:
        """As `kill -9`: from now on nothing of it reaches the network or the disk."""
        if self.dead:
            return
        self.dead = self.network.dead = True
        self.network.cut_off()
        if self.database is not None:
            writer = self.database.writer
            writer._closing = True  # what is queued stays unwritten, and so does what comes
            writer._queue.clear()
            writer._committer.close()
        assert self._main is not None
        asyncio.get_running_loop().call_soon(self._main.cancel)
