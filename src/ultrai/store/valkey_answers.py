"""AnswerCache in a Valkey server, shared by all processes and machines that know its address.

Theory of operation. An Answer is one key that the server forgets when it is too old; a claim is
one key that only its owner renews or deletes (small scripts on the server see to that), and that is
gone by itself `LEASE_S` after its process has died. How much is kept is the server's own
`maxmemory`; with its policy `allkeys-lru` what was not used for long goes first.

Nothing here raises: while the server is away the cache is empty, every request is ours to make, and
`take_problem` says so once. It is asked again after `PAUSE_S`, so that nobody waits for it.
https://valkey.io/commands/
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from ultrai.domain.kept import Claim, KeptAnswer
from ultrai.store.answer_payload import packed, unpacked

LEASE_S = 15.0
PAUSE_S = 5.0
PATIENCE_S = 1.0
ANSWER, CLAIM = "ultrai:answer:", "ultrai:claim:"
_GIVE_BACK = """
if server.call('GET', KEYS[1]) == ARGV[1] then return server.call('DEL', KEYS[1]) end
return 0
"""
_RENEW = """
if server.call('GET', KEYS[1]) == ARGV[1] then return server.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""

_Result = TypeVar("_Result")


class ValkeyAnswers:
    """Fits `engine.ports.AnswerCache`. Belongs to the event loop that it is made in.

    `owner` is whom its claims are of: no two processes may have the same.
    """

    def __init__(self, url: str, *, owner: str, max_bytes: int, ttl_s: float) -> None:
        # Its types leave open whether a command is to be awaited.
        self._client: Any = Valkey.from_url(
            url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S
        )
        self._label = label_of(url)
        self._max_bytes = max_bytes
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._owner = owner.encode()
        self._open: set[str] = set()
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._problems: deque[str] = deque()
        self._is_away = False
        self._away_until_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def find(self, keys: Sequence[str]) -> Mapping[str, KeptAnswer]:
        """Those that are kept and whole."""
        for key in keys:
            await self._settled(key)
        names = [f"{ANSWER}{key}" for key in keys]
        rows: list[bytes | None] = []
        rows = await self._attempt(lambda: self._client.mget(names), otherwise=rows)
        found = {
            key: unpacked(key, row) for key, row in zip(keys, rows, strict=False) if row is not None
        }
        return {key: kept for key, kept in found.items() if kept is not None}

    def keep(self, key: str, kept: KeptAnswer) -> None:
        """Take one in, in place of an older one; returns at once."""
        self._soon(key, self._put(key, kept, gives_back=False))

    async def claim(self, key: str) -> Claim:
        """What is kept, and whether the request is ours to make."""
        await self._settled(key)
        self._begin(key)
        in_doubt: tuple[bool, bytes | None] = (True, None)
        is_ours, row = await self._attempt(lambda: self._take(key), otherwise=in_doubt)
        if not is_ours:
            self._end(key)
        return Claim(is_ours, None if row is None else unpacked(key, row))

    def release(self, key: str, kept: KeptAnswer | None) -> None:
        """Give our claim back and keep what came of it; returns at once."""
        self._end(key)
        self._soon(key, self._put(key, kept, gives_back=True))

    def take_problem(self) -> str | None:
        """One line on what went wrong; None: nothing, or it was told."""
        return self._problems.popleft() if self._problems else None

    async def aclose(self) -> None:
        """Write what waits, and let the server go."""
        self._open.clear()
        self._stop_renewing()
        tasks = [*self._waiting.values(), *([self._renewing] if self._renewing else [])]
        if tasks:
            await asyncio.wait(tasks)
        await self._client.aclose()

    async def _take(self, key: str) -> tuple[bool, bytes | None]:
        claim = f"{CLAIM}{key}"
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.set(claim, self._owner, nx=True, px=int(LEASE_S * 1000))
            pipe.get(claim)
            pipe.get(f"{ANSWER}{key}")
            _, owner, row = await pipe.execute()
        return owner == self._owner, row

    async def _put(self, key: str, kept: KeptAnswer | None, *, gives_back: bool) -> None:
        payload = b"" if kept is None else packed(key, kept)
        if 0 < len(payload) <= self._max_bytes:
            await self._attempt(
                lambda: self._client.set(f"{ANSWER}{key}", payload, px=self._ttl_ms),
                otherwise=None,
            )
        if gives_back:
            await self._script(_GIVE_BACK, key)

    async def _script(self, script: str, key: str, *more: object) -> None:
        await self._attempt(
            lambda: self._client.eval(script, 1, f"{CLAIM}{key}", self._owner, *more),
            otherwise=None,
        )

    async def _attempt(
        self, work: Callable[[], Awaitable[_Result]], *, otherwise: _Result
    ) -> _Result:
        """What the server says, or `otherwise` while it is away."""
        loop = asyncio.get_running_loop()
        if self._is_away and loop.time() < self._away_until_s:
            return otherwise
        try:
            result = await work()
        except (ValkeyError, OSError, TimeoutError) as error:
            self._away_until_s = loop.time() + PAUSE_S
            if not self._is_away:
                self._is_away = True
                self._problems.append(
                    f"the cache at {self._label} cannot be used ({_brief(error)}); "
                    "answers are not cached"
                )
            return otherwise
        self._is_away = False
        return result

    def _soon(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        """Do it behind what is still to be done for that key."""
        before = self._waiting.get(key)

        async def in_turn() -> None:
            if before is not None:
                await asyncio.wait([before])
            await work

        task = asyncio.get_running_loop().create_task(in_turn())
        self._waiting[key] = task
        task.add_done_callback(lambda _: self._done(key, task))

    def _done(self, key: str, task: asyncio.Task[None]) -> None:
        if self._waiting.get(key) is task:
            del self._waiting[key]

    async def _settled(self, key: str) -> None:
        task = self._waiting.get(key)
        if task is not None:
            await asyncio.wait([task])

    def _begin(self, key: str) -> None:
        self._open.add(key)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LEASE_S / 3, self._renew_all)

    def _end(self, key: str) -> None:
        self._open.discard(key)
        if not self._open:
            self._stop_renewing()

    def _stop_renewing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _renew_all(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LEASE_S / 3, self._renew_all)
        self._renewing = loop.create_task(self._renew())

    async def _renew(self) -> None:
        for key in list(self._open):
            await self._script(_RENEW, key, int(LEASE_S * 1000))


def label_of(url: str) -> str:
    """The address without user and password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def _brief(error: Exception) -> str:
    """The cause in a few words, without an address that may hold a password."""
    words = str(error).split("\n")[0].split("://")[0].strip().rstrip(".")
    return words or type(error).__name__
