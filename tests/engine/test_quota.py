"""The daily quota of `:free` models: the upstream's lagging count and our own starts on top."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from ultrai.domain.attempt import Account
from ultrai.domain.errors import UpstreamUnavailable
from ultrai.engine.quota import READING_LASTS_S, READING_PATIENCE_S, FreeQuota
from ultrai.testing import FixedClock, ScriptedUpstream, run_in_virtual_time

LATE = datetime(2026, 11, 23, 23, 59, 30, tzinfo=UTC)
NEXT_READING_S = READING_LASTS_S + 1


class Till(ScriptedUpstream):
    """Counts its readings, which take `takes_s`."""

    def __init__(self, used: int | None = 0, limit: int | None = 50) -> None:
        super().__init__()
        self.read = 0
        self.takes_s = 0.0
        self.is_down = False
        self.say(used, limit)

    def say(self, used: int | None, limit: int | None = 50) -> None:
        self.account = Account(free_used=used, free_limit=limit)

    async def read_account(self) -> Account | None:
        self.read += 1
        await asyncio.sleep(self.takes_s)
        if self.is_down:
            message = "down"
            raise UpstreamUnavailable(message)
        return self.account


def test_our_own_starts_count_at_once() -> None:
    async def run() -> None:
        quota = FreeQuota(Till(used=48), FixedClock())
        assert await quota.left() == 2
        assert [quota.take() for _ in range(3)] == [True, True, False]
        assert await quota.left() == 0

    run_in_virtual_time(run())


def test_a_reading_that_lags_does_not_give_back_what_we_have_used() -> None:
    async def run() -> None:
        till = Till(used=10)
        quota = FreeQuota(till, FixedClock())
        await quota.left()
        for _ in range(5):
            assert quota.take()
        for said, left in ((12, 35), (12, 35), (20, 30)):
            till.say(said)
            await asyncio.sleep(NEXT_READING_S)
            assert await quota.left() == left

    run_in_virtual_time(run())


def test_starts_before_the_first_reading_count_too() -> None:
    async def run() -> None:
        quota = FreeQuota(Till(used=0), FixedClock())
        assert all(quota.take() for _ in range(3))
        assert await quota.left() == 47

    run_in_virtual_time(run())


def test_a_new_day_in_utc_starts_anew_and_is_read_at_once() -> None:
    async def run() -> None:
        till = Till(used=50)
        quota = FreeQuota(till, FixedClock(LATE))
        assert await quota.left() == 0
        assert not quota.take()
        await asyncio.sleep(31)
        till.say(0)
        assert quota.take()
        assert await quota.left() == 49
        assert till.read == 2

    run_in_virtual_time(run())


def test_a_count_of_yesterday_read_after_midnight_is_forgotten_when_it_falls() -> None:
    async def run() -> None:
        till = Till(used=50)
        quota = FreeQuota(till, FixedClock(LATE))
        await quota.left()
        await asyncio.sleep(31)
        assert quota.take()
        assert await quota.left() == 0
        till.say(0)
        await asyncio.sleep(NEXT_READING_S)
        assert await quota.left() == 49

    run_in_virtual_time(run())


def test_callers_at_the_same_time_share_one_reading_and_all_know_it() -> None:
    async def run() -> None:
        till = Till(used=48)
        till.takes_s = 1.0
        quota = FreeQuota(till, FixedClock())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(quota.left()) for _ in range(3)]
        assert [task.result() for task in tasks] == [2, 2, 2]
        assert till.read == 1

    run_in_virtual_time(run())


def test_a_cancelled_reading_leaves_the_next_caller_to_read() -> None:
    async def run() -> None:
        till = Till(used=48)
        till.takes_s = 1.0
        quota = FreeQuota(till, FixedClock())
        first = asyncio.get_running_loop().create_task(quota.left())
        await asyncio.sleep(0.5)
        second = asyncio.get_running_loop().create_task(quota.left())
        await asyncio.sleep(0.1)
        first.cancel()
        assert await second == 2
        assert till.read == 2

    run_in_virtual_time(run())


def test_a_reading_that_hangs_is_not_waited_for_and_refuses_nothing() -> None:
    async def run() -> None:
        till = Till(used=50)
        till.takes_s = 3600.0
        quota = FreeQuota(till, FixedClock())
        began_s = asyncio.get_running_loop().time()
        assert await quota.left() is None
        assert await quota.left() is None
        assert asyncio.get_running_loop().time() - began_s == READING_PATIENCE_S
        assert quota.take()

    run_in_virtual_time(run())


def test_what_was_known_stands_while_the_upstream_is_down() -> None:
    async def run() -> None:
        till = Till(used=48)
        quota = FreeQuota(till, FixedClock())
        await quota.left()
        till.is_down = True
        await asyncio.sleep(NEXT_READING_S)
        assert quota.take()
        assert await quota.left() == 1

    run_in_virtual_time(run())


@pytest.mark.parametrize("account", [None, Account(), Account(free_used=3)])
def test_an_account_without_a_daily_limit_refuses_nothing(account: Account | None) -> None:
    async def run() -> None:
        till = Till()
        till.account = account
        quota = FreeQuota(till, FixedClock())
        assert await quota.left() is None
        assert all(quota.take() for _ in range(100))

    run_in_virtual_time(run())


def test_without_an_upstream_nobody_knows() -> None:
    async def run() -> None:
        quota = FreeQuota(None, FixedClock())
        assert await quota.left() is None
        assert quota.take()

    run_in_virtual_time(run())
