"""The feed: its order, its last Event, readers that lag, and a history that fails or hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.engine.bar import PROMPT, Bar, cocktail

from ultrai.domain.ask import Ask
from ultrai.domain.errors import StoreError
from ultrai.domain.event import Event, EventType
from ultrai.domain.outcome import Answer
from ultrai.domain.report import RunStatus
from ultrai.engine.feed import FLUSH_PATIENCE_S, Body, Feed, Subscription
from ultrai.testing import Script, run_in_virtual_time

TEXT = EventType.TEXT_DELTA
LAGGING = 400  # far more Events than a reader may leave before deltas are merged
ENDED = {"status": "complete", "finished_at": "2026-11-23T12:00:01Z", "elapsed_ms": 1}
BEGUN = {"created_at": "2026-11-23T12:00:00Z", "query": {}}
PLANNED = {"slots": [{"primary": "a/one"}, {"primary": "b/two"}]}
ANSWER = Body(answer=Answer("pong"), facts={"answered_by": "a/one"})


class Disk:
    """A history whose flushes end as they are told: at once, late, never or badly."""

    def __init__(self, *flushes: float | Exception) -> None:
        self._flushes = list(flushes)
        self.events: list[Event] = []
        self.asked = 0

    def append(self, events: Sequence[Event]) -> None:
        self.events.extend(events)

    async def flush(self) -> None:
        self.asked += 1
        step = self._flushes.pop(0) if self._flushes else 0.0
        if isinstance(step, Exception):
            raise step
        if step:
            await asyncio.sleep(step)


def begun(disk: Disk | None) -> Feed:
    feed = Feed("run_1", time_s=asyncio.get_running_loop().time, log=disk)
    feed.publish(EventType.RUN_STARTED, Body(facts=BEGUN))
    feed.publish(EventType.PLANNED, Body(facts=PLANNED))
    for slot, model in enumerate(("a/one", "b/two")):
        facts = {"model": model, "started_at": "2026-11-23T12:00:00Z"}
        feed.publish(EventType.ATTEMPT_STARTED, Body(facts=facts), slot=slot, attempt=1)
    return feed


async def read_all(subscription: Subscription) -> list[Event]:
    return [event async for event in subscription.read()]


def codes(events: Sequence[Event]) -> list[str]:
    return [event.notice.code.value for event in events if event.notice is not None]


def numbers(events: Sequence[Event]) -> list[int]:
    return [event.seq for event in events]


def test_a_history_that_fails_at_the_end_is_noted_before_the_report() -> None:
    async def run() -> list[Event]:
        feed = begun(Disk(StoreError("the disk is full")))
        reader = feed.subscribe()
        report = await feed.finish(ENDED)
        assert [notice.code.value for notice in report.notices] == ["history_failed"]
        return await read_all(reader)

    events = run_in_virtual_time(run())
    assert [event.type.value for event in events] == ["notice", "report"]
    assert events[-1].report is not None
    assert numbers(events) == [4, 5]


def test_nobody_sees_the_report_before_it_is_committed_and_one_commit_does() -> None:
    async def run() -> list[Event]:
        disk = Disk(2.0)
        feed = begun(disk)
        reader = feed.subscribe()
        task = asyncio.get_running_loop().create_task(feed.finish(ENDED))
        unread = asyncio.get_running_loop().create_task(read_all(reader))
        await asyncio.sleep(1.9)
        assert not unread.done()
        assert (await task).status is RunStatus.COMPLETE
        assert disk.asked == 1
        assert disk.events[-1].type is EventType.REPORT
        return await unread

    assert [event.type.value for event in run_in_virtual_time(run())] == ["report"]


def test_a_run_that_is_cancelled_while_its_end_is_committed_still_tells_its_report() -> None:
    async def run() -> list[Event]:
        feed = begun(Disk(2.0))
        reader = feed.subscribe()
        task = asyncio.get_running_loop().create_task(feed.finish(ENDED))
        await asyncio.sleep(1.0)
        task.cancel()
        return await read_all(reader)

    assert [event.type.value for event in run_in_virtual_time(run())] == ["report"]


def test_a_history_that_works_has_the_report_as_its_last_event() -> None:
    bar = Bar(cocktails=(cocktail("ONE", ["a/one"], ["b/two"]),))
    _, events = bar.watch(Ask(cocktail="ONE"))
    assert (
        [e.seq for e in bar.history.events] == [e.seq for e in events] == list(range(len(events)))
    )
    assert bar.history.events[-1].type is EventType.REPORT
    assert bar.history.flushed == len(events)


def test_an_answer_of_a_run_whose_history_was_given_up_waits_behind_what_came_before() -> None:
    async def run() -> list[Event]:
        feed = begun(Disk(1.0, StoreError("the disk is full")))
        reader = feed.subscribe()
        async with asyncio.TaskGroup() as group:
            group.create_task(
                feed.publish_committed(EventType.SLOT_ANSWERED, ANSWER, slot=0, attempt=1)
            )
            await asyncio.sleep(0.1)
            # This one's flush fails at once, so that the feed has no history from now on.
            await feed.publish_committed(EventType.SLOT_ANSWERED, ANSWER, slot=1, attempt=1)
            await feed.publish_committed(EventType.SLOT_ANSWERED, ANSWER, slot=1, attempt=1)
        await feed.finish(ENDED)
        return await read_all(reader)

    events = run_in_virtual_time(run())
    assert numbers(events) == sorted(numbers(events))
    assert codes(events) == ["history_failed"]


def test_a_history_that_hangs_is_given_up_once_and_for_everybody() -> None:
    async def run() -> list[Event]:
        hours = 3600.0
        disk = Disk(hours, hours, hours)
        feed = begun(disk)
        reader = feed.subscribe()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with asyncio.TaskGroup() as group:
            for slot, after_s in ((0, 0.0), (1, FLUSH_PATIENCE_S - 1)):
                group.create_task(answer_later(feed, slot, after_s=after_s))
        await feed.finish(ENDED)
        assert loop.time() - began_s == FLUSH_PATIENCE_S
        assert disk.asked == 2
        return await read_all(reader)

    events = run_in_virtual_time(run())
    assert codes(events) == ["history_failed"]
    assert numbers(events) == list(range(4, 8))


def test_two_flushes_that_hang_from_the_same_moment_are_given_up_together() -> None:
    async def run() -> list[Event]:
        feed = begun(Disk(3600.0, 3600.0))
        reader = feed.subscribe()
        async with asyncio.TaskGroup() as group:
            for slot in (0, 1):
                group.create_task(answer_later(feed, slot, after_s=0.0))
        await feed.finish(ENDED)
        return await read_all(reader)

    assert codes(run_in_virtual_time(run())) == ["history_failed"]


async def answer_later(feed: Feed, slot: int, *, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await feed.publish_committed(EventType.SLOT_ANSWERED, ANSWER, slot=slot, attempt=1)


def test_a_run_does_not_outlast_its_deadline_by_more_than_the_patience_with_its_history() -> None:
    bar = Bar(scripts={"a/one": [Script(head_s=900.0)]})
    desk = bar.desk()
    disk = Disk(3600.0, 3600.0)
    bar.history.flush = disk.flush  # type: ignore[method-assign]

    async def run() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        handle = await desk.start(Ask(messages=PROMPT, models=("a/one",), deadline_s=20.0))
        await handle.report()
        return loop.time() - began_s

    assert run_in_virtual_time(run()) == 20.0 + FLUSH_PATIENCE_S


def lagging_reader(feed: Feed) -> Subscription:
    """A reader that has left so much unread that deltas are merged."""
    reader = feed.subscribe()
    for _ in range(LAGGING):
        feed.publish(EventType.FIRST_TOKEN, slot=0, attempt=1)
    return reader


def speak(feed: Feed, slot: int, text: str, *, kind: EventType = TEXT) -> None:
    feed.publish(kind, Body(text=text), slot=slot, attempt=1)


def texts(events: Sequence[Event]) -> list[tuple[int | None, str | None]]:
    return [(event.slot, event.text) for event in events if event.type is TEXT]


def test_deltas_of_slots_that_speak_in_turn_become_one_each_and_say_so() -> None:
    async def run() -> list[Event]:
        feed = begun(None)
        reader = lagging_reader(feed)
        for word in range(1000):
            speak(feed, 0, f"{word} ")
            speak(feed, 1, f"<{word}>")
        await feed.finish(ENDED)
        return await read_all(reader)

    events = run_in_virtual_time(run())
    first, second, last = events[LAGGING:]
    assert first.text == "".join(f"{word} " for word in range(1000))
    assert second.text == "".join(f"<{word}>" for word in range(1000))
    assert first.facts == {"merged": 1000, "last_seq": first.seq + 1998}
    assert second.facts == {"merged": 1000, "last_seq": second.seq + 1998}
    assert last.seq == second.seq + 1999


def test_a_reader_that_follows_sees_each_delta_as_it_was() -> None:
    async def run() -> list[Event]:
        feed = begun(None)
        reader = feed.subscribe()
        for word in ("a", "b", "c"):
            speak(feed, 0, word)
        await feed.finish(ENDED)
        return await read_all(reader)

    events = run_in_virtual_time(run())
    assert texts(events) == [(0, "a"), (0, "b"), (0, "c")]
    assert all("merged" not in event.facts for event in events)


def test_text_and_facts_of_a_slot_keep_their_order_however_the_reader_lags() -> None:
    async def run() -> list[Event]:
        feed = begun(None)
        reader = lagging_reader(feed)
        speak(feed, 0, "half")
        speak(feed, 1, "one ")
        feed.publish(EventType.ATTEMPT_WITHDRAWN, slot=0, attempt=1)
        speak(feed, 0, "anew")
        speak(feed, 1, "two")
        await feed.finish(ENDED)
        return await read_all(reader)

    events = run_in_virtual_time(run())[LAGGING:]
    assert [(event.type.value, event.text) for event in events[:-1]] == [
        ("text_delta", "half"),
        ("text_delta", "one two"),
        ("attempt_withdrawn", None),
        ("text_delta", "anew"),
    ]


def test_text_stays_in_order_for_a_reader_that_catches_up_and_falls_behind_again() -> None:
    async def run() -> list[Event]:
        feed = begun(None)
        reader = lagging_reader(feed)
        events: list[Event] = []
        source = reader.read()
        speak(feed, 0, "0 ")
        for word in range(1, 2000):
            speak(feed, 0, f"{word} ")
            if word % 3:
                events.append(await anext(source))
        await feed.finish(ENDED)
        return events + [event async for event in source]

    events = run_in_virtual_time(run())
    said = "".join(text or "" for _, text in texts(events))
    assert said == "".join(f"{word} " for word in range(2000))


def test_what_a_reader_has_not_fetched_costs_few_events_however_much_is_said() -> None:
    async def run() -> list[Event]:
        feed = begun(None)
        reader = lagging_reader(feed)
        for _ in range(5_000):
            speak(feed, 0, "x" * 100)
            speak(feed, 1, "y" * 100)
        await feed.finish(ENDED)
        return await read_all(reader)

    events = run_in_virtual_time(run())[LAGGING:-1]
    assert sum(len(event.text or "") for event in events) == 1_000_000
    assert len(events) <= 2 * (500_000 // 65_536 + 1)
