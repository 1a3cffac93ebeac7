"""A network in memory: real HTTP bytes between real protocols, without sockets and on any loop.

Theory of operation. A `MemoryNetwork` connects asyncio protocols. A server listens with a protocol
factory (`aiohttp.web.AppRunner(app).server` is one); `connector()` is what an
`aiohttp.ClientSession` connects through. Every connection is a pair of transports: what is written
to one side is delivered to the other in order, after the delay and in the pieces that the
connection's `Link` says, with back-pressure, half-closed and reset as TCP has them. Everything is
scheduled on the running loop, so on `VirtualTimeLoop` a whole conversation is exact and repeatable.

`MemoryNetwork.cut_off` is what a machine does to the connections of a process that is killed.

What it does not know: TLS, proxies, names. Every address that nobody listens on refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ultrai.testing.memory_transport import Address, Link, MemoryTransport, connect

if TYPE_CHECKING:
    import aiohttp

    Factory = Callable[[], asyncio.Protocol]

_REFUSED = 111  # errno.ECONNREFUSED on Linux
_FIRST_PORT = 40_000


@dataclass(frozen=True, slots=True)
class Weather:
    """How the next connection fares. `refuse`: nobody answers; `connect_s`: until it stands."""

    link: Link = field(default_factory=Link)
    connect_s: float = 0.0
    refuse: bool = False


class MemoryNetwork:
    """Hosts of one loop. `weather` is asked once for every connection that is opened."""

    def __init__(self, weather: Callable[[], Weather] = Weather) -> None:
        self.weather = weather
        self.opened = 0
        self._listeners: dict[Address, Factory] = {}
        self._sides: set[MemoryTransport] = set()

    @property
    def open_connections(self) -> int:
        """How many connections still stand, seen from their clients."""
        return sum(not side.is_closing() for side in self._sides)

    def listen(self, address: Address, factory: Factory) -> None:
        """Serve this address (host, port) with protocols from `factory`, from now on."""
        self._listeners[address] = factory

    def connector(self) -> aiohttp.BaseConnector:
        """A connector for one `aiohttp.ClientSession`; the session closes it."""
        from ultrai.testing.memory_connector import MemoryConnector

        return MemoryConnector(self)

    async def open(self, address: Address, factory: Factory) -> MemoryTransport:
        """Connect a protocol of the client's to who listens there. Raises ConnectionRefusedError.

        The weather may refuse it all the same.
        """
        weather = self.weather()
        if weather.connect_s:
            await asyncio.sleep(weather.connect_s)
        listener = self._listeners.get(address)
        if listener is None or weather.refuse:
            raise ConnectionRefusedError(_REFUSED, f"nobody listens on {address[0]}:{address[1]}")
        self.opened += 1
        client, server = factory(), listener()
        here = (address[0], _FIRST_PORT + self.opened)
        side = connect(client, server, link=weather.link, addresses=(here, address))
        self._sides = {each for each in self._sides if not each.is_closing()}
        self._sides.add(side)
        return side

    def cut_off(self) -> None:
        """Reset every connection at once; the clients hear nothing of it, they are dead."""
        for side in self._sides:
            side.vanish()
        self._sides.clear()
