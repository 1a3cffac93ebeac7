"""Real processes that are killed, race each other, or leave without closing."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.store.stories import whole_run

from ultrai.domain.report import RunStatus, SlotState
from ultrai.store.database import open_database
from ultrai.store.history import SqlHistory

ROOT = Path(__file__).parents[3]
OPENING = f"""
import asyncio, sys
sys.path[:0] = [{str(ROOT / "src")!r}, {str(ROOT)!r}]
from pathlib import Path
from tests.unit.store.stories import Teller, whole_run
from ultrai.store.database import open_database
from ultrai.store.history import SqlHistory
path = Path(sys.argv[1])
database = open_database(path)
history = SqlHistory(database)
async def see(read, is_there):
    for _ in range(20_000):
        if is_there(await read()):
            return
    sys.exit("it was never written")
teller = Teller("run_1")
teller.begin(2)
teller.attempt(0)
teller.answer("kept", 0)
teller.attempt(1)
"""
AFTER_A_FLUSH = """
history.append(teller.events)
asyncio.run(history.flush())
print("ready", flush=True)
sys.stdin.read()
"""
AFTER_THE_LINGER = """
history.append(teller.events)
asyncio.run(see(lambda: history.list_runs(limit=1), bool))
print("ready", flush=True)
sys.stdin.read()
"""
AFTER_A_DELTA = """
teller.text("half a ", 1)
history.append(teller.events)
asyncio.run(history.flush())
teller.text("sentence", 1)
history.append(teller.events[-1:])
asyncio.run(see(lambda: history.read_events("run_1"), lambda e: e[-1].text == "sentence"))
print("ready", flush=True)
sys.stdin.read()
"""
LEFT_OPEN = """
history.append(teller.events)
"""
MANY_RUNS = """
async def work():
    for number in range(20):
        history.append(whole_run(f"run_{sys.argv[2]}_{number}"))
        await history.flush()
asyncio.run(work())
database.close()
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OPENING + program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("program", [AFTER_A_FLUSH, AFTER_THE_LINGER, AFTER_A_DELTA])
def test_kill_9_loses_nothing_that_was_committed(path, program):
    with start(program, path) as process, open_database(path) as database:
        history = SqlHistory(database)
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        [alive] = asyncio.run(history.list_runs(limit=9))
        process.send_signal(signal.SIGKILL)
        process.wait()
        [dead] = asyncio.run(history.list_runs(limit=9))
        report = asyncio.run(history.load_report("run_1"))

    assert (alive.status, dead.status) == (RunStatus.RUNNING, RunStatus.INTERRUPTED)
    assert [slot.state for slot in report.slots] == [SlotState.ANSWERED, SlotState.CANCELLED]
    assert report.slots[0].answer.text == "kept"
    partial = report.slots[1].attempts[0].partial
    assert (partial and partial.text) == ("half a sentence" if program is AFTER_A_DELTA else None)


def test_a_program_that_leaves_without_closing_ends_and_loses_nothing(path):
    with start(LEFT_OPEN, path) as process:
        _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    with open_database(path) as database:
        assert len(asyncio.run(SqlHistory(database).read_events("run_1"))) == 7


def test_two_processes_that_make_the_database_at_once_both_write_to_it(tmp_path):
    path = tmp_path / "new" / "ultrai.db"
    with start(MANY_RUNS, path, "a") as first, start(MANY_RUNS, path, "b") as second:
        for process in (first, second):
            _, errors = process.communicate(timeout=60)
            assert (process.returncode, errors) == (0, "")

    with open_database(path) as database:
        runs = asyncio.run(SqlHistory(database).list_runs(limit=100))
    assert len(runs) == 40
    assert {run.status for run in runs} == {RunStatus.COMPLETE}


def test_the_proof_of_life_of_a_dead_process_is_swept_away_by_the_next(path):
    with start(AFTER_A_FLUSH, path) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
    owners = path.with_name("ultrai.db-owners")
    [left] = owners.iterdir()

    with open_database(path) as database:
        history = SqlHistory(database)
        history.append(whole_run("run_2"))
        asyncio.run(history.flush())
        [ours] = owners.iterdir()
        assert ours != left
    assert list(owners.iterdir()) == []
