"""Transport errors -> what happened, in the words of a person."""

from __future__ import annotations

import ssl
import zlib
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


def before_head(error: BaseException) -> Failure:
    """The Failure that a transport error before the response head is."""
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.InvalidURL)):
        return Failure(FailureKind.NETWORK, one_line(_no_connection(error)))
    if isinstance(error, aiohttp.ClientHttpProxyError):
        words = f"the proxy refused to connect: HTTP {error.status}"
        return Failure(FailureKind.NETWORK, words)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Failure(FailureKind.NETWORK, "the connection was closed before any answer")
    if isinstance(error, (aiohttp.ClientResponseError, HttpProcessingError)):
        words = one_line(f"what came back is not HTTP: {error.message}")
        return Failure(FailureKind.BAD_RESPONSE, words)
    words = one_line(f"the connection broke before any answer: {_reason(error)}")
    return Failure(FailureKind.NETWORK, words)


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


def _no_connection(error: aiohttp.ClientConnectorError | aiohttp.InvalidURL) -> str:
    if isinstance(error, aiohttp.InvalidURL):
        return "the base URL is not an address"
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
