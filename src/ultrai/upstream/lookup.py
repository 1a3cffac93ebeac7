"""Reads JSON that an upstream offers beside its answers: listings and accounts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import aiohttp
import msgspec

from ultrai.domain.errors import KeyRefused, UltraiError, UpstreamUnavailable
from ultrai.domain.outcome import Failure, FailureKind
from ultrai.upstream.classify import classify_status
from ultrai.upstream.complaint import read_body
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.hints import Circumstances
from ultrai.upstream.lenient import UNREADABLE, mapping, parse_json
from ultrai.upstream.masking import FragmentMasker, mask
from ultrai.upstream.mishap import READ_ERRORS, TRANSPORT_ERRORS, before_head
from ultrai.upstream.outgoing import is_usable_key, request_headers
from ultrai.upstream.words import one_line

MAX_LISTING_BYTES: Final = 64_000_000
_OK: Final = 200
_DONE: Final = (200, 201, 202, 204)
_NOT_FOUND: Final = 404
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode
_REFUSED: Final = (FailureKind.AUTH, FailureKind.FORBIDDEN)
_HINTS: Final = {
    FailureKind.AUTH: "renew the key",
    FailureKind.NETWORK: "check the connection, the proxy and the base URL",
    FailureKind.BAD_RESPONSE: "check the base URL and any proxy on the way",
    FailureKind.MODEL_UNAVAILABLE: "check the base URL and the model id",
    FailureKind.RATE_LIMITED: "try again in a minute",
}


class Lookup:
    """GETs of one upstream. Numbers with a fraction come back as `Decimal` or text, never float."""

    def __init__(
        self,
        config: UpstreamConfig,
        session: aiohttp.ClientSession,
        *,
        connect_s: float,
        total_s: float,
    ) -> None:
        self._config = config
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
        """The JSON that a POST, PATCH or DELETE brings; errors as `get`. It is sent once."""
        return await self._request(method, path, wishes=wishes)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        wishes: Mapping[str, object] | None = None,
        absent: UltraiError | None = None,
    ) -> object:
        if not is_usable_key(self._config):
            raise self._unavailable(
                Failure(FailureKind.AUTH, "the key holds characters that no header may carry")
            )
        timeout = aiohttp.ClientTimeout(total=self._total_s, connect=self._connect_s)
        try:
            response = await self._session.request(
                method,
                self._config.url(path),
                json=wishes,
                headers=request_headers(self._config, "application/json"),
                proxy=self._config.proxy,
                allow_redirects=False,
                timeout=timeout,
            )
        except TRANSPORT_ERRORS as error:
            raise self._unavailable(self._mishap(error)) from None
        try:
            body = await self._read(response)
            if absent is not None and response.status == _NOT_FOUND and _names_an_error(body):
                raise absent
            return self._judge(response, body)
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
        return mask(self._config.key, body.decode("latin-1")).encode("latin-1")

    def _judge(self, response: aiohttp.ClientResponse, body: bytes) -> object:
        if response.status in range(300, 400):
            raise self.unavailable(f"a redirect (HTTP {response.status}), which is never followed")
        if response.status not in _DONE:
            around = Circumstances(headers=response.headers)
            raise self._unavailable(
                classify_status(response.status, read_body(body), around=around)
            )
        try:
            return _decode(body)
        except (ValueError, RecursionError):
            value = parse_json(body)
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
        words = FragmentMasker(self._config.key).mask(failure.message)
        kind = KeyRefused if failure.kind in _REFUSED else UpstreamUnavailable
        return kind(
            one_line(f"{self._config.name}: {words}"),
            hint=_HINTS.get(failure.kind, "try again later"),
        )


def _names_an_error(body: bytes) -> bool:
    return "error" in mapping(parse_json(body))
