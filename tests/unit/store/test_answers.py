"""The answer cache in a file: what it keeps, what it forgets, and that it never fails."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ultrai.domain.kept import KeptAnswer
from ultrai.domain.outcome import Answer, Cost, CostState, ToolCall, Usage
from ultrai.store.answer_file import FORMAT
from ultrai.store.answers import FileAnswers
from ultrai.store.claims import LEASE_S
from ultrai.testing import FixedClock, run_in_virtual_time

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def kept(text: str = "pong", *, at: datetime = NOON) -> KeptAnswer:
    answer = Answer(
        text,
        reasoning="so",
        finish_reason="stop",
        generation_id="gen-1",
        model="acme/a",
        provider="Acme",
        tool_calls=(ToolCall("1", "f", "{}"),),
    )
    return KeptAnswer(answer, Usage(1, 2, 0, 0), Cost(7, CostState.REPORTED, "7e-9"), at)


class Cache:
    """One that works in the test's own thread."""

    def __init__(self, path: Path, *, max_bytes: int = 1_000_000) -> None:
        self.path = path
        self.now = NOON
        self.answers = FileAnswers(
            path,
            max_bytes=max_bytes,
            ttl_s=3600,
            now_s=self.now_s,
            inline=True,
        )

    def now_s(self) -> float:
        return self.now.timestamp()

    def keep(self, key: str, value: KeptAnswer) -> None:
        self.answers.keep(key, value)

    def find(self, *keys: str) -> Mapping[str, KeptAnswer]:
        return asyncio.run(self.answers.find(keys))

    def problems(self) -> list[str]:
        return list(iter(self.answers.take_problem, None))

    def close(self) -> None:
        asyncio.run(self.answers.aclose())


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "deep" / "answers.db")


def test_what_is_kept_is_found_whole_also_by_the_next_process(cache: Cache):
    cache.keep("a", kept())
    assert cache.find("a", "b") == {"a": kept()}
    cache.close()
    assert Cache(cache.path).find("a") == {"a": kept()}
    assert not cache.problems()


def test_it_is_for_its_owner_only(cache: Cache):
    cache.keep("a", kept())
    assert stat.S_IMODE(cache.path.stat().st_mode) == 0o600


def test_a_later_answer_takes_the_place_of_an_earlier(cache: Cache):
    cache.keep("a", kept("old"))
    cache.keep("a", kept("new"))
    assert cache.find("a")["a"].answer.text == "new"


def test_it_stays_within_its_bound_and_forgets_what_was_not_used_for_longest(tmp_path: Path):
    cache = Cache(tmp_path / "answers.db", max_bytes=20_000)
    for number in range(60):
        cache.now = NOON + timedelta(minutes=number)
        cache.keep(str(number), kept("x" * 500, at=cache.now))
        cache.find("0")
    held = cache.find(*map(str, range(60)))
    assert 10 < len(held) < 30
    assert {"0", "59"} <= held.keys()
    assert "1" not in held
    with sqlite3.connect(cache.path) as connection:
        query = "SELECT totals.bytes, sum(size), totals.count, count(*) FROM totals, answers"
        stated, summed, number, counted = connection.execute(query).fetchone()
    assert stated == summed <= 20_000
    assert number == counted


def test_answers_that_are_too_old_make_room_first(tmp_path: Path):
    cache = Cache(tmp_path / "answers.db", max_bytes=6_000)
    cache.keep("old", kept("x" * 1500, at=NOON - timedelta(days=1)))
    for number in range(3):
        cache.now += timedelta(seconds=61)
        cache.keep(str(number), kept("x" * 700))
        cache.find("old")
    cache.keep("last", kept("x" * 700))
    assert "old" not in cache.find("old")
    assert "0" in cache.find("0")


def test_an_answer_larger_than_the_bound_is_not_kept(tmp_path: Path):
    cache = Cache(tmp_path / "answers.db", max_bytes=1000)
    cache.keep("small", kept())
    cache.keep("large", kept("x" * 2000))
    assert cache.find("small", "large").keys() == {"small"}


def test_text_that_is_no_text_is_not_kept(cache: Cache):
    cache.keep("a", kept("half a letter: \ud800"))
    assert not cache.find("a")
    assert not cache.problems()


def _rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    with sqlite3.connect(path) as connection:
        (payload,) = connection.execute("SELECT payload FROM answers").fetchone()
        connection.execute("UPDATE answers SET payload = ?", (change(payload),))


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: payload.replace(b"pong", b"pang"),
        lambda payload: payload[:-3],
        lambda _: b"",
        lambda payload: payload[::-1],
    ],
    ids=["changed", "cut", "empty", "reversed"],
)
def test_a_damaged_row_is_not_there(cache: Cache, change: Callable[[bytes], bytes]):
    cache.keep("a", kept())
    _rewrite(cache.path, change)
    assert not cache.find("a")


def test_a_row_under_another_key_is_not_there(cache: Cache):
    cache.keep("a", kept())
    with sqlite3.connect(cache.path) as connection:
        connection.execute("UPDATE answers SET key = 'b'")
    assert not cache.find("b")


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be read as one" * 50, b"\0" * 4096]
)
def test_a_damaged_file_is_made_anew_and_told_once(cache: Cache, content: bytes):
    cache.path.parent.mkdir()
    cache.path.write_bytes(content)
    assert not cache.find("a")
    cache.keep("a", kept())
    assert cache.find("a") == {"a": kept()}
    (problem,) = cache.problems()
    assert "damaged" in problem
    assert "\n" not in problem


