"""Ten thousand runs of which a third is cancelled or killed: what is held by nobody afterwards?

    python -m tests.contract.money.leaks                       all of it, as `make money` shows it
    python -m tests.contract.money.leaks DATABASE NAME RUNS    one process of it

Every run goes through the engine's treasury, as a run of `ultrai ask` does: a dear bound is held, a
small part of it is spent. Three in ten are cancelled at a random moment of theirs; some processes
are killed with all that they have in flight.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.contract.money.teller import open_any

from ultrai.domain.budget import Budget, Payer, Period, Scope
from ultrai.domain.ledger import NO_USAGE, Grant, SlotHold
from ultrai.domain.outcome import Cost, CostState
from ultrai.domain.stamp import stamp
from ultrai.engine.treasury import Bill, Claim, Envelope
from ultrai.store.audit import verify
from ultrai.store.budget_book import BudgetBook
from ultrai.store.ledger import SqlLedger

ROOT = Path(__file__).parents[3]
BOUND = 1_000_000  # nanodollars that one attempt may cost, and are held for it
COST = 20_000  # what it does cost
AT_ONCE = 100
CANCELLED = 0.3
PROCESSES = 4
LIMIT = 10**15  # it must never be why a run is refused


@dataclass
class Leaks:
    """What is left when all is over."""

    runs: int = 0
    cancelled: int = 0
    killed: int = 0
    cut_off: int = 0
    held_nanos: int = 0
    posted_nanos: int = 0
    reserved_nanos: int = 0
    problems: list[str] = field(default_factory=list)


async def run_once(ledger: SqlLedger, name: str, chance: random.Random) -> None:
    """One run of one slot: held, sent, paid, given back."""
    now = stamp(datetime.now(UTC))
    envelope = Envelope(None, ledger, payer=Payer(name, now), now=lambda: now)
    granted = await envelope.open([SlotHold(0, BOUND, BOUND)])
    assert isinstance(granted, Grant), granted
    try:
        refused = await envelope.reserve(Claim(0, 1, "a/b", "openrouter", BOUND))
        assert refused is None, refused
        try:
            await asyncio.sleep(chance.random() * 0.05)
        except asyncio.CancelledError:
            estimate = Cost(BOUND, CostState.ESTIMATED)
            envelope.settle(0, 1, bill=Bill("cancelled", estimate, COST, NO_USAGE))
            raise
        reported = Cost(COST, CostState.REPORTED)
        envelope.settle(0, 1, bill=Bill("answer", reported, COST, NO_USAGE))
    finally:
        envelope.close_slot(0)
        envelope.close()


async def work(path: str, name: str, runs: int) -> None:
    """One process; a line on standard output for every run that is over, with how it ended."""
    chance = random.Random(name)
    numbers = iter(range(runs))
    with open_any(path) as database:
        ledger = SqlLedger(database)

        async def worker() -> None:
            for number in numbers:
                task = asyncio.create_task(run_once(ledger, f"run_{name}_{number}", chance))
                if chance.random() < CANCELLED:
                    asyncio.get_running_loop().call_later(chance.random() * 0.05, task.cancel)
                with suppress(asyncio.CancelledError):
                    await task
                sys.stdout.write("cancelled\n" if task.cancelled() else "over\n")
                sys.stdout.flush()

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())
        await database.writer.flush()


def leak(folder: Path, *, runs: int, kills: int, server: str | None = None) -> Leaks:
    """`runs` runs in four processes, `kills` of which are killed in the middle and replaced."""
    path = server or str(folder / "ultrai.db")
    found, chance = Leaks(), random.Random(kills)
    with open_any(path) as database:
        BudgetBook(database).set(Budget("all", Scope.GLOBAL, "", Period.TOTAL, LIMIT))
    per_life = runs // PROCESSES
    living = [_Life(path, folder, f"p{n}", per_life) for n in range(PROCESSES)]
    born, lives = PROCESSES, list(living)
    while living:
        time.sleep(0.02)
        ripe = [life for life in living if life.lines > per_life // 4]
        if found.killed < kills and ripe:
            victim = chance.choice(ripe)
            victim.process.kill()
            victim.process.wait()
            found.killed += 1
            lives.append(_Life(path, folder, f"p{born}", per_life))
            living.append(lives[-1])
            born += 1
        living = [life for life in living if life.process.poll() is None]
    for life in lives:
        told = life.file.read_text("utf-8").splitlines()
        found.runs += len(told)
        found.cancelled += told.count("cancelled")
    _look(path, found)
    return found


class _Life:
    """One process, and what it has said so far."""

    def __init__(self, path: str, folder: Path, name: str, runs: int) -> None:
        self.file = folder / f"{name}.txt"
        command = [sys.executable, "-m", "tests.contract.money.leaks", path, name, str(runs)]
        with self.file.open("wb") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out)

    @property
    def lines(self) -> int:
        return self.file.read_bytes().count(b"\n")


def _look(path: str, found: Leaks) -> None:
    with open_any(path) as database:
        database.wind_up(stamp(datetime.now(UTC)))
        (state,) = BudgetBook(database).states(datetime.now(UTC))
        found.held_nanos, found.posted_nanos = state.held_nanos, state.posted_nanos
        found.problems += verify(database).problems
        with database.engine.connect() as connection:
            row = connection.exec_driver_sql(
                "SELECT coalesce(sum(held_delta), 0) FROM ledger_entries WHERE held_delta > 0"
            ).one()
            found.reserved_nanos = int(row[0])
            row = connection.exec_driver_sql(
                "SELECT count(*) FROM ledger_entries WHERE kind = 'reservation'"
            ).one()
            found.cut_off = int(row[0]) - found.runs
            (left,) = connection.exec_driver_sql("SELECT count(*) FROM open_runs").one()
            if left:
                found.problems.append(f"{left} runs are still open")
    if found.held_nanos:
        found.problems.append(f"{found.held_nanos} nanodollars are held by nobody")


def main() -> int:
    """All of it, printed; the exit code says whether anything leaked."""
    if len(sys.argv) > 1:
        asyncio.run(work(sys.argv[1], sys.argv[2], int(sys.argv[3])))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = leak(Path(folder), runs=10_000, kills=6)
    say = sys.stdout.write
    say(
        f"{found.runs + found.cut_off} runs, {found.cancelled} cancelled, {found.cut_off} cut off "
        f"in {found.killed} processes that were killed: {found.held_nanos} nanodollars left held; "
        f"{found.reserved_nanos / max(1, found.posted_nanos):.0f} reserved for each one spent\n"
    )
    for problem in found.problems:
        say(f"  {problem}\n")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
