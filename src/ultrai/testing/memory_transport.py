"""The two ends of one connection in memory, with the manners of TCP."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

_HIGH_WATER_BYTES = 64 * 1024
_RESET = 104  # errno.ECONNRESET on Linux

Address = tuple[str, int]


def _whole(data: bytes) -> Iterable[bytes]:
    return (data,)


@dataclass(frozen=True, slots=True)
class Link:
    """How bytes travel: `delay_s` one way, and in which pieces they are read."""

    delay_s: float = 0.0
    split: Callable[[bytes], Iterable[bytes]] = _whole


class MemoryTransport(asyncio.Transport):
    """One end. Its peer gets what is written here; `vanish` ends it as a killed process does."""

    def __init__(
        self, protocol: asyncio.BaseProtocol, link: Link, *, extra: dict[str, Any]
    ) -> None:
        super().__init__(extra)
        self.peer: MemoryTransport
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._link = link
        self._closing = False
        self._lost = False
        self._ended = False  # we have said that nothing more comes
        self._deaf = False
        self._under_way: deque[Callable[[], None]] = deque()
        self._unread: deque[bytes] = deque()
        self._eof_waits = False
        self._reading = True
        self._in_flight = 0
        self._paused_writer = False
        self._high_bytes = _HIGH_WATER_BYTES

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who reads here."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another read."""
        self._protocol = protocol

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._closing

    def is_reading(self) -> bool:
        """Whether bytes are handed on as they come."""
        return self._reading and not self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; after a close they are lost, as on a socket."""
        if self._closing or self._ended or not data:
            return
        for piece in self._link.split(bytes(data)):
            self._in_flight += len(piece)
            self._deliver(self.peer._arrive, piece)
        if self._in_flight > self._high_bytes and not self._paused_writer:
            self._paused_writer = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Send several."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Say that nothing more comes."""
        if not (self._closing or self._ended):
            self._ended = True
            self._deliver(self.peer._arrive_eof)

    def can_write_eof(self) -> bool:
        """TCP can."""
        return True

    def get_write_buffer_size(self) -> int:
        """Bytes that the peer has not read yet."""
        return self._in_flight

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Low and high water."""
        return self._high_bytes // 4, self._high_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the high water; the low one follows."""
        del low
        self._high_bytes = _HIGH_WATER_BYTES if high is None else high

    def pause_reading(self) -> None:
        """Keep what comes."""
        self._reading = False

    def resume_reading(self) -> None:
        """Hand on what was kept, and what comes."""
        self._reading = True
        if self._unread or self._eof_waits:
            self._loop.call_soon(self._hand_on)

    def close(self) -> None:
        """Deliver what was written, then end."""
        if self._closing:
            return
        self.write_eof()
        self._closing = True
        self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """Reset the connection: what is under way is lost."""
        if self._lost:
            return
        self._closing = True
        self._deliver(self.peer._reset)
        self._loop.call_soon(self._lose, None)

    def vanish(self) -> None:
        """Reset it without telling the protocol here: its process is dead."""
        if not self._lost:
            self._deliver(self.peer._reset)
        self._closing = self._lost = self._deaf = True

    def _deliver(self, what: Callable[..., None], *data: bytes) -> None:
        """Call the peer after the link's delay, never before what was sent earlier."""
        if not self._link.delay_s:
            self._loop.call_soon(what, *data)
            return
        # Timers of one moment run in any order; the bytes of a connection do not.
        self._under_way.append(partial(what, *data))
        self._loop.call_later(self._link.delay_s, self._let_arrive)

    def _let_arrive(self) -> None:
        self._under_way.popleft()()

    def _arrive(self, data: bytes) -> None:
        if self._closing:
            # Nobody reads here any more: the peer learns it as it would of a closed socket.
            self._acknowledge(len(data))
            if not self._deaf:
                self._deaf = True
                self._deliver(self.peer._reset)
            return
        self._unread.append(data)
        self._hand_on()

    def _arrive_eof(self) -> None:
        self._eof_waits = True
        self._hand_on()

    def _hand_on(self) -> None:
        protocol = cast("asyncio.Protocol", self._protocol)
        while self._unread and self._reading and not self._closing:
            data = self._unread.popleft()
            self._acknowledge(len(data))
            protocol.data_received(data)
        if self._eof_waits and not self._unread and self._reading and not self._closing:
            self._eof_waits = False
            if not protocol.eof_received():
                self.close()

    def _acknowledge(self, size: int) -> None:
        peer = self.peer
        peer._in_flight -= size
        if peer._paused_writer and peer._in_flight <= peer._high_bytes // 4:
            peer._paused_writer = False
            if not peer._lost:
                peer._protocol.resume_writing()

    def _reset(self) -> None:
        if self._lost:
            return
        self._closing = True
        self._unread.clear()
        self._lose(ConnectionResetError(_RESET, "connection reset by peer"))

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._protocol.connection_lost(error)


def connect(
    client: asyncio.Protocol,
    server: asyncio.Protocol,
    *,
    link: Link,
    addresses: tuple[Address, Address],
) -> MemoryTransport:
    """Join two protocols; the client's end. `addresses`: the client's, then the server's."""
    here, there = addresses
    near = MemoryTransport(client, link, extra={"peername": there, "sockname": here})
    far = MemoryTransport(server, link, extra={"peername": here, "sockname": there})
    near.peer, far.peer = far, near
    server.connection_made(far)
    client.connection_made(near)
    return near
