"""An upstream of our own: raw bytes over TCP, one play per model and request, and a log of all.

It knows nothing of `ultrai` and nothing of `ultrai_sim`: what is written here was read in the
upstream's documents and in recorded traffic.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise
from typing import Any

KEY = "sk-or-v1-c0ffee0000000000000000000000000000000000000000000000000000canary"
DONE = b"data: [DONE]\n\n"
COMMENT = b": OPENROUTER PROCESSING\n\n"
USAGE = {
    "prompt_tokens": 16,
    "completion_tokens": 4,
    "total_tokens": 20,
    "cost": 4.1400000000000003e-05,
    "is_byok": False,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


class Act(Enum):
    """What a stream may do besides sending bytes and pausing."""

    END = auto()  # the proper end of a chunked body
    CLOSE = auto()  # FIN without the last chunk
    RESET = auto()  # RST
    HOLD = auto()  # say nothing more until the client leaves


@dataclass
class Call:
    """One request as it came."""

    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    wire: Wire

    @property
    def model(self) -> str:
        return self.body["model"]


@dataclass
class Wire:
    """The server's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def act(self, act: Act) -> None:
        if act is Act.END:
            await self.send(b"0\r\n\r\n")
        elif act is Act.HOLD:
            while await self.reader.read(65536):
                pass
        elif act is Act.CLOSE:
            self.writer.close()
        else:
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()


Play = Callable[[Wire, Call], Awaitable[None]]
Piece = bytes | float | Act


def head(status: str, *headers: str, length: int | None = None, kind: str) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", framing, *headers, "", ""]
    return "\r\n".join(lines).encode()


def whole(status: str, body: bytes, *headers: str, kind: str = "application/json") -> Play:
    """One response with a length."""

    async def play(wire: Wire, call: Call) -> None:
        await wire.send(head(status, *headers, length=len(body), kind=kind) + body)

    return play


def refusal(
    status: int,
    message: str = "no",
    *headers: str,
    metadata: Mapping[str, object] | None = None,
    code: object = None,
) -> Play:
    """An error in OpenRouter's envelope."""
    error: dict[str, object] = {"message": message, "code": status if code is None else code}
    if metadata is not None:
        error["metadata"] = metadata
    body = json.dumps({"error": error, "user_id": "user_1"}).encode()
    return whole(f"{status} Because", body, *headers)


def streamed(*pieces: Piece, headers: Sequence[str] = (), status: str = "200 OK") -> Play:
    """A stream: bytes are chunks, numbers are pauses in seconds; without an Act it ends well."""

    async def play(wire: Wire, call: Call) -> None:
        await wire.send(head(status, *headers, kind="text/event-stream"))
        for piece in (*pieces, Act.END):
            if isinstance(piece, bytes):
                await wire.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            elif isinstance(piece, Act):
                await wire.act(piece)
                return
            else:
                await asyncio.sleep(piece)

    return play


def before_head(act: Act, pause_s: float = 0.0) -> Play:
    """Nothing but this."""

    async def play(wire: Wire, call: Call) -> None:
        await asyncio.sleep(pause_s)
        await wire.act(act)

    return play


def frame(text: str | None = "", *, finish: str | None = None, **rest: object) -> bytes:
    """One chunk of a stream. `usage`, `error`, `choices` go to the top, all else into the delta."""
    top = {name: rest.pop(name) for name in ("usage", "error", "choices", "model") if name in rest}
    delta = {"role": "assistant", "content": text, **rest}
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish}
    shape = {
        "id": "gen-1790000000-AbCdEfGhIjKlMnOpQrSt",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "acme/any-2026-01-01",
        "provider": "Acme",
        "choices": [choice],
        **top,
    }
    return b"data: " + json.dumps(shape).encode() + b"\n\n"


def ending(usage: Mapping[str, object] | None = USAGE, finish: str = "stop") -> tuple[bytes, ...]:
    """How a stream of today ends: the finish, the finish again with usage, [DONE]."""
    if usage is None:
        return frame(finish=finish), DONE
    return frame(finish=finish), frame(finish=finish, usage=usage), DONE


