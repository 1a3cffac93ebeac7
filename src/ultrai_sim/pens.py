"""What bodies are written with: aiohttp's response, or the bare connection where that cannot.

aiohttp holds a response to its own head: it cuts what goes beyond a Content-Length, and sends the
head in one piece. A server that misbehaves does neither.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from ultrai_sim.schedule import Reply

LINGER_ZERO = struct.pack("ii", 1, 0)
SETTLE_S = 0.01
# A frame of a megabyte in single bytes would take minutes and show nothing more.
MOST_PIECES = 1024


class Pen:
    """Writes a reply through aiohttp, and past it what goes beyond the length of its head."""

    def __init__(self, request: web.Request, reply: Reply) -> None:
        self.response = web.StreamResponse(status=reply.status, headers=reply.headers)
        self._request = request
        self._early = reply.early
        self._left = reply.length
        self._split = reply.split
        if reply.length is not None:
            self.response.content_length = reply.length

    async def begin(self) -> None:
        """Send the head."""
        self.bare(self._early)
        await self.response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Write some bytes, in pieces where the reply is split."""
        if self._split is None:
            await self._put(data)
            return
        size = max(self._split, len(data) // MOST_PIECES)
        for start in range(0, len(data), size):
            await self._put(data[start : start + size])
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Say that this was the body."""
        await self.response.write_eof()

    def bare(self, data: bytes) -> None:
        """Put bytes on the connection, past aiohttp."""
        if data and self._request.transport is not None:
            self._request.transport.write(data)

    async def _put(self, data: bytes) -> None:
        if self._left is None:
            await self.response.write(data)
            return
        inside, beyond = data[: self._left], data[self._left :]
        self._left -= len(inside)
        if inside:
            await self.response.write(inside)
        self.bare(beyond)


class BarePen(Pen):
    """Writes head and body onto the connection itself, which ends with them."""

    def __init__(self, request: web.Request, reply: Reply) -> None:
        super().__init__(request, reply)
        self._size, self._every_s = reply.drip_head or (1, 0.0)

    async def begin(self) -> None:
        """Send the head in pieces."""
        head = self._early + self._head()
        for start, end in pairwise([*range(0, len(head), self._size), len(head)]):
            if self._request.transport is None or self._request.transport.is_closing():
                raise ConnectionResetError
            self.bare(head[start:end])
            await asyncio.sleep(self._every_s)

    async def end(self) -> None:
        """End the body, and the connection."""
        if self._left is None:
            self.bare(b"0\r\n\r\n")
        await hang_up(self._request, "incomplete")

    def _head(self) -> bytes:
        status = self.response.status
        headers = {**self.response.headers, "Connection": "close"}
        if self._left is None:
            headers["Transfer-Encoding"] = "chunked"
        lines = [f"{name}: {value}" for name, value in headers.items()]
        start = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
        return "\r\n".join([start, *lines, "", ""]).encode("latin-1", "replace")

    async def _put(self, data: bytes) -> None:
        if self._request.transport is None or self._request.transport.is_closing():
            raise ConnectionResetError
        if self._left is None and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.bare(data)


async def hang_up(request: web.Request, how: str) -> None:
    """Close the connection without ending the body; ``reset`` makes it an RST."""
    transport = request.transport
    if transport is None:
        return
    # What was written is on its way first: a reset in the same instant could overtake it.
    await asyncio.sleep(SETTLE_S)
    if how == "reset":
        raw = transport.get_extra_info("socket")
        if raw is not None:  # a transport in memory has none, and resets by itself
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        transport.abort()
    else:
        transport.close()
