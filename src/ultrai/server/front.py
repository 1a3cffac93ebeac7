"""The door: who may come in at all, before any route is looked for.

A page in a browser can reach a server on loopback, under a foreign name too (DNS rebinding), and
send requests that its owner never meant (CSRF). So the name in `Host` must be ours, and a browser's
`Origin` the same or one that was allowed. Whoever sends no Origin is no browser's script.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ultrai.domain.errors import UltraiError
from ultrai.server.exchange import ClientGone, Exchange, Intake, Receive, Scope, Send
from ultrai.server.problems import Problem, Refused, problem_of_error

LOG = logging.getLogger("ultrai.server")
Handler = Callable[[Exchange], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_LONGEST_PATH = 200
_BUG = Problem(500, "bug", "a bug in ultrai; the server's log says more")


@dataclass(frozen=True, slots=True)
class DoorRules:
    """`hosts`: further names that are ours. `origins`: pages elsewhere that may ask.

    `any_host`: the name is not looked at, because everybody needs a key.
    """

    hosts: frozenset[str] = field(default_factory=frozenset)
    origins: frozenset[str] = field(default_factory=frozenset)
    any_host: bool = False


class Front:
    """The outermost application: the door, the busiest route, then all others."""

    def __init__(self, app: App, *, rules: DoorRules, hot: dict[tuple[str, str], Endpoint]) -> None:
        self._app = app
        self._rules = rules
        self._hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        problem = self._refusal(scope)
        if problem is not None:
            exchange = Exchange(scope, receive, send=send)
            await _refuse(exchange, problem)
            _note(exchange, ms=0)
            return
        origin = self._elsewhere(scope)
        if origin is not None:
            if scope["method"] == "OPTIONS":
                await _preflight(Exchange(scope, receive, send=send), origin)
                return
            send = _shared(send, origin)
        app: App = self._hot.get((scope["method"], scope["path"]), self._app)
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        host = origin = None
        for name, value in scope["headers"]:
            if name == b"host":
                if host is not None:
                    return Problem(400, "bad_host", "there is more than one Host")
                host = value.decode("latin-1").lower()
            elif name == b"origin":
                origin = value.decode("latin-1").lower()
        if not self._is_ours(host):
            return Problem(
                421, "bad_host", f"this server is not called {host!r}; allow it with --allow-host"
            )
        if origin is not None and not self._may_ask(origin, host):
            return Problem(
                403,
                "bad_origin",
                f"pages of {origin!r} may not ask here; allow them with --allow-origin",
            )
        return None

    def _elsewhere(self, scope: Scope) -> bytes | None:
        """The page elsewhere that asks and may, if it is one."""
        if not self._rules.origins:
            return None
        origin: bytes | None = dict(scope["headers"]).get(b"origin")
        is_named = origin is not None and origin.decode("latin-1").lower() in self._rules.origins
        return origin if is_named else None

    def _is_ours(self, host: str | None) -> bool:
        if self._rules.any_host:
            return True
        return host is not None and (
            is_loopback_name(name_in(host)) or name_in(host) in self._rules.hosts
        )

    def _may_ask(self, origin: str, host: str | None) -> bool:
        scheme, _, place = origin.partition("://")
        is_same = scheme in ("http", "https") and place == host
        return is_same or origin in self._rules.origins


async def _preflight(exchange: Exchange, origin: bytes) -> None:
    """What a browser asks before it lets a page elsewhere ask; no cookies, so no credentials."""
    headers = [
        *_sharing(origin),
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"*, authorization"),
        (b"access-control-max-age", b"600"),
    ]
    try:
        await exchange.answer(204, b"", headers=headers)
    except ClientGone:
        return


def _shared(send: Send, origin: bytes) -> Send:
    """The same, its answers readable to that page."""

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_sharing(origin)]}
        await send(message)

    return sending


def _sharing(origin: bytes) -> list[tuple[bytes, bytes]]:
    exposed = b"x-ultrai-run-id, x-ultrai-status, x-ultrai-cost, location, retry-after"
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", exposed),
        (b"vary", b"origin"),
    ]


class Endpoint:
    """A handler as an ASGI application, behind a check; whatever they raise becomes an answer."""

    def __init__(self, handler: Handler, intake: Intake, *, check: Handler) -> None:
        self._handler = handler
        self._intake = intake
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        exchange = Exchange(scope, receive, send=send)
        exchange.intake = self._intake
        try:
            await self._answer(exchange)
        finally:
            self._intake.give_back(exchange.body_bytes)
            _note(exchange, ms=int((loop.time() - began_s) * 1000))

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._check(exchange)
            await self._handler(exchange)
        except ClientGone:
            return
        except Refused as error:
            await _refuse(exchange, error.problem)
        except UltraiError as error:
            await _refuse(exchange, problem_of_error(error))
        except Exception:
            LOG.exception("a bug in %s %s", exchange.method, exchange.path)
            await _refuse(exchange, _BUG)


def _note(exchange: Exchange, *, ms: int) -> None:
    """One line in the log, with the Run's id where there is one."""
    if LOG.isEnabledFor(logging.INFO):
        fields = {
            "method": exchange.method,
            "path": exchange.path[:_LONGEST_PATH],
            "status": exchange.status,
            "ms": ms,
            "run_id": exchange.run_id,
            "key": exchange.owner,
            "left": exchange.is_left or None,
        }
        said = {name: value for name, value in fields.items() if value is not None}
        LOG.info("request", extra={"fields": said})


async def _refuse(exchange: Exchange, problem: Problem) -> None:
    if exchange.has_begun:
        raise ClientGone  # the server cuts the connection: nobody takes half an answer for a whole
    try:
        await exchange.refuse(problem)
    except ClientGone:
        return


def name_in(host: str) -> str:
    """The name in a `Host`, without its port."""
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    return host.rpartition(":")[0] if ":" in host else host


def is_loopback_name(name: str) -> bool:
    """Whether a name always means this machine."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
