"""Reads JSON that an upstream offers beside its answers: listings and accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import aiohttp
import msgspec

from ultrai.domain.errors import (
    CredentialsError,
    KeyRefused,
    UltraiError,
    UpstreamUnavailable,
    UsageError,
)
from ultrai.domain.outcome import Failure, FailureKind
from ultrai.upstream.classify import classify_status
from ultrai.upstream.complaint import read_body
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.hints import Circumstances
from ultrai.upstream.keyholder import UNAUTHORIZED, Keyholder
from ultrai.upstream.lenient import UNREADABLE, mapping, parse_json
from ultrai.upstream.masking import FragmentMasker, mask
from ultrai.upstream.mishap import READ_ERRORS, TRANSPORT_ERRORS, before_head
from ultrai.upstream.outgoing import is_usable_key, request_headers
from ultrai.upstream.words import one_line

MAX_LISTING_BYTES: Final = 64_000_000
_OK: Final = 200
_DONE: Final = (200, 201, 202, 204)
_NOT_FOUND: Final = 404
_OPEN_TO_ALL: Final = "/models"
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode
_REFUSED: Final = (FailureKind.AUTH, FailureKind.FORBIDDEN)
_HINTS: Final = {
    FailureKind.AUTH: "renew the key",
    FailureKind.NETWORK: "check the connection, the proxy and the base URL",
    FailureKind.BAD_RESPONSE: "check the base URL and any proxy on the way",
    FailureKind.MODEL_UNAVAILABLE: "check the base URL and the model id",
    FailureKind.RATE_LIMITED: "try again in a minute",
    FailureKind.BAD_REQUEST: "change what the message names: asking again is no use",
}
_MANAGERS_KEY: Final = (
    "OPENROUTER_MANAGEMENT_KEY (or management_key in the settings) must hold a management key, "
    "not one that asks models"
)
_MANAGERS_HINTS: Final = {
    FailureKind.AUTH: _MANAGERS_KEY,
    FailureKind.FORBIDDEN: _MANAGERS_KEY,
    FailureKind.MODEL_UNAVAILABLE: "list the keys with `ultrai keys list`",
}


@dataclass(frozen=True, slots=True)
class _Reply:
    """A response that was read to its end, the key masked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Lookup:
    """GETs of one upstream. Numbers with a fraction come back as `Decimal` or text, never float."""

    def __init__(
        self,
        holder: Keyholder,
        session: aiohttp.ClientSession,
        *,
        connect_s: float,
        total_s: float,
    ) -> None:
        self._holder = holder
        self._session = session
        self._connect_s = connect_s
        self._total_s = total_s

    async def get(self, path: str, *, absent: UltraiError | None = None) -> object:
        """The JSON at `path`. Raises UpstreamUnavailable with cause and hint, each one line.

        `absent` is raised instead for a 404 in the upstream's own words: JSON that names an error.
        One that speaks otherwise, such as HTML, comes from a wrong base URL or a proxy.
        aiohttp repeats a GET once when a kept connection turns out to be closed.
        """
        return await self._request("GET", path, absent=absent)

    async def send(
        self, method: str, path: str, *, wishes: Mapping[str, object] | None = None
    ) -> object:
        """The JSON that a POST, PATCH or DELETE brings; errors as `get`. It is sent once.

        Raises UsageError where the upstream finds the wishes themselves wrong.
        """
        return await self._request(method, path, wishes=wishes)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        wishes: Mapping[str, object] | None = None,
        absent: UltraiError | None = None,
    ) -> object:
        config = await self._keyed(path)
        reply = await self._ask(config, method, path=path, wishes=wishes)
        if reply.status == UNAUTHORIZED:
            renewed = await self._holder.after_denial(config)
            if renewed is not None:
                reply = await self._ask(renewed, method, path=path, wishes=wishes)
        if absent is not None and reply.status == _NOT_FOUND and _names_an_error(reply.body):
            raise absent
        return self._judge(reply, is_change=wishes is not None)

    async def _keyed(self, path: str) -> UpstreamConfig:
        """What to ask with; OpenRouter shows its listings also to whoever has no key."""
        try:
            config = await self._holder.current()
        except CredentialsError as error:
            config = self._holder.config
            if not (config.is_openrouter and path.startswith(_OPEN_TO_ALL)):
                raise KeyRefused(f"{config.name}: {error}", hint=error.hint) from None
        if not is_usable_key(config):
            raise self._unavailable(
                Failure(FailureKind.AUTH, "the key holds characters that no header may carry")
            )
        return config

    async def _ask(
        self,
        config: UpstreamConfig,
        method: str,
        *,
        path: str,
        wishes: Mapping[str, object] | None,
    ) -> _Reply:
        timeout = aiohttp.ClientTimeout(total=self._total_s, connect=self._connect_s)
        try:
            response = await self._session.request(
                method,
                config.url(path),
                json=wishes,
                headers=request_headers(config, "application/json"),
                proxy=config.proxy,
                allow_redirects=False,
                timeout=timeout,
            )
        except TRANSPORT_ERRORS as error:
            raise self._unavailable(self._mishap(error)) from None
        try:
            return _Reply(response.status, response.headers, await self._read(response))
        finally:
            response.close()

    def unavailable(self, words: str) -> UpstreamUnavailable:
        """The error for a response that was read and is of no use."""
        return self._unavailable(Failure(FailureKind.BAD_RESPONSE, words))

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        try:
            while chunk := await response.content.readany():
                body += chunk
                if len(body) > MAX_LISTING_BYTES:
                    raise self.unavailable("the response is larger than 64 MB")
        except TimeoutError:
            words = f"no complete response within {self._total_s:g} s"
            raise self._unavailable(Failure(FailureKind.TIMEOUT, words)) from None
        except READ_ERRORS:
            if response.status == _OK:
                words = "the connection broke while the response was read"
                raise self._unavailable(Failure(FailureKind.NETWORK, words)) from None
        # A listing is kept on disk: also there the key must not be, should an upstream echo it.
        return mask(self._holder.config.key, body.decode("latin-1")).encode("latin-1")

    def _judge(self, reply: _Reply, *, is_change: bool) -> object:
        if reply.status in range(300, 400):
            raise self.unavailable(f"a redirect (HTTP {reply.status}), which is never followed")
        if reply.status not in _DONE:
            around = Circumstances(headers=reply.headers)
            failure = classify_status(reply.status, read_body(reply.body), around=around)
            error = self._unavailable(failure)
            if is_change and failure.kind is FailureKind.BAD_REQUEST:
                raise UsageError(str(error), hint=error.hint)
            raise error
        try:
            return _decode(reply.body)
        except (ValueError, RecursionError):
            value = parse_json(reply.body)
        if value is UNREADABLE:
            raise self.unavailable("the response is not JSON")
        return value

    def _mishap(self, error: BaseException) -> Failure:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientConnectorError):
            words = f"no response within {self._total_s:g} s"
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                words = f"no connection within {min(self._connect_s, self._total_s):g} s"
            return Failure(FailureKind.TIMEOUT, words)
        return before_head(error)

    def _unavailable(self, failure: Failure) -> UpstreamUnavailable:
        config = self._holder.config
        words = FragmentMasker(config.key).mask(failure.message)
        hints = _HINTS | (_MANAGERS_HINTS if config.manages_keys else {})
        kind = KeyRefused if failure.kind in _REFUSED else UpstreamUnavailable
        return kind(
            one_line(f"{config.name}: {words}"),
            hint=hints.get(failure.kind, "try again later"),
        )


def _names_an_error(body: bytes) -> bool:
    return "error" in mapping(parse_json(body))
