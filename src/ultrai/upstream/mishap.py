"""Transport errors -> Failure, and whether the request can have left us.

Only what provably happened before the first byte of the request counts as not sent: no address, no
connection, no TLS, a proxy that refused to connect. Everything else may have been received, worked
on and billed.
"""

from __future__ import annotations

import ssl
import zlib
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

from ultrai.domain.outcome import Failure, FailureKind
from ultrai.upstream.words import one_line

TRANSPORT_ERRORS: Final = (
    aiohttp.ClientError,
    HttpProcessingError,
    OSError,  # sockets, TLS and TimeoutError
    ValueError,  # bytes that no parser takes, addresses that are none
    EOFError,
    zlib.error,
)
"""What aiohttp raises when the world misbehaves: before the head and after it."""

READ_ERRORS: Final = (*TRANSPORT_ERRORS, RuntimeError)  # a closed StreamReader raises RuntimeError


@dataclass(frozen=True, slots=True)
class Mishap:
    """What became of a request that got no response head. `sent` is False when provably not."""

    failure: Failure
    sent: bool


def before_head(error: BaseException, *, connect_s: float) -> Mishap:
    """A transport error before the response head."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return Mishap(Failure(FailureKind.NETWORK, one_line(_no_connection(error))), sent=False)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        message = f"no connection within {connect_s:g} s"
        return Mishap(Failure(FailureKind.TIMEOUT, message), sent=False)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        message = f"the proxy refused to connect: HTTP {error.status}"
        return Mishap(Failure(FailureKind.NETWORK, message), sent=False)
    if isinstance(error, aiohttp.InvalidURL):
        return Mishap(Failure(FailureKind.NETWORK, "the base URL is not an address"), sent=False)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        message = "the connection was closed before any answer"
        return Mishap(Failure(FailureKind.NETWORK, message), sent=True)
    if isinstance(error, (aiohttp.ClientResponseError, HttpProcessingError)):
        message = one_line(f"what came back is not HTTP: {error.message}")
        return Mishap(Failure(FailureKind.BAD_RESPONSE, message), sent=True)
    if isinstance(error, OSError):
        message = one_line(f"the connection broke before any answer: {_reason(error)}")
        return Mishap(Failure(FailureKind.NETWORK, message), sent=True)
    message = one_line(f"the request failed: {_reason(error)}")
    return Mishap(Failure(FailureKind.NETWORK, message), sent=True)


def after_head(error: BaseException) -> str:
    """What broke while a body was read, in words."""
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection ended in mid-answer"
    return one_line(f"the connection broke in mid-answer: {_reason(error)}")


def is_undecodable(error: BaseException | None) -> bool:
    """Whether the body's compression could not be undone: its bytes mean nothing."""
    seen = 0
    while error is not None and seen < 5:  # noqa: PLR2004  a chain of causes is short, or a ring
        if isinstance(error, (ContentEncodingError, zlib.error)):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _no_connection(error: aiohttp.ClientConnectorError) -> str:
    where = f"{error.host}:{error.port}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {where} is not trusted: {_reason(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"no TLS with {where}: {_reason(error.os_error)}"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"no connection to the proxy: {_reason(error.os_error)}"
    return f"no connection to {where}: {_reason(error.os_error)}"


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "handshake failed").replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
