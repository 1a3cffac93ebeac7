"""When bytes go out: a reply as a list of steps, and the player that performs them over TCP.

Steps are plain values, so that faults can rearrange them before anything is sent. What this module
does not know: what the bytes mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ultrai_sim.pens import BarePen, Pen, hang_up
from ultrai_sim.wire import COMMENT

if TYPE_CHECKING:
    from aiohttp import web

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


Role = Literal["", "comment", "text", "usage", "done"]


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes; with them, so many tokens have been delivered.

    ``role`` is what they are to a client, where a fault has to know.
    """

    data: bytes
    tokens: int = 0
    role: Role = ""


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
    ``early`` goes out before the head, which with ``drip_head`` comes in pieces of so many bytes,
    so many seconds apart.

    ``delivered`` counts tokens while it is played, ``first_s`` is when the first one was sent;
    ``has_told``: its usage went out. ``ended`` tells how it ended.
    """

    steps: Sequence[Step]
    headers: Mapping[str, str]
    status: int = 200
    head_s: float = 0.0
    split: int | None = None
    length: int | None = None
    hang_up_first: Literal["incomplete", "reset"] | None = None
    drops_at_end: bool = False
    early: bytes = b""
    drip_head: tuple[int, float] | None = None
    advance: Callable[[float], None] | None = None
    delivered: int = 0
    first_s: float = 0.0
    has_told: bool = False
    ended: str = field(default="cut", init=False)


async def play(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Perform a reply; returns when the body is complete or was broken off on purpose.

    Raises `ConnectionError` or is cancelled when the client leaves first.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    if reply.head_s:
        await asyncio.sleep(reply.head_s)
    pen = Pen(request, reply) if reply.drip_head is None else BarePen(request, reply)
    if reply.hang_up_first is not None:
        await hang_up(request, reply.hang_up_first)
        return pen.response
    await pen.begin()
    for step in reply.steps:
        if isinstance(step, HangUp):
            if step.how == "clean":
                break
            await hang_up(request, step.how)
            return pen.response
        await _perform(pen, step, reply=reply, began=began)
    else:
        reply.ended = "complete"
    if reply.drops_at_end:  # all was sent, and more was promised
        await hang_up(request, "incomplete")
        return pen.response
    await pen.end()
    return pen.response


async def _perform(
    pen: Pen, step: Send | Wait | Repeat | Jump, *, reply: Reply, began: float
) -> None:
    match step:
        case Send(data, tokens, role):
            await pen.write(data)
            reply.has_told = reply.has_told or role == "usage"
            if tokens and not reply.delivered:
                reply.first_s = asyncio.get_running_loop().time() - began
            reply.delivered += tokens
        case Wait():
            await _wait(pen, step)
        case Jump(seconds):
            if reply.advance is not None:
                reply.advance(seconds)
        case Repeat(data, every_s):
            await _repeat(pen, data, every_s=every_s)


async def _wait(pen: Pen, step: Wait) -> None:
    left = step.seconds
    if step.comment_every_s is not None:
        every_s = max(step.comment_every_s, SHORTEST_PAUSE_S)
        while left > every_s:
            await asyncio.sleep(every_s)
            await pen.write(COMMENT)
            left -= every_s
    await asyncio.sleep(left)


async def _repeat(pen: Pen, data: bytes, *, every_s: float) -> None:
    while True:
        await pen.write(data)
        await asyncio.sleep(every_s)
