"""One request and its answer over ASGI: read with limits, answered once, watched for a departure.

A client that leaves is noticed by the server's `http.disconnect`; one that stays and does not read
is given up after `WRITE_PATIENCE_S`. https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from ultrai.domain.access import AccessKey
from ultrai.server.problems import Problem, Refused, bad_request, full
from ultrai.server.wire import encode

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

MOST_BODY_BYTES = 16 * 1024 * 1024
MOST_INTAKE_BYTES = 256 * 1024 * 1024
MOST_QUERY_FIELDS = 20
WRITE_PATIENCE_S = 30.0
RUN_ID = b"x-ultrai-run-id"
JSON = (b"content-type", b"application/json")
_SSE = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy in between must not collect it
)


class Intake:
    """How many bytes of bodies are in memory at once, over all requests."""

    def __init__(self, most_bytes: int = MOST_INTAKE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0

    def take(self, count: int) -> None:
        """So many more. Raises Refused where there is no room."""
        if self._bytes + count > self._most_bytes:
            raise full("too much is being received at once")
        self._bytes += count

    def give_back(self, count: int) -> None:
        """So many less."""
        self._bytes -= count


class ClientGone(Exception):
    """The client has left, or does not read what it is sent."""


class Exchange:
    """One request. Headers by lower-case name; of several of one name the first counts."""

    def __init__(self, scope: Scope, receive: Receive, *, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.key: AccessKey | None = None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers: dict[bytes, bytes] | None = None
        self._query: dict[str, str] | None = None
        self._watch: asyncio.Task[None] | None = None
        self.intake: Intake | None = None
        self.body_bytes = 0
        self.status: int | None = None
        self.run_id: str | None = None
        self.has_begun = False
        self.error_shape: Callable[[Problem], object] = Problem.to_dict
        self.is_left = False

    def header(self, name: bytes) -> str | None:
        """What the client said under that name."""
        if self._headers is None:
            self._headers = dict(reversed(self._scope["headers"]))
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def parameter(self, name: str) -> str:
        """What stands in the path at that place of its route."""
        return str(self._scope["path_params"][name])

    @property
    def owner(self) -> str | None:
        """The id of the access key that asks; None: there are none."""
        return None if self.key is None else self.key.id

    def query(self, name: str) -> str | None:
        """What the address says behind its question mark under that name."""
        if self._query is None:
            text = self._scope["query_string"].decode("latin-1")
            self._query = dict(parse_qsl(text, max_num_fields=MOST_QUERY_FIELDS))
        return self._query.get(name)

    def whole(self, name: str, usual: int, *, most: int) -> int:
        """The same as a number from 1 to `most`. Raises Refused."""
        written = self.query(name)
        if written is None:
            return usual
        if written.isascii() and written.isdecimal() and 0 < int(written[:9]) <= most:
            return int(written)
        raise bad_request(f"{name} must be a whole number from 1 to {most}", param=name)

    async def body(self) -> bytes:
        """The whole body. Raises Refused (413, 415) and ClientGone."""
        if self.header(b"content-encoding") not in (None, "", "identity"):
            raise Refused(Problem(415, "unsupported_encoding", "the body must not be compressed"))
        parts: list[bytes] = []
        announced = self.header(b"content-length") or ""
        if len(announced) > len(str(MOST_BODY_BYTES)) or int(announced or 0) > MOST_BODY_BYTES:
            raise too_large()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_left = True
                raise ClientGone
            part = message.get("body", b"")
            if self.body_bytes + len(part) > MOST_BODY_BYTES:
                raise too_large()
            if self.intake is not None:
                self.intake.take(len(part))
            self.body_bytes += len(part)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    def watch(self, when_left: Callable[[], None]) -> None:
        """Call back once the client leaves. The body must have been read."""
        self._watch = asyncio.get_running_loop().create_task(self._until_left(when_left))

    async def unwatch(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch

    async def answer(self, status: int, body: bytes, *, headers: Headers = (JSON,)) -> None:
        """The whole answer."""
        length = (b"content-length", str(len(body)).encode())
        await self._start(status, [*headers, length])
        await self._write({"type": "http.response.body", "body": body})

    async def answer_json(self, status: int, shape: object, *, headers: Headers = ()) -> None:
        """The whole answer, as JSON."""
        await self.answer(status, encode(shape), headers=[JSON, *headers])

    async def refuse(self, problem: Problem, headers: Headers = ()) -> None:
        """The whole answer, as an error."""
        await self.answer_json(
            problem.status, self.error_shape(problem), headers=[*problem.headers(), *headers]
        )

    async def begin_stream(self, headers: Headers = ()) -> None:
        """The head of a stream of server-sent events."""
        await self._start(200, [*_SSE, *headers])

    async def write(self, data: bytes) -> None:
        """More of the stream. Raises ClientGone."""
        await self._write({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """The stream is over. Raises ClientGone."""
        await self._write({"type": "http.response.body", "body": b""})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.has_begun, self.status = True, status
        self.run_id = next((v.decode() for n, v in headers if n == RUN_ID), None)
        await self._write({"type": "http.response.start", "status": status, "headers": headers})

    async def _write(self, message: Mapping[str, object]) -> None:
        if self.is_left:
            raise ClientGone
        try:
            async with asyncio.timeout(WRITE_PATIENCE_S):
                await self._send(message)
        except TimeoutError:
            self.is_left = True
            abort = self._scope.get("ultrai.abort")
            if abort is not None:
                abort()  # closing would wait for it to read
            raise ClientGone from None

    async def _until_left(self, when_left: Callable[[], None]) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_left = True
                when_left()
                return


def too_large() -> Refused:
    """413: the body is larger than anything sensible."""
    limit = MOST_BODY_BYTES // (1024 * 1024)
    return Refused(Problem(413, "body_too_large", f"the body is larger than {limit} MiB"))
