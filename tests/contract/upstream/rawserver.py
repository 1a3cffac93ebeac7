"""A TCP server that answers with exactly the bytes a test gives it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field


@dataclass
class Request:
    """One request as it came over the wire."""

    head: bytes
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        prefix = name.lower() + ":"
        for line in self.head.decode().split("\r\n")[1:]:
            if line.lower().startswith(prefix):
                return line[len(prefix) :].strip()
        return None


@dataclass
class Wire:
    """The server's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes) -> None:
        """Each piece in a write of its own, so that the client reads them apart."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            for _ in range(3):
                await asyncio.sleep(0)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_left(self) -> None:
        """Return when the client has closed the connection."""
        while await self.reader.read(65536):
            pass


Script = Callable[[Wire, Request], Awaitable[None]]


@dataclass
class RawServer:
    """Runs one script per request; the last one is used again."""

    scripts: list[Script]
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            request = Request(head, b"", connection)
            length = int(request.header("content-length") or 0)
            request.body = await reader.readexactly(length)
            self.requests.append(request)
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            await script(Wire(reader, writer), request)
            if writer.transport.is_closing():
                break


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def tcp_server(
    handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server on loopback for as long as the block lasts; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, host, 0, limit=2**22, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


@contextlib.asynccontextmanager
async def raw_server(*scripts: Script) -> AsyncIterator[RawServer]:
    """A server that runs these scripts, for as long as the block lasts."""
    server = RawServer(list(scripts))
    async with tcp_server(server.serve) as server.port:
        yield server


def head(
    status: str = "200 OK", content_type: str = "text/event-stream", *extra: str, length: int = -1
) -> bytes:
    """A response head; `length` below 0: chunked."""
    framing = "Transfer-Encoding: chunked" if length < 0 else f"Content-Length: {length}"
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", framing, *extra, "", ""]
    return "\r\n".join(lines).encode()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


END = b"0\r\n\r\n"


def answering(
    status: str, body: bytes, *extra: str, content_type: str = "application/json"
) -> Script:
    """A script that gives one whole response."""

    async def script(wire: Wire, request: Request) -> None:
        await wire.send(head(status, content_type, *extra, length=len(body)) + body)

    return script


def streaming(*frames: bytes, then: Callable[[Wire], Awaitable[None]] | None = None) -> Script:
    """A script that streams each of `frames` in a chunk of its own, then ends the body."""

    async def script(wire: Wire, request: Request) -> None:
        await wire.send(head())
        await wire.send(*(chunk(frame) for frame in frames))
        if then is not None:
            await then(wire)
        else:
            await wire.send(END)

    return script
