"""Many runs at once in one process: none is lost, nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter

from tests.contract.product.asking import A, B, C, opened
from tests.contract.product.command import until
from tests.contract.product.shape import check_events, check_report
from tests.contract.product.upstream import Act, Upstream, ending, frame, refusal, says, streamed


def own_tasks():
    """Tasks that are neither this test's nor the upstream's."""
    me = asyncio.current_task()
    return [t for t in asyncio.all_tasks() if t is not me and t.get_name() != "upstream"]


async def settled(upstream, patience_s=20.0):
    """Wait until the client has closed its sockets."""
    await until(lambda: not upstream.open_connections, patience_s)


def test_two_hundred_runs_at_once_keep_to_the_concurrency_and_leave_nothing(tmp_path):
    upstream = Upstream(otherwise=says("pong", after_s=0.05))

    async def run():
        async with opened(upstream, tmp_path, {"concurrency": 60}) as product:
            tasks = [
                asyncio.create_task(product.ask(f"question {number}", models=[A, B]))
                for number in range(200)
            ]
            reports = await asyncio.gather(*tasks)
            assert len(await product.runs(limit=500)) == 200
            sample = (await product.report(reports[77].id)).to_dict()
            assert sample == reports[77].to_dict()
        gc.collect()
        left = own_tasks()
        return reports, left

    reports, left = asyncio.run(run())
    assert left == []
    assert len({report.id for report in reports}) == 200
    for report in reports:
        check_report(report.to_dict())
        assert report.exit_code == 0
    assert len(upstream.calls) == 400
    assert 10 <= upstream.most_at_once <= 60
    prompts = Counter(call.body["messages"][0]["content"] for call in upstream.calls)
    assert set(prompts.values()) == {2}


def test_connections_are_closed_when_the_product_is(tmp_path):
    upstream = Upstream()

    async def run():
        async with opened(upstream, tmp_path) as product:
            await product.ask("ping", models=[A, B, C])
            assert upstream.open_connections >= 1
            await product.__aexit__(None, None, None)
            await settled(upstream)
            await product.__aenter__()
        return own_tasks()

    assert asyncio.run(run()) == []


def test_a_storm_of_cancellations_settles(tmp_path):
    """Each run is cancelled at a moment of its own: before, during and after its requests."""
    upstream = Upstream(otherwise=says("one two three four five six", between_s=0.03))
    upstream.plays[C] = [refusal(429, "slow", "Retry-After: 1"), says("later")]
    chance = random.Random(7)

    async def run():
        async with opened(upstream, tmp_path, {"concurrency": 40}) as product:
            tasks = []
            for number in range(120):
                task = asyncio.create_task(product.ask(f"q{number}", models=[A, B, C]))
                asyncio.get_running_loop().call_later(chance.random() * 0.8, task.cancel)
                tasks.append(task)
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            again = await product.ask("and now?", models=[A, B])
            stored = [await product.report(run.id) for run in await product.runs(limit=500)]
        return outcomes, again, stored, own_tasks()

    outcomes, again, stored, left = asyncio.run(run())
    assert left == []
    assert {type(outcome).__name__ for outcome in outcomes} <= {"CancelledError", "Report"}
    assert "CancelledError" in {type(outcome).__name__ for outcome in outcomes}
    assert again.exit_code == 0
    for report in stored:
        check_report(report.to_dict())
        assert report.status.value != "running"


def test_streams_that_are_left_early_are_cancelled_at_the_upstream_too(tmp_path):
    upstream = Upstream(otherwise=streamed(*[frame("x"), 0.02] * 3000, *ending()))

    async def leave(product):
        events = product.stream("ping", models=[A])
        async for event in events:
            if event.type == "text_delta":
                break
        await events.aclose()

    async def run():
        async with opened(upstream, tmp_path) as product:
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(leave(product))
            await until(lambda: not upstream.at_once)
            states = Counter(run.status.value for run in await product.runs(limit=100))
        return states, own_tasks()

    states, left = asyncio.run(run())
    assert states == {"interrupted": 20}
    assert left == []


def test_runs_that_are_under_way_when_the_product_closes_are_stored(tmp_path):
    upstream = Upstream({A: [says("done")]}, otherwise=streamed(frame("x"), Act.HOLD))

    async def run():
        async with opened(upstream, tmp_path) as product:
            stream = product.stream("ping", models=[A, B])
            async for event in stream:
                if event.type == "slot_answered":
                    break
            await product.__aexit__(None, None, None)
            await stream.aclose()
            await product.__aenter__()
            (summary,) = await product.runs()
            return await product.report(summary.id)

    report = asyncio.run(run())
    assert report.status.value == "interrupted"
    assert [slot.state.value for slot in report.slots] == ["answered", "cancelled"]


def test_the_events_of_a_run_are_gapless_and_fold_into_its_report(tmp_path):
    upstream = Upstream({A: [streamed(frame("Hel"), Act.CLOSE), says("whole")]})

    async def run():
        async with opened(upstream, tmp_path) as product:
            events = [event async for event in product.stream("ping", models=[A, B])]
            stored = await product.events(events[-1].run_id)
            return events, stored

    events, stored = asyncio.run(run())
    check_events([event.to_dict() for event in events])
    assert stored[-1].type == events[-1].type
    kept = [e for e in stored if "delta" not in e.type]
    assert [e.type for e in kept] == [e.type for e in events if "delta" not in e.type]
