"""Weights from their home, Hugging Face, over HTTPS; resumed with Range where they broke off.

A blocked network must not cost minutes: names that do not resolve and connections that hang on
each of several addresses have their own long timeouts, so the first answer is awaited in a
thread, for a bounded time in all, and then left behind.
"""

from __future__ import annotations

import queue
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from ultrai.local.models import LocalModel
from ultrai.local.origins import OriginError, Seen, size_of

_CHUNK_BYTES = 1 << 18
_PARTIAL_CONTENT = 206
HEAD_TIMEOUT_S = 8.0
STALL_TIMEOUT_S = 20.0
RECONNECTS = 5


class Response(Protocol):
    """What is used of `http.client.HTTPResponse`."""

    status: int

    def getheader(self, name: str, default: str = "") -> str:
        """One header."""

    def read1(self, n: int) -> bytes:
        """What has arrived, up to that many bytes; nothing at the end."""

    def close(self) -> None:
        """Drop the connection."""


OpenUrl = Callable[[Request, float], Response]
"""Sends the request; the float bounds each wait on the socket, in seconds."""


def open_url(request: Request, timeout_s: float) -> Response:
    """Certificates are checked; the proxy settings of the environment are honoured."""
    response: Response = urlopen(  # noqa: S310 - the scheme is fixed by Hub's own base address
        request, timeout=timeout_s, context=ssl.create_default_context()
    )
    return response


class Hub:
    """The model's home. `head_timeout_s` bounds connecting and waiting for an answer."""

    name = "Hugging Face"

    def __init__(
        self,
        base_url: str = "https://huggingface.co",
        *,
        send: OpenUrl = open_url,
        head_timeout_s: float = HEAD_TIMEOUT_S,
    ) -> None:
        self._base_url = base_url
        self._send = send
        self._head_timeout_s = head_timeout_s

    def spare_bytes(self, model: LocalModel) -> int:
        """Nothing: bytes go straight to their place."""
        return 0

    def fill(self, model: LocalModel, part: Path, *, seen: Seen) -> None:
        """Append what is missing; after a break, reconnect while each try brings something."""
        reconnects_left = RECONNECTS
        while (before := size_of(part)) < model.size_bytes:
            try:
                self._append(model, part, seen=seen)
            except OriginError:
                if size_of(part) <= before or reconnects_left == 0:
                    raise
                reconnects_left -= 1

    def _append(self, model: LocalModel, part: Path, *, seen: Seen) -> None:
        offset = size_of(part)
        response = self._answer(self._request(model, offset))
        try:
            if response.status != _PARTIAL_CONTENT:
                offset = 0
            _check_length(response, model.size_bytes - offset)
            with part.open("ab" if offset else "wb") as file:
                while offset < model.size_bytes:
                    chunk = _arrived(
                        response, offset=offset, wanted_bytes=model.size_bytes - offset
                    )
                    file.write(chunk)
                    offset += len(chunk)
                    seen(offset)
        finally:
            response.close()

    def _request(self, model: LocalModel, offset: int) -> Request:
        hub = model.hub
        path = f"{hub.repo}/resolve/{hub.revision}/{quote(hub.file)}"
        headers = {"User-Agent": "ultrai", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        return Request(f"{self._base_url}/{path}", headers=headers)  # noqa: S310 - as above

    def _answer(self, request: Request) -> Response:
        """The response, or OriginError once the bound has passed, whatever hangs."""
        outcome: queue.SimpleQueue[Response | Exception] = queue.SimpleQueue()
        abandoned = threading.Event()

        def send() -> None:
            try:
                response = self._send(request, STALL_TIMEOUT_S)
            except Exception as error:  # noqa: BLE001 - handed to the waiting thread
                outcome.put(error)
                return
            if abandoned.is_set():
                response.close()
            outcome.put(response)

        threading.Thread(target=send, name="ultrai-hub", daemon=True).start()
        try:
            answer = outcome.get(timeout=self._head_timeout_s)
        except queue.Empty:
            abandoned.set()
            message = f"no answer within {self._head_timeout_s:g} s"
            raise OriginError(message) from None
        if isinstance(answer, Exception):
            raise OriginError(_why(answer)) from answer
        return answer


def _arrived(response: Response, *, offset: int, wanted_bytes: int) -> bytes:
    try:
        chunk = response.read1(min(_CHUNK_BYTES, wanted_bytes))
    except (OSError, HTTPException) as error:
        message = f"the transfer broke off after {offset} bytes ({_why(error)})"
        raise OriginError(message) from error
    if not chunk:
        message = f"the connection closed after {offset} bytes"
        raise OriginError(message)
    return chunk


def _check_length(response: Response, expected_bytes: int) -> None:
    """Refuse at once what cannot be the file: a sign-in page of a network, another file."""
    declared = response.getheader("Content-Length")
    if declared and declared != str(expected_bytes):
        message = f"offered {declared} bytes where {expected_bytes} were expected"
        raise OriginError(message)


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        with error:
            return f"HTTP {error.code}"
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return "timed out"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
