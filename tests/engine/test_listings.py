"""Listings: the look at the disk, the fetch, and how long anybody waits for either."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tests.engine.bar import model

from ultrai.domain.catalog import Catalog, Model, Snapshot
from ultrai.domain.errors import UpstreamUnavailable
from ultrai.engine.listings import FRESH_S, OLD_S, PATIENCE_S, RETRY_AFTER_FAILURE_S, Listings
from ultrai.testing import FixedClock, ScriptedUpstream, run_in_virtual_time

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOURS = 3600.0
NAME = "openrouter"


class Shelf:
    """A disk that holds one model since `age_s` and takes `takes_s` to say so."""

    def __init__(self, *, age_s: float = 0.0, takes_s: float = 0.0) -> None:
        self._kept = [model("kept/one")], Snapshot(NOW - timedelta(seconds=age_s))
        self._takes_s = takes_s
        self.looks = 0

    async def load(self, upstream: str) -> tuple[Sequence[Model], Snapshot] | None:
        del upstream
        self.looks += 1
        await asyncio.sleep(self._takes_s)
        return self._kept

    async def save(self, upstream: str, models: Sequence[Model], *, fetched_at: datetime) -> None:
        del upstream, models, fetched_at


class Source(ScriptedUpstream):
    """An upstream whose listing takes `takes_s`, or is not to be had."""

    def __init__(self, *, takes_s: float = 0.0, is_down: bool = False) -> None:
        super().__init__()
        self.takes_s = takes_s
        self.is_down = is_down
        self.fetches = 0

    async def list_models(self) -> Sequence[Model]:
        self.fetches += 1
        await asyncio.sleep(self.takes_s)
        if self.is_down:
            message = "down"
            raise UpstreamUnavailable(message)
        return [model("fetched/two")]


def listings(source: Source, shelf: Shelf | None = None, *more: str) -> Listings:
    return Listings(dict.fromkeys((NAME, *more), source), shelf, clock=FixedClock(NOW))


def ids(catalog: Catalog) -> list[str]:
    return [each.id for each in catalog]


def seconds() -> float:
    return asyncio.get_running_loop().time()


def test_a_cancelled_first_look_leaves_the_next_caller_to_look() -> None:
    async def run() -> None:
        source, shelf = Source(is_down=True), Shelf(takes_s=1.0)
        kept = listings(source, shelf)
        first = asyncio.get_running_loop().create_task(kept.current([NAME]))
        await asyncio.sleep(0.5)
        first.cancel()
        await asyncio.wait([first])
        assert ids(await kept.current([NAME])) == ["kept/one"]
        assert source.fetches == 0

    run_in_virtual_time(run())


def test_callers_at_the_same_time_share_one_look_and_all_see_what_is_there() -> None:
    async def run() -> None:
        shelf = Shelf(takes_s=1.0)
        kept = listings(Source(is_down=True), shelf)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(kept.current([NAME])) for _ in range(3)]
        assert [ids(task.result()) for task in tasks] == [["kept/one"]] * 3
        assert shelf.looks == 1

    run_in_virtual_time(run())


def test_a_renewal_in_the_background_is_not_tried_at_every_query_while_the_upstream_is_down():
    async def run() -> None:
        source = Source(is_down=True)
        kept = listings(source, Shelf(age_s=FRESH_S + 1))
        for _ in range(10):
            assert ids(await kept.current([NAME])) == ["kept/one"]
            await asyncio.sleep(1.0)
        assert source.fetches == 1
        source.is_down = False
        await asyncio.sleep(RETRY_AFTER_FAILURE_S)
        await kept.current([NAME])
        await asyncio.sleep(0.1)
        assert ids(await kept.current([NAME])) == ["fetched/two"]

    run_in_virtual_time(run())


def test_a_listing_that_hangs_is_waited_for_as_long_as_told_and_served_stale() -> None:
    async def run() -> None:
        source = Source(takes_s=60.0)
        kept = listings(source, Shelf(age_s=OLD_S + 1))
        began_s = seconds()
        catalog = await kept.current([NAME], patience_s=3.0)
        assert seconds() - began_s == 3.0
        assert ids(catalog) == ["kept/one"]
        assert catalog.snapshots[NAME].stale
        await asyncio.sleep(57.1)
        catalog = await kept.current([NAME])
        assert ids(catalog) == ["fetched/two"]
        assert not catalog.snapshots[NAME].stale
        assert source.fetches == 1
        assert not kept.problems

    run_in_virtual_time(run())


def test_a_listing_that_hangs_and_is_on_no_disk_is_unknown_and_says_why() -> None:
    async def run() -> None:
        kept = listings(Source(takes_s=HOURS))
        began_s = seconds()
        assert not (await kept.current([NAME])).knows(NAME)
        assert seconds() - began_s == PATIENCE_S
        assert "within 10 s" in str(kept.problems[NAME])
        await kept.current([NAME])
        assert seconds() - began_s == PATIENCE_S, "the next query must not wait again"
        await kept.aclose()

    run_in_virtual_time(run())


def test_a_refresh_is_waited_for_longer_and_several_upstreams_at_once() -> None:
    async def run() -> None:
        source = Source(takes_s=HOURS)
        kept = listings(source, None, "other")
        began_s = seconds()
        await kept.current([NAME, "other"], refresh=True)
        assert seconds() - began_s == 30.0
        assert source.fetches == 2
        await kept.aclose()

    run_in_virtual_time(run())


def test_one_callers_cancellation_does_not_take_the_listing_from_the_others() -> None:
    async def run() -> None:
        source = Source(takes_s=2.0)
        kept = listings(source)
        first = asyncio.get_running_loop().create_task(kept.current([NAME]))
        second = asyncio.get_running_loop().create_task(kept.current([NAME]))
        await asyncio.sleep(1.0)
        first.cancel()
        assert ids(await second) == ["fetched/two"]
        assert source.fetches == 1

    run_in_virtual_time(run())


def test_a_bug_in_a_fetch_is_seen_by_whoever_waits_for_it() -> None:
    class Broken(Source):
        async def list_models(self) -> Sequence[Model]:
            message = "a bug"
            raise ZeroDivisionError(message)

    async def run() -> str:
        try:
            await listings(Broken()).current([NAME])
        except ZeroDivisionError as error:
            return str(error)
        return "nothing was raised"

    assert run_in_virtual_time(run()) == "a bug"
