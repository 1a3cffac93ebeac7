"""A key is rotated while questions are asked; what is printed is what `make rotation` shows.

A library's `UltrAI`, opened once, asks from many tasks with a key from a file. Meanwhile another
process runs `ultrai keys rotate --to-file` on that file, again and again.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.contract.money.command import ultrai

import ultrai as library
from ultrai.settings.load import load
from ultrai_sim import Latency, Simulator, World, run_simulator

MODEL = "openai/gpt-4o-mini"
ASKERS = 16
AFTERWARDS = 2


@dataclass
class Outcome:
    """What the askers saw, and what the simulator did."""

    rotations: int
    grace_s: float
    asked: int = 0
    denied: int = 0
    keys_used: int = 0
    retired: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def row(self) -> str:
        """A line of the table."""
        return (
            f"{self.rotations:9d}  {self.grace_s:5.1f} s  {self.asked:9d}  "
            f"{self.failures.total():6d}  {self.denied:6d}  {self.keys_used:9d}"
        )


async def rotate_under_load(home: Path, *, rotations: int, grace_s: float) -> Outcome:
    """Ask from many tasks while the key is rotated, and a little longer."""
    outcome = Outcome(rotations, grace_s)
    place = home / "key"
    async with run_simulator(World(latency=Latency(0.05, 0.1, 0.005))) as sim:
        made = await ultrai(sim, home, "keys", "create", "worker", "--to-file", str(place))
        assert made[0] == 0, made[2]
        environ = {
            "HOME": str(home),
            "ULTRAI_HOME": str(home / "state"),
            "ULTRAI_CACHE": "off",
            "OPENROUTER_BASE_URL": sim.base_url,
            "OPENROUTER_API_KEY": f"file:{place}",
        }
        is_over = asyncio.Event()
        async with library.open(load(environ=environ, cwd=home)) as product:
            await product.ask("before", models=[MODEL])
            askers = [
                asyncio.create_task(_ask(product, outcome, is_over, number=number))
                for number in range(ASKERS)
            ]
            for _ in range(rotations):
                flags = ("--to-file", str(place), "--grace", str(grace_s))
                code, _, error = await ultrai(sim, home, "keys", "rotate", "worker", *flags)
                if code != 0:
                    outcome.problems.append(error.strip())
            is_over.set()
            await asyncio.gather(*askers)
        _look(sim, outcome)
    return outcome


async def _ask(
    product: library.UltrAI,
    outcome: Outcome,
    is_over: asyncio.Event,
    *,
    number: int,
) -> None:
    left = AFTERWARDS
    while left:
        left -= is_over.is_set()
        outcome.asked += 1
        report = await product.ask(f"question {number}.{outcome.asked}", models=[MODEL])
        slot = report.slots[0]
        if slot.answer is None or len(slot.attempts) != 1:
            failures = [a.failure for a in slot.attempts if a.failure is not None]
            outcome.failures.update(f"{each.kind} {each.message}" for each in failures)


def _look(sim: Simulator, outcome: Outcome) -> None:
    chats = sim.world.chats()
    outcome.denied = sum(seen.status == 401 for seen in chats)
    workers = [key for key in sim.world.money.keys.values() if key.name == "worker"]
    outcome.keys_used = sum(key.spending.total > 0 for key in workers)
    outcome.retired = sum(key.disabled for key in workers)


def main(rotations: int) -> int:
    """Rotate with time to spare, and with none; 1 if a single question failed."""
    print("rotations    grace  questions  failed  denied  keys that paid")  # noqa: T201 - its output
    failed = 0
    for grace_s in (6.0, 0.0):
        with tempfile.TemporaryDirectory() as folder:
            outcome = asyncio.run(
                rotate_under_load(Path(folder), rotations=rotations, grace_s=grace_s)
            )
        print(outcome.row())  # noqa: T201 - its output
        for problem in (*outcome.failures, *outcome.problems):
            print(f"  {problem}")  # noqa: T201 - its output
        failed += outcome.failures.total() + len(outcome.problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
