from __future__ import annotations

import asyncio
import dataclasses
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.store.stories import Teller, folded, runs, whole_run

from ultrai.domain.errors import NotFound, StoreError, UsageError
from ultrai.domain.event import Event, EventType
from ultrai.domain.report import RunStatus, SlotState
from ultrai.store.database import open_database
from ultrai.store.history import SqlHistory

T = EventType
FRESH = itertools.count()


def keep(history: SqlHistory, events: list[Event]) -> None:
    async def work() -> None:
        for event in events:
            history.append([event])
        await history.flush()

    asyncio.run(work())


def test_a_run_is_read_back_as_the_same_report(history):
    events = whole_run("run_1", prompt="what is a prompt?")
    keep(history, events)

    report = asyncio.run(history.load_report("run_1"))

    assert report.to_dict() == folded(events).to_dict()
    assert report.status is RunStatus.COMPLETE


@given(events=runs(), flushes=st.sets(st.integers(0, 40)), inline=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_run_folds_to_the_same_report_from_the_database(path, events, flushes, inline):
    run_id = f"run_{next(FRESH)}"
    events = [dataclasses.replace(event, run_id=run_id) for event in events]

    async def work():
        async with open_database(path, inline=inline) as database:
            history = SqlHistory(database)
            for number, event in enumerate(events):
                history.append([event])
                if number in flushes:
                    await history.flush()
            await history.flush()
            [summary] = [r for r in await history.list_runs(limit=9**9) if r.id == run_id]
            return await history.load_report(run_id), summary

    stored, summary = asyncio.run(work())

    live = folded(events)
    assert stored.to_dict() == live.to_dict()
    assert summary.status is live.status
    if live.status is not RunStatus.RUNNING:
        assert (summary.cost_nanos, summary.cost_known) == (live.cost_nanos, live.cost_known)


def test_runs_are_listed_newest_first(history):
    for number, day in enumerate(("02", "03", "01")):
        keep(history, whole_run(f"run_{number}", created_at=f"2026-11-{day}T00:00:00.000Z"))

    async def listed(limit):
        return [run.id for run in await history.list_runs(limit=limit)]

    assert asyncio.run(listed(10)) == ["run_1", "run_0", "run_2"]
    assert asyncio.run(listed(1)) == ["run_1"]
    assert asyncio.run(listed(0)) == []


def test_a_summary_says_what_the_contract_lists(history):
    keep(history, whole_run("run_1", prompt="why?"))

    [run] = asyncio.run(history.list_runs(limit=1))

    assert run.to_dict() == {
        "id": "run_1",
        "created_at": "2026-11-23T20:00:00.000Z",
        "status": "complete",
        "cocktail": "PREMIUM",
        "cost_usd": "0.0000012",
        "cost_known": True,
        "prompt": "why?",
    }


@pytest.mark.parametrize("wanted", ["ÉCOLE", "école", "100%", "a_b"])
def test_the_search_finds_text_as_it_stands_whatever_its_case(history, wanted):
    keep(history, whole_run("run_1", prompt="L'école à 100% a_b"))
    keep(history, whole_run("run_2", prompt="1000 aXb"))

    found = asyncio.run(history.list_runs(limit=9, containing=wanted))

    assert [run.id for run in found] == ["run_1"]


def test_a_unique_beginning_of_an_id_is_enough(history):
    keep(history, whole_run("run_abc"))
    keep(history, whole_run("run_abd"))

    assert asyncio.run(history.read_events("run_abc"))[0].run_id == "run_abc"
    assert asyncio.run(history.load_report("run_abd")).id == "run_abd"


def test_a_whole_id_that_begins_another_is_not_ambiguous(history):
    keep(history, whole_run("run_a"))
    keep(history, whole_run("run_ab"))

    assert asyncio.run(history.load_report("run_a")).id == "run_a"


def test_an_ambiguous_beginning_names_the_matches(history):
    keep(history, whole_run("run_abc"))
    keep(history, whole_run("run_abd"))

    with pytest.raises(UsageError, match="run_abc, run_abd"):
        asyncio.run(history.read_events("run_ab"))


@pytest.mark.parametrize("unknown", ["run_x", "", "%", "_un", "\ud800", "a\0b"])
def test_an_unknown_id_is_not_found(history, unknown):
    keep(history, whole_run("run_1"))

    with pytest.raises(NotFound, match="no run"):
        asyncio.run(history.read_events(unknown))


def test_a_run_of_this_process_is_running_until_it_ends(history):
    keep(history, whole_run("run_1")[:4])

    [run] = asyncio.run(history.list_runs(limit=1))

    assert run.status is RunStatus.RUNNING
    assert asyncio.run(history.load_report("run_1")).status is RunStatus.RUNNING


def test_a_run_left_open_by_a_closed_process_reads_interrupted_and_nothing_is_written(path):
    teller = Teller()
    teller.begin(2)
    teller.attempt(0)
    teller.answer("done", 0)
    teller.attempt(1)
    teller.text("half", 1)
    with open_database(path) as database:
        keep(SqlHistory(database), teller.events)
    before = path.read_bytes()

    with open_database(path) as database:
        history = SqlHistory(database)
        [run] = asyncio.run(history.list_runs(limit=1))
        report = asyncio.run(history.load_report("run_1"))

    assert (run.status, run.cost_nanos) == (RunStatus.INTERRUPTED, 1200)
    assert not run.cost_known
    assert report.status is RunStatus.INTERRUPTED
    assert [slot.state for slot in report.slots] == [SlotState.ANSWERED, SlotState.CANCELLED]
    assert report.slots[1].attempts[0].partial.text == "half"
    assert not report.cost_known
    assert path.read_bytes() == before


def test_deltas_are_stored_merged(history):
    teller = Teller()
    teller.begin()
    teller.attempt()
    for _ in range(1000):
        teller.text("word ")
    keep(history, teller.events)

    events = asyncio.run(history.read_events("run_1"))

    assert "".join(event.text or "" for event in events) == "word " * 1000
    assert sum(event.facts.get("merged", 1) for event in events[4:]) == 1000
    assert len(events) < 100


def test_text_that_databases_dislike_is_stored_without_complaint(history):
    teller = Teller()
    teller.begin(prompt="nul \0 lone \ud83d emoji 😀")
    teller.attempt()
    teller.answer("nul \0 lone \ude00 emoji 😀")
    teller.end()
    keep(history, teller.events)

    report = asyncio.run(history.load_report("run_1"))
    [run] = asyncio.run(history.list_runs(limit=1, containing="😀"))

    assert report.slots[0].answer.text == "nul \0 lone � emoji 😀"
    assert run.prompt == "nul � lone � emoji 😀"


def test_an_answer_of_sixteen_megabytes_comes_back_whole(history):
    teller = Teller()
    teller.begin(prompt="p" * 200_000)
    teller.attempt()
    teller.answer("é" * 8_000_000)
    teller.end()
    keep(history, teller.events)

    report = asyncio.run(history.load_report("run_1"))

    assert report.slots[0].answer.text == "é" * 8_000_000
    assert len(report.query["messages"][0]["content"]) == 200_000


def test_the_report_itself_is_not_stored_with_the_last_event(history):
    events = whole_run("run_1")
    events[-1] = dataclasses.replace(events[-1], report=folded(events))
    keep(history, events)

    last = asyncio.run(history.read_events("run_1"))[-1]

    assert set(last.facts) == {"status", "finished_at", "elapsed_ms", "exit_code"}


def test_a_damaged_row_is_named_and_other_runs_are_still_readable(database, history):
    keep(history, whole_run("run_1"))
    keep(history, whole_run("run_2"))
    with database.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE events SET payload = '{\"v\": 1' WHERE run_id='run_1'")

    with pytest.raises(StoreError, match="run_1"):
        asyncio.run(history.load_report("run_1"))
    assert asyncio.run(history.load_report("run_2")).status is RunStatus.COMPLETE


def test_a_damaged_run_of_a_dead_process_does_not_hide_the_others(path):
    with open_database(path) as database:
        keep(SqlHistory(database), whole_run("run_1")[:4])
        keep(SqlHistory(database), whole_run("run_2"))
        with database.engine.connect() as connection:
            connection.exec_driver_sql("UPDATE events SET payload = '[' WHERE run_id = 'run_1'")
    with open_database(path) as database:
        runs = asyncio.run(SqlHistory(database).list_runs(limit=9))

    assert {run.id: run.status for run in runs} == {
        "run_1": RunStatus.INTERRUPTED,
        "run_2": RunStatus.COMPLETE,
    }


def test_a_history_whose_middle_is_missing_is_an_error_and_not_a_guess(database, history):
    events = whole_run("run_1")
    keep(history, events[:1])
    keep(history, events[1:2])
    keep(history, events[2:])
    with database.engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE first_seq = 1")

    with pytest.raises(StoreError, match="damaged"):
        asyncio.run(history.load_report("run_1"))


def test_flush_after_close_says_so(path):
    database = open_database(path)
    history = SqlHistory(database)
    database.close()
    database.close()
    history.append(whole_run("run_1"))

    with pytest.raises(StoreError, match="closed"):
        asyncio.run(history.flush())


def test_closing_writes_what_nobody_flushed(path):
    with open_database(path) as database:
        SqlHistory(database).append(whole_run("run_1"))
    with open_database(path) as database:
        assert asyncio.run(SqlHistory(database).load_report("run_1")).id == "run_1"
