"""Test your own program without key, network or cost: a simulator in the same process.

What the simulator does is said in the test: here the first model fails, so its backup answers.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import ultrai
from ultrai.domain.secret import Secret
from ultrai_sim import Fault, World, run_simulator

FIRST, SECOND = "openai/gpt-4o", "mistralai/mistral-large"


async def second_opinion(u: ultrai.UltrAI) -> str:
    """The program under test."""
    report = await u.ask("Is water wet?", models=[FIRST], backups={FIRST: [SECOND]})
    return report.answers[0].text if report.answers else "nobody knows"


async def main() -> None:
    """A world of our own, a product that talks to nothing else, and what must hold."""
    world = World(
        seed=1,
        says={SECOND: "Yes."},
        faults=[Fault(kind="status", model=FIRST, status=404)],
    )
    with tempfile.TemporaryDirectory() as home:
        async with run_simulator(world) as simulator:
            settings = ultrai.Settings(
                home=Path(home), key=Secret(simulator.api_key), base_url=simulator.base_url
            )
            async with ultrai.open(settings) as u:
                assert await second_opinion(u) == "Yes."
    print("the backup answered")


if __name__ == "__main__":
    asyncio.run(main())
