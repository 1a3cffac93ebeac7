"""When bytes go out: a reply as a list of steps, and the player that performs them over TCP.

Steps are plain values, so that faults can rearrange them before anything is sent. What this module
does not know: what the bytes mean.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

from ultrai_sim.wire import COMMENT

LINGER_ZERO = struct.pack("ii", 1, 0)
SETTLE_S = 0.01
# A frame of a megabyte in single bytes would take minutes and show nothing more.
MOST_PIECES = 1024
SHORTEST_PAUSE_S = 0.001


@dataclass(frozen=True, slots=True)
class Latency:
    """How long things take, in seconds.

    ``head_s`` until the response head, ``first_token_s`` from there to the first frame,
    ``per_token_s`` for each further token. While it waits, a stream sends a comment every
    ``comment_every_s``.
    """

    head_s: float = 0.0
    first_token_s: float = 0.0
    per_token_s: float = 0.0
    comment_every_s: float = 0.5

    @property
    def is_zero(self) -> bool:
        """Whether an answer may go out in one write."""
        return not (self.head_s or self.first_token_s or self.per_token_s)

    def total_s(self, tokens: int) -> float:
        """How long an answer of so many tokens takes."""
        return self.head_s + self.first_token_s + self.per_token_s * max(tokens - 1, 0)


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes; with them, so many tokens have been delivered."""

    data: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Say nothing for a while, or only comments (every ``comment_every_s``, if not None)."""

    seconds: float
    comment_every_s: float | None = None


@dataclass(frozen=True, slots=True)
class Repeat:
    """Write these bytes again and again until the client leaves."""

    data: bytes
    every_s: float


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the connection: after a proper body, in the middle of it, or by a TCP reset."""

    how: Literal["clean", "incomplete", "reset"] = "clean"


@dataclass(frozen=True, slots=True)
class Jump:
    """Put the world's clock forward by so many seconds, all at once."""

    seconds: float


Step = Send | Wait | Repeat | HangUp | Jump


@dataclass(slots=True)
class Reply:
    """An answer to perform. ``split`` is the largest write in bytes (None: as the steps have it).

    ``length`` is a Content-Length that need not be true, ``advance`` puts the clock forward.

    ``delivered`` counts tokens while it is played, ``first_s`` is when the first one was sent;
    ``ended`` tells how it ended.
    """

    steps: Sequence[Step]
    headers: Mapping[str, str]
    status: int = 200
    head_s: float = 0.0
    split: int | None = None
    length: int | None = None
    reset_first: bool = False
    drops_at_end: bool = False
    advance: Callable[[float], None] | None = None
    delivered: int = 0
    first_s: float = 0.0
    ended: str = field(default="cut", init=False)


async def play(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Perform a reply; returns when the body is complete or was broken off on purpose.

    Raises `ConnectionError` or is cancelled when the client leaves first.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    if reply.head_s:
        await asyncio.sleep(reply.head_s)
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    if reply.reset_first:
        await hang_up(request, "reset")
        return response
    if reply.length is not None:
        response.content_length = reply.length
    await response.prepare(request)
    for step in reply.steps:
        if isinstance(step, HangUp):
            if step.how == "clean":
                break
            await hang_up(request, step.how)
            return response
        await _perform(response, step, reply=reply, began=began)
    else:
        reply.ended = "complete"
    if reply.drops_at_end:  # all was sent, and more was promised
        await hang_up(request, "incomplete")
        return response
    await response.write_eof()
    return response


async def _perform(
    response: web.StreamResponse, step: Send | Wait | Repeat | Jump, *, reply: Reply, began: float
) -> None:
    match step:
        case Send(data, tokens):
            await _write(response, data, split=reply.split)
            if tokens and not reply.delivered:
                reply.first_s = asyncio.get_running_loop().time() - began
            reply.delivered += tokens
        case Wait():
            await _wait(response, step)
        case Jump(seconds):
            if reply.advance is not None:
                reply.advance(seconds)
        case Repeat(data, every_s):
            await _repeat(response, data, every_s=every_s)


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


async def _write(response: web.StreamResponse, data: bytes, *, split: int | None) -> None:
    if split is None:
        await response.write(data)
        return
    size = max(split, len(data) // MOST_PIECES)
    for start in range(0, len(data), size):
        await response.write(data[start : start + size])
        await asyncio.sleep(0)


async def _wait(response: web.StreamResponse, step: Wait) -> None:
    left = step.seconds
    if step.comment_every_s is not None:
        every_s = max(step.comment_every_s, SHORTEST_PAUSE_S)
        while left > every_s:
            await asyncio.sleep(every_s)
            await response.write(COMMENT)
            left -= every_s
    await asyncio.sleep(left)


async def _repeat(response: web.StreamResponse, data: bytes, *, every_s: float) -> None:
    while True:
        await response.write(data)
        await asyncio.sleep(every_s)