def test_a_file_that_breaks_while_it_is_used_is_made_anew(cache: Cache):
    cache.keep("a", kept())
    cache.close()
    with cache.path.open("r+b") as file:
        file.seek(1024)
        file.write(os.urandom(8192))
    cache.keep("b", kept())
    cache.keep("c", kept())
    assert "c" in cache.find("c")


def test_a_file_without_its_tables_is_made_anew(cache: Cache):
    cache.path.parent.mkdir()
    with sqlite3.connect(cache.path) as connection:
        connection.execute(f"PRAGMA user_version={FORMAT}")
    cache.keep("a", kept())
    assert cache.find("a")


def test_a_file_of_a_newer_version_is_left_alone(cache: Cache):
    cache.path.parent.mkdir()
    with sqlite3.connect(cache.path) as connection:
        connection.execute(f"PRAGMA user_version={FORMAT + 1}")
        connection.execute("CREATE TABLE theirs (x)")
    cache.keep("a", kept())
    assert not cache.find("a")
    (problem,) = cache.problems()
    assert "newer" in problem
    with sqlite3.connect(cache.path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_a_directory_in_its_place_is_told_once(tmp_path: Path):
    (tmp_path / "answers.db").mkdir()
    cache = Cache(tmp_path / "answers.db")
    cache.keep("a", kept())
    assert not cache.find("a")
    assert len(cache.problems()) == 1


def test_a_file_that_another_has_locked_is_an_empty_one_for_now(cache: Cache):
    cache.keep("a", kept())
    other = sqlite3.connect(cache.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    cache.keep("b", kept())
    assert cache.find("a")
    other.execute("ROLLBACK")
    other.close()
    assert not cache.find("b")
    assert not cache.problems()


def test_a_file_deleted_while_it_is_open_does_no_harm(cache: Cache):
    cache.keep("a", kept())
    cache.path.unlink()
    cache.keep("b", kept())
    assert cache.find("b")


def test_with_a_thread_what_was_handed_over_first_is_found(tmp_path: Path):
    async def all_found() -> int:
        answers = FileAnswers(
            tmp_path / "answers.db", max_bytes=10_000_000, ttl_s=60, now_s=NOON.timestamp
        )
        found = 0
        for number in range(200):
            answers.keep(str(number), kept())
            found += len(await answers.find([str(number)]))
        await answers.aclose()
        return found

    assert asyncio.run(all_found()) == 200


def test_two_processes_share_it(tmp_path: Path):
    one, two = Cache(tmp_path / "answers.db"), Cache(tmp_path / "answers.db")
    for number in range(50):
        one.keep(f"one {number}", kept())
        two.keep(f"two {number}", kept())
    assert len(one.find(*[f"two {n}" for n in range(50)])) == 50
    assert len(two.find(*[f"one {n}" for n in range(50)])) == 50


def test_one_of_two_processes_has_the_claim_until_it_gives_it_back(tmp_path: Path):
    async def told() -> list[bool]:
        one, two = Cache(tmp_path / "answers.db").answers, Cache(tmp_path / "answers.db").answers
        claims = [await one.claim("a"), await two.claim("a"), await two.claim("b")]
        one.release("a", kept())
        claims.append(await two.claim("a"))
        assert claims[-1].kept == kept()
        two.release("a", None)
        claims.append(await one.claim("a"))
        await one.aclose()
        await two.aclose()
        return [claim.is_ours for claim in claims]

    assert asyncio.run(told()) == [True, False, True, True, True]


def test_a_claim_holds_for_as_long_as_its_process_lives_and_not_much_longer(tmp_path: Path):
    clock = FixedClock(NOON)

    def opened() -> FileAnswers:
        return FileAnswers(
            tmp_path / "answers.db",
            max_bytes=10_000,
            ttl_s=60,
            now_s=lambda: clock.now().timestamp(),
            inline=True,
        )

    async def told() -> list[bool]:
        one, two = opened(), opened()
        assert (await one.claim("a")).is_ours
        await asyncio.sleep(10 * LEASE_S)
        heard = [(await two.claim("a")).is_ours]
        await one.aclose()  # as if it had died: nobody renews
        await asyncio.sleep(LEASE_S - 6)
        heard.append((await two.claim("a")).is_ours)
        await asyncio.sleep(7)
        heard.append((await two.claim("a")).is_ours)
        await two.aclose()
        return heard

    assert run_in_virtual_time(told()) == [False, False, True]


def test_a_claim_of_the_far_future_is_none(cache: Cache):
    async def told() -> bool:
        other = Cache(cache.path)
        other.now = NOON + timedelta(days=1)
        await other.answers.claim("a")
        return (await cache.answers.claim("a")).is_ours

    assert asyncio.run(told())


def test_where_the_file_cannot_be_used_nobody_has_a_claim(tmp_path: Path):
    (tmp_path / "answers.db").mkdir()
    cache = Cache(tmp_path / "answers.db")
    assert asyncio.run(cache.answers.claim("a")).is_ours