def says(text: str = "pong", *, after_s: float = 0.0, between_s: float = 0.0) -> Play:
    """A whole good answer, as a stream or in one piece as the request wants it."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1].rstrip()
    pieces: list[Piece] = [COMMENT, after_s]
    for word in words:
        pieces += [frame(word), between_s]
    stream = streamed(*pieces, *ending())
    message = {"role": "assistant", "content": text, "refusal": None, "reasoning": None}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    shape = {"id": "gen-1", "model": "acme/any", "provider": "Acme", "choices": [choice]}
    at_once = whole("200 OK", json.dumps({**shape, "usage": USAGE}).encode())

    async def play(wire: Wire, call: Call) -> None:
        if call.body.get("stream"):
            await stream(wire, call)
        else:
            await asyncio.sleep(after_s)
            await at_once(wire, call)

    return play


def row(model_id: str, **rest: object) -> dict[str, object]:
    """One row of the catalogue: a window of 100,000 tokens, $1 and $2 per million tokens."""
    return {
        "id": model_id,
        "canonical_slug": model_id,
        "name": model_id,
        "created": 1700000000,
        "context_length": 100_000,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": "0.000001", "completion": "0.000002"},
        "top_provider": {"context_length": 100_000, "max_completion_tokens": 8000},
        "supported_parameters": ["max_tokens", "temperature", "seed"],
        "a_field_of_tomorrow": {"deep": [1, None]},
        **rest,
    }


@dataclass
class Upstream:
    """The server. Each model's plays are used in order, the last one again and again."""

    plays: dict[str, list[Play]] = field(default_factory=dict)
    otherwise: Play = field(default_factory=says)
    rows: list[dict[str, object]] = field(default_factory=list)
    listing: Play | None = None
    key: Mapping[str, object] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    lookups: list[Call] = field(default_factory=list)
    open_connections: int = 0
    most_at_once: int = 0
    at_once: int = 0
    scheme: str = "http"
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/api/v1"

    @property
    def asked(self) -> Counter[str]:
        """How often each model was asked."""
        return Counter(call.model for call in self.calls)

    def calls_of(self, model: str) -> list[Call]:
        return [call for call in self.calls if call.model == model]

    def gaps_of(self, model: str) -> list[float]:
        """Seconds between one request for the model and the next."""
        times = [call.at for call in self.calls_of(model)]
        return [later - earlier for earlier, later in pairwise(times)]

    def listed(self, *ids: str) -> None:
        self.rows += [row(model_id) for model_id in ids]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections += 1
        wire = Wire(reader, writer)
        try:
            while not writer.transport.is_closing():
                call = await _read_call(wire)
                await self._answer(wire, call)
        except (asyncio.IncompleteReadError, OSError, ssl.SSLError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _answer(self, wire: Wire, call: Call) -> None:
        if call.path.endswith("/chat/completions"):
            self.calls.append(call)
            left = self.plays.get(call.model) or [self.otherwise]
            play = left.pop(0) if len(left) > 1 else left[0]
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await play(wire, call)
            finally:
                self.at_once -= 1
            return
        self.lookups.append(call)
        if call.path.endswith("/models") and self.listing is not None:
            await self.listing(wire, call)
        elif call.path.endswith("/models"):
            rows = self.rows or [row("acme/somebody")]
            await whole("200 OK", json.dumps({"data": rows}).encode())(wire, call)
        elif call.path.endswith("/key"):
            await whole("200 OK", json.dumps({"data": self.key}).encode())(wire, call)
        else:
            await refusal(404, "Not found")(wire, call)


async def _read_call(wire: Wire) -> Call:
    raw = (await wire.reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = raw.removesuffix("\r\n\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    body = await wire.reader.readexactly(int(headers.get("content-length", 0)))
    shape = json.loads(body) if body else None
    return Call(time.monotonic(), method, path, headers, shape, wire)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TCP server on loopback for as long as the block lasts; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer), name="upstream")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**22, backlog=2048, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await server.wait_closed()


@contextlib.asynccontextmanager
async def running(
    upstream: Upstream, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Upstream]:
    """This upstream, for as long as the block lasts."""
    async with listening(upstream.serve, tls) as upstream.port:
        yield upstream
