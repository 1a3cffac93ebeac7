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
from ultrai_sim.__main__ import main
from ultrai_sim.checking import describe, doubts
from ultrai_sim.scenario import gallery

ROOT = Path(__file__).parents[3]


def test_its_own_routes_are_listed_and_refuse_in_json() -> None:
    async def story(sim: Simulator) -> list[tuple[int, object]]:
        root = sim.base_url.removesuffix("/api/v1")
        heard = []
        async with aiohttp.ClientSession() as session:
            for path in ("/sim", "/sim/reset", "/sim/nothing"):
                async with session.get(root + path) as answer:
                    heard.append((answer.status, await answer.json()))
            for route in heard[0][1]["routes"]:
                method, path = route.split()
                async with session.request(method, root + path, data=b"{}") as answer:
                    assert answer.status in {200, 400}, route
        return heard

    index, reset, nothing = with_simulator(World(), story)
    assert "POST /sim/faults" in index[1]["routes"]
    assert (reset[0], reset[1]["error"]["code"]) == (405, 405)
    assert "it takes POST" in reset[1]["error"]["message"]
    assert nothing[0] == 404
    assert "GET /sim lists the routes" in nothing[1]["error"]["message"]


@pytest.mark.parametrize("flag", ["--scenario", "--check"])
def test_the_gallery_is_listed_in_lines_of_eighty(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([flag, "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert sum(not line.startswith(" ") for line in lines) == len(gallery())


def test_a_catalogue_that_nobody_has_is_told_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--catalogue", "nope"]) == 2
    assert "nope: no catalogue is called so; there are today and report-2025" in (
        capsys.readouterr().err
    )


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
