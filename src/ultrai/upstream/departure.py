"""The body of a request that knows whether it has begun to leave.

aiohttp writes a body once a connection stands, so this is the proof for `Received.sent`: as long as
nothing was asked of it, nothing of the request can have been received, worked on or billed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import Payload

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter


class DepartingBody(Payload):
    """JSON bytes, written in one piece. `on_departure` is called when that begins."""

    _autoclose = True

    def __init__(self, value: bytes, on_departure: Callable[[], None]) -> None:
        super().__init__(value, content_type="application/json")
        self._size = len(value)
        self._bytes = value
        self._on_departure = on_departure
        self.has_departed = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return self._bytes.decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """The body itself."""
        return self._bytes

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write it all; the connection stands."""
        self.has_departed = True
        self._on_departure()
        await writer.write(self._bytes)

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """The same: the length announced is the length there is."""
        await self.write(writer)
