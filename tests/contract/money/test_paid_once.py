"""The answer cache against the simulator, over TCP and in processes of their own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
from tests.contract.money.command import ultrai

import ultrai as library
from ultrai.domain.secret import Secret
from ultrai.settings.model import Settings
from ultrai_sim import Fault, Latency, World, run_simulator

MODEL = "openai/gpt-4o-mini"
ASK = ("ask", "-m", MODEL, "Which is larger, 9.11 or 9.9?", "--json")
ON = {"ULTRAI_CACHE": "exact"}


async def asked(sim, home: Path, *more: str, **environ: str):
    code, out, error = await ultrai(sim, home, *ASK, *more, **{**ON, **environ})
    assert out, error
    return code, json.loads(out)


def test_the_same_question_is_paid_once_and_no_cache_pays_again(tmp_path: Path):
    async def story() -> None:
        async with run_simulator(World()) as sim:
            _, first = await asked(sim, tmp_path)
            code, second = await asked(sim, tmp_path)
            assert code == 0
            assert second["cost_usd"] == "0"
            assert second["slots"][0]["cost_state"] == "not_billed"
            assert second["slots"][0]["answer"]["cached"] is True
            text = first["slots"][0]["answer"]["text"]
            assert second["slots"][0]["answer"]["text"] == text
            (notice,) = second["notices"]
            assert notice["code"] == "answered_from_cache"
            assert first["cost_usd"] in notice["message"]
            assert len(sim.world.chats()) == 1
            _, third = await asked(sim, tmp_path, "--no-cache")
            assert third["slots"][0]["answer"]["cached"] is False
            assert len(sim.world.chats()) == 2
            _, cost, _ = await ultrai(sim, tmp_path, "cost", "--json")
            assert json.loads(cost)["total"]["attempts"] == 2

    asyncio.run(story())


def test_it_answers_while_the_upstream_is_down_and_while_no_money_is_left(tmp_path: Path):
    async def story() -> None:
        async with run_simulator(World()) as sim:
            await asked(sim, tmp_path)
            await ultrai(sim, tmp_path, "budget", "set", "all", "0.000000001", "--per", "day")
            code, report = await asked(sim, tmp_path, "--max-cost", "0")
            assert (code, report["status"]) == (0, "complete")
            address = sim.base_url
        code, report = await asked(sim, tmp_path, OPENROUTER_BASE_URL=address)
        assert (code, report["slots"][0]["answer"]["cached"]) == (0, True)

    asyncio.run(story())


def test_another_key_and_another_address_are_told_nothing(tmp_path: Path):
    async def story() -> None:
        async with run_simulator(World()) as sim, run_simulator(World()) as other:
            await asked(sim, tmp_path)
            _, report = await asked(
                sim, tmp_path, OPENROUTER_BASE_URL=other.base_url, OPENROUTER_API_KEY=other.api_key
            )
            assert report["slots"][0]["answer"]["cached"] is False

    asyncio.run(story())


def test_processes_that_ask_the_same_at_once_make_one_request(tmp_path: Path):
    async def story() -> None:
        async with run_simulator(World(latency=Latency(head_s=4.0))) as sim:
            # The catalogue and the database are made first, so that the four start together.
            await ultrai(sim, tmp_path, "models", "--json")
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(asked(sim, tmp_path)) for _ in range(4)]
            reports = [task.result()[1] for task in tasks]
            assert {report["status"] for report in reports} == {"complete"}
            assert len(sim.world.chats()) == 1
            assert sorted(r["slots"][0]["answer"]["cached"] for r in reports) == [
                False,
                *[True] * 3,
            ]

    asyncio.run(story())


def test_a_thousand_at_once_are_one_request_to_the_simulator(tmp_path: Path):
    async def story() -> None:
        async with run_simulator(World(latency=Latency(head_s=1.0))) as sim:
            settings = Settings(home=tmp_path, key=Secret(sim.api_key), base_url=sim.base_url)
            async with library.open(settings) as product:
                await product.catalog()
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(product.ask("ping", models=[MODEL])) for _ in range(1000)
                    ]
            reports = [task.result() for task in tasks]
            assert sum(not report.slots[0].answer.cached for report in reports) == 1
            address = sim.base_url.removesuffix("/api/v1") + "/sim/requests"
            async with aiohttp.ClientSession() as client, client.get(address) as response:
                seen = await response.json()
            assert json.dumps(seen).count("/chat/completions") == 1

    asyncio.run(story())


def test_a_failed_answer_is_asked_again(tmp_path: Path):
    async def story() -> None:
        fault = Fault(kind="status", model=MODEL, status=403, times=1)
        async with run_simulator(World(faults=[fault])) as sim:
            code, _ = await asked(sim, tmp_path)
            assert code != 0
            code, report = await asked(sim, tmp_path)
            assert (code, report["slots"][0]["answer"]["cached"]) == (0, False)

    asyncio.run(story())


def test_the_command_lists_counts_and_deletes(tmp_path: Path):
    async def run(sim, *arguments: str):
        code, out, error = await ultrai(sim, tmp_path, "cache", *arguments)
        assert code == 0, error
        return out

    async def story() -> None:
        async with run_simulator(World()) as sim:
            assert await run(sim, "ls") == "nothing is kept\n"
            assert not (tmp_path / "state" / "answers.db").exists()
            await asked(sim, tmp_path)
            (row,) = json.loads(await run(sim, "ls", "--json"))["answers"]
            assert "gpt-4o-mini" in row["model"]
            assert row["cost_usd"] not in (None, "0")
            assert "gpt-4o-mini" in await run(sim, "ls")
            stats = json.loads(await run(sim, "stats", "--json"))
            assert stats["answers"] == 1
            assert 0 < stats["bytes"] < stats["max_bytes"]
            assert json.loads(await run(sim, "clear", "--model", "claude", "--json")) == {
                "deleted": 0
            }
            assert await run(sim, "clear", "--older-than", "1") == "0 answers deleted\n"
            assert await run(sim, "clear") == "1 answer deleted\n"
            assert json.loads(await run(sim, "stats", "--json"))["answers"] == 0

    asyncio.run(story())


def test_a_damaged_cache_is_told_by_a_notice_and_fails_no_run(tmp_path: Path):
    async def story() -> None:
        async with run_simulator(World()) as sim:
            path = tmp_path / "state" / "answers.db"
            path.parent.mkdir()
            path.write_bytes(b"this is no database, whatever it was once" * 100)
            code, report = await asked(sim, tmp_path)
            assert code == 0
            assert [notice["code"] for notice in report["notices"]] == ["cache_failed"]
            _, again = await asked(sim, tmp_path)
            assert again["slots"][0]["answer"]["cached"]

    asyncio.run(story())
