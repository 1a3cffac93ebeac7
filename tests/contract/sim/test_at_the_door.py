"""`ultrai sim` as a program: its addresses, its lines, and who stops reading them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from tests.contract.sim.talking import ask, with_simulator

from ultrai_sim import Fault, Simulator, World
from ultrai_sim.checking import describe, doubts

ROOT = Path(__file__).parents[3]


def program(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ultrai_sim", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_goes_on_serving_when_nobody_reads_its_lines_any_more() -> None:
    process = program("--json", "--port", "0")
    assert process.stdout is not None
    base_url = process.stdout.readline().partition("=")[2].strip()
    process.stdout.readline()
    process.stdout.close()

    async def story() -> list[int]:
        async with aiohttp.ClientSession() as session:
            heard = []
            for _ in range(4):
                async with session.get(f"{base_url}/models") as response:
                    heard.append(response.status)
            return heard

    try:
        assert asyncio.run(story()) == [200] * 4
    finally:
        process.terminate()
        assert process.stderr is not None
        said = process.stderr.read()
        process.stderr.close()
        process.wait(timeout=20)
    assert said.count("nobody reads the lines any more") == 1
    assert "Traceback" not in said
    assert "4 requests came" in said
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("::1", "http://[::1]:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
    ],
)
def test_its_address_is_one_that_a_client_can_use(host, origin) -> None:
    assert Simulator(host, 1, World()).origin == origin


def test_a_fault_counts_once_for_a_request_whatever_it_strikes() -> None:
    world = World(faults=[Fault(kind="shared_pool_429")])

    async def story(sim):
        return (await ask(sim)).status, sim.world.chats()[0].faults

    assert with_simulator(world, story) == (429, ("shared_pool_429",))


@pytest.mark.parametrize("arguments", [("--check", "brownout"), ("brown-out",)])
def test_a_scenario_that_is_misspelt_or_misplaced_is_named(arguments) -> None:
    process = program(*arguments)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "brown-out" in said
    assert said.count("\n") == 1


def test_a_check_tells_what_can_never_strike_and_what_is_in_it() -> None:
    faults = [
        Fault(kind="status", status=503, model="openai/gpt-9"),
        Fault(kind="cut", provider="OpneAI"),
        Fault(kind="cut", model="openai/*", provider="openai"),
    ]
    world = World(faults=faults)
    assert [line.partition(";")[0] for line in doubts(world)] == [
        "fault status: no model is called 'openai/gpt-9'",
        "fault cut: no provider is called 'OpneAI'",
    ]
    assert "fault status (status 503) on model openai/gpt-9" in describe(world)
