"""What a connection may do to us while it sends: how long, how much, how many at once.

uvicorn has no deadline for receiving a request and its parser no bound on a head. A connection that
sends too slowly (slow-loris), too large a head, or comes when there are too many, is answered and
closed here, before any application hears of it. A client that does not read what it is sent is cut
off through `ultrai.abort`, which every request's scope carries: closing would wait for it for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ultrai.server.problems import Problem
from ultrai.server.wire import encode

HEAD_S = 10.0
REQUEST_S = 60.0
LAST_MOMENT_S = 0.5
MOST_HEAD_BYTES = 64 * 1024
MOST_HEADERS = 100
MOST_CONNECTIONS = 4096

_SLOW = Problem(408, "too_slow", "the request did not arrive in time")
_LARGE = Problem(431, "head_too_large", "the request's head is too large")
_BAD = Problem(400, "bad_http", "this is no HTTP request")
_FULL = Problem(503, "overloaded", "too many connections", retry_after_s=1)
_PHRASES = {400: "Bad Request", 408: "Request Timeout", 431: "Head Too Large", 503: "Unavailable"}


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline and bounds."""

    _alarm: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _has_head = True
    _complaint: Problem = _BAD
    _is_ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody comes; the first byte has to follow soon."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._turn_away(_FULL)
        else:
            self._expect(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._relax()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes; of a head that goes on and on only so many."""
        super().data_received(data)
        if not self._has_head and not self.transport.is_closing():
            if self._alarm is None:
                self._expect(HEAD_S)  # a next request on a connection that was kept
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._turn_away(_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["ultrai.abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]
        self._has_head, self._head_bytes = False, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; too many of them end the request."""
        super().on_header(name, value)
        if len(self.headers) > MOST_HEADERS or len(name) + len(value) > MOST_HEAD_BYTES:
            self._complaint = _LARGE
            raise ValueError(_LARGE.message)  # the parser turns it into its own error

    def on_headers_complete(self) -> None:
        """The head is here; the body has its time, too."""
        self._has_head = True
        self._expect(REQUEST_S)
        super().on_headers_complete()
        if self._is_ending:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._relax()
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server is about to end. Whoever is sending a request just now still gets its answer.

        A connection that idles is closed a moment later, and what comes on it until then is
        answered: a client that uses it in this moment would take a reset for a failure.
        """
        self._is_ending = True
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            self.loop.call_later(LAST_MOMENT_S, self._close_if_idle)
        else:
            cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What the parser could not read."""
        del msg
        self._turn_away(self._complaint)

    def _expect(self, wait_s: float) -> None:
        self._relax()
        self._alarm = self.loop.call_later(wait_s, self._too_slow)

    def _relax(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _too_slow(self) -> None:
        self._alarm = None
        self._turn_away(_SLOW)

    def _turn_away(self, problem: Problem) -> None:
        """Answer, unless an answer has begun, and close."""
        self._relax()
        if self.transport.is_closing():
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_free = cycle is None or cycle.response_complete or not cycle.response_started
        if is_free and not self.pipeline:
            self.transport.write(_answer(problem))
        self.transport.close()


def _answer(problem: Problem) -> bytes:
    body = encode(problem.to_dict())
    headers: list[tuple[bytes, Any]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *problem.headers(),
    ]
    lines = b"".join(b"%b: %b\r\n" % (name, value) for name, value in headers)
    status = f"HTTP/1.1 {problem.status} {_PHRASES[problem.status]}\r\n".encode()
    return status + lines + b"\r\n" + body
