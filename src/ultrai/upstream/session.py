"""The HTTP session that all upstreams of a process share."""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp

_DNS_CACHE_S: Final = 300
_KEEP_ALIVE_S: Final = 15.0
_READ_BUFFER_BYTES: Final = 64 * 1024
_HEAD_LINE_BYTES: Final = 32 * 1024


def open_session(
    *,
    connect_timeout_s: float = 10.0,
    ssl_context: ssl.SSLContext | None = None,
    connector: aiohttp.BaseConnector | None = None,
) -> aiohttp.ClientSession:
    """A session to be closed by the caller (`async with`); needs a running loop.

    Concurrency is bounded by the gate, not here. Certificates are checked against the system's
    authorities, or those that `SSL_CERT_FILE` named when the process started, or `ssl_context`. No
    cookie is kept, no environment variable read: a proxy is named per request. A connection that
    has been idle for 15 s is not used again, since a POST on one that the server is just closing
    cannot be repeated safely. One stream buffers at most twice 64 kB before the peer is slowed.
    `connector` connects in another way than over TCP; the session closes it.
    """
    if connector is None:
        connector = aiohttp.TCPConnector(
            limit=0,
            ttl_dns_cache=_DNS_CACHE_S,
            keepalive_timeout=_KEEP_ALIVE_S,
            ssl=ssl_context if ssl_context is not None else True,
        )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=connect_timeout_s),
        read_bufsize=_READ_BUFFER_BYTES,
        max_line_size=_HEAD_LINE_BYTES,
        max_field_size=_HEAD_LINE_BYTES,
        trust_env=False,
    )
