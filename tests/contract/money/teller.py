"""One process of a storm: runs that reserve, start, settle and close against one budget.

    python -m tests.contract.money.teller DATABASE NAME RUNS SEED

Each run costs exactly one unit. A line on standard output for each run that was granted and is
over; the process may be killed at any moment. It ends once it was refused `REFUSALS` times in a
row.
"""

from __future__ import annotations

import asyncio
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from ultrai.domain.budget import Payer
from ultrai.domain.ledger import Close, Grant, Place, Reserve, Settle, SlotHold, Start
from ultrai.domain.outcome import Cost, CostState
from ultrai.domain.stamp import stamp
from ultrai.store.database import Database, open_database, open_server
from ultrai.store.ledger import SqlLedger

UNIT = 1000
REFUSALS = 50
AT_ONCE = 50
TEAMS = ("red", "blue")
TASKS = ("sort", "sum")


async def run_once(ledger: SqlLedger, name: str, chance: random.Random) -> bool:
    """One run of one unit; False: it was refused."""
    at = stamp(datetime.now(UTC))
    place = Place(name, 0, 1)
    tags = {"team": chance.choice(TEAMS), "task": chance.choice(TASKS)}
    payer = Payer(name, at, key="key-1", tags=tags)
    granted = await ledger.reserve(Reserve(payer, (SlotHold(0, UNIT, UNIT),)))
    if not isinstance(granted, Grant):
        return False
    if isinstance(await ledger.start(Start(place, at, "a/b", "openrouter", UNIT, 0)), Grant):
        await asyncio.sleep(chance.random() * 0.2)
        cost = Cost(UNIT, CostState.REPORTED)
        ledger.post(Settle(place, at, "answer", cost, UNIT, UNIT))
    ledger.post(Close(name, at))
    return True


def open_any(where: str) -> Database:
    """A file, or a server's database by its address."""
    if where.startswith("postgresql:"):
        return open_server(where)
    return open_database(Path(where), busy_timeout_s=30)


async def work(path: str, name: str, *, runs: int, seed: int) -> None:
    """As many runs as there are, `AT_ONCE` at a time."""
    chance = random.Random(seed)
    refused = 0
    numbers = iter(range(runs))

    with open_any(path) as database:
        ledger = SqlLedger(database)

        async def worker() -> None:
            nonlocal refused
            for number in numbers:
                if refused >= REFUSALS:
                    return
                granted = await run_once(ledger, f"run_{name}_{number}", chance)
                refused = 0 if granted else refused + 1
                if granted:
                    sys.stdout.write(f"run_{name}_{number}\n")
                    sys.stdout.flush()

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())
        await database.writer.flush()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], runs=int(sys.argv[3]), seed=int(sys.argv[4])))
