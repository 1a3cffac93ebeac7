"""Who asks, and whether they may: access keys at the door of every route.

Theory of operation. As soon as there ever was a key, every route that is not for everybody wants a
valid one: revoking the last does not open the door. The keys are read anew every `FRESH_S` seconds,
so that one that is revoked elsewhere opens nothing after that; while they cannot be read, nobody
comes in. Starts are counted in this process, in the exact window; one that is refused is not one.
A key sees the Runs that it has started, and no others, unless it has the scope `read`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from math import ceil

from ultrai.assembly.access_desk import AccessDesk
from ultrai.assembly.facade import UltrAI
from ultrai.domain.access import TAG, AccessKey, AccessScope
from ultrai.domain.ask import Ask
from ultrai.domain.cocktail import AUTO
from ultrai.policy.access_tokens import id_in, is_token_of
from ultrai.policy.pacing import ExactWindow
from ultrai.server.exchange import Exchange
from ultrai.server.parsing import PREFIX
from ultrai.server.problems import Problem, Refused, bad_request

FRESH_S = 2.0
_AUTHORIZATION = b"authorization"
_API_KEY = b"x-api-key"


class Access:
    """The keys as this process knows them."""

    def __init__(self, session: UltrAI) -> None:
        self._session = session
        self._desk: AccessDesk | None = None
        self._keys: Mapping[str, AccessKey] = {}
        self._read_s: float | None = None
        self._lock = asyncio.Lock()
        self._windows: dict[str, ExactWindow] = {}

    async def check(self, exchange: Exchange, scope: str | None) -> None:
        """Note whose key the request bears. Raises Refused (401, 403) and StoreError."""
        if scope is None:
            return
        keys = await self._current()
        if not keys:
            return
        token = _token(exchange)
        if not token:
            raise _unauthorised("missing_key", "this server wants an access key")
        key = keys.get(id_in(token))
        assert self._desk is not None
        if not is_token_of(token, key) or key is None or not key.is_valid(self._desk.now()):
            raise _unauthorised("invalid_key", "the access key is unknown, revoked or has expired")
        if scope not in key.scopes and not _reads_instead(key, scope, method=exchange.method):
            raise Refused(Problem(403, "not_allowed", f"this access key is not for {scope!r}"))
        exchange.key = key

    def admit(self, ask: Ask, key: AccessKey | None) -> Ask:
        """The Ask on the key's account. Raises Refused (400, 403, 429)."""
        if key is None:
            return ask
        if TAG in ask.tags:
            raise bad_request(f"the tag {TAG!r} is the server's own", param="ultrai.tags")
        self.check_models(ask, key)
        self._count(key)
        return replace(ask, tags={**ask.tags, TAG: key.id})

    def check_models(self, ask: Ask, key: AccessKey | None) -> None:
        """Raises Refused (403) where the key may not ask whom the Ask names."""
        for name in () if key is None else _named(ask):
            if key is not None and not key.allows(name):
                message = f"this access key may not ask {name}"
                raise Refused(Problem(403, "model_not_allowed", message, "model"))

    def _count(self, key: AccessKey) -> None:
        if key.per_minute is None:
            return
        window = self._windows.get(key.id)
        if window is None or window.limit != key.per_minute:
            window = ExactWindow(key.per_minute)
        now_s = asyncio.get_running_loop().time()
        wait_s = window.earliest_s(now_s) - now_s
        if wait_s > 0:
            message = f"this access key may start {key.per_minute} runs in any 60 seconds"
            raise Refused(Problem(429, "rate_limited", message, retry_after_s=ceil(wait_s)))
        self._windows[key.id] = window.started(now_s)

    async def _current(self) -> Mapping[str, AccessKey]:
        loop = asyncio.get_running_loop()
        if self._read_s is None or loop.time() - self._read_s > FRESH_S:
            async with self._lock:
                if self._read_s is None or loop.time() - self._read_s > FRESH_S:
                    began_s = loop.time()
                    self._desk = self._desk or await self._session.access()
                    self._keys = {key.id: key for key in await self._desk.keys()}
                    self._read_s = began_s
        return self._keys


def may_see(key: AccessKey | None, owner: object) -> bool:
    """Whether a Run of that owner is shown to that key."""
    return key is None or AccessScope.READ in key.scopes or owner == key.id


def _named(ask: Ask) -> list[str]:
    if ask.resume is not None:
        return []  # it was allowed when it was asked first
    if ask.models:
        return [*ask.models, *(each for others in ask.backups.values() for each in others)]
    return [f"{PREFIX}{(ask.cocktail or AUTO).lower()}"]


def _reads_instead(key: AccessKey, scope: str, *, method: str) -> bool:
    """Whoever may read everything may also read what others ask to see of their own."""
    return scope == AccessScope.ASK and method == "GET" and AccessScope.READ in key.scopes


def _token(exchange: Exchange) -> str:
    written = exchange.header(_AUTHORIZATION)
    if written is None:
        return (exchange.header(_API_KEY) or "").strip()
    kind, _, token = written.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _unauthorised(code: str, message: str) -> Refused:
    return Refused(Problem(401, code, message))
