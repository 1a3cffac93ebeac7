"""What monitors and tools read, and how a server begins and ends as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from tests.contract.serve.house import ASKED, ONE, House, at_home, until

from ultrai_sim import Latency, Simulator, World, run_simulator

SOURCES = Path(__file__).parents[3] / "src"


def test_probes_say_what_is_so() -> None:
    async def story(house: House) -> None:
        assert (await house.send("GET", "/healthz")).body == {"status": "ok"}
        assert (await house.send("GET", "/readyz")).body["status"] == "ready"
        await house.chat(ONE)
        heard = await house.send("GET", "/metrics")
        assert heard.headers["Content-Type"].startswith("text/plain")
        assert f'ultrai_attempts_total{{model="{ONE}"' in heard.raw.decode()
        house.serving.stop()
        heard = await house.send("GET", "/readyz")
        assert (heard.status, heard.body["reason"]) == (503, "draining")

    at_home(story)


def test_the_document_has_every_route_and_checks_what_the_server_checks() -> None:
    async def story(house: House) -> None:
        document = (await house.send("GET", "/openapi.json")).body
        assert document["openapi"].startswith("3.1")
        ways = {(m.upper(), path) for path, item in document["paths"].items() for m in item}
        assert {
            ("POST", "/v1/chat/completions"),
            ("GET", "/v1/models"),
            ("POST", "/v1/runs"),
            ("GET", "/v1/runs/{run_id}"),
            ("GET", "/v1/runs/{run_id}/events"),
            ("POST", "/v1/runs/{run_id}/cancel"),
            ("POST", "/v1/runs/{run_id}/slots/{slot}/cancel"),
            ("POST", "/v1/runs/{run_id}/slots/{slot}/retry"),
            ("GET", "/healthz"),
            ("GET", "/readyz"),
            ("GET", "/metrics"),
            ("GET", "/openapi.json"),
        } <= ways
        body = document["paths"]["/v1/chat/completions"]["post"]["requestBody"]
        schema = document["components"]["schemas"]["ChatRequest"]
        assert body["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/ChatRequest"
        }
        assert {"model", "messages"} == set(schema["required"])
        for method, path in ways:
            if "{" not in path and path != "/metrics":
                heard = await house.send(method, path, data=b"{}" if method == "POST" else None)
                assert heard.status in (200, 400), (method, path)

    at_home(story)


@asynccontextmanager
async def process(
    sim: Simulator, *flags: str
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """`ultrai serve` as its own process, and the address that it prints."""
    with tempfile.TemporaryDirectory() as home:
        serving = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ultrai", "serve", "--port", "0", *flags),
            env={
                **os.environ,
                "PYTHONPATH": str(SOURCES),
                "OPENROUTER_BASE_URL": sim.base_url,
                "OPENROUTER_API_KEY": sim.api_key,
                "ULTRAI_HOME": home,
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert serving.stdout is not None
        try:
            async with asyncio.timeout(30):
                line = await serving.stdout.readline()
            yield line.decode().strip(), serving
        finally:
            if serving.returncode is None:
                serving.kill()
                await serving.wait()


def test_a_process_prints_one_line_and_finishes_what_is_under_way_when_asked_to_end() -> None:
    async def story() -> None:
        world = World(seed=1, latency=Latency(head_s=0.8))
        async with run_simulator(world) as sim, process(sim) as (url, serving):
            assert url.startswith("http://127.0.0.1:")
            body = {"model": ONE, "messages": ASKED, "max_tokens": 5}
            async with aiohttp.ClientSession() as client:

                async def ask() -> int:
                    async with client.post(f"{url}/v1/chat/completions", json=body) as answer:
                        assert (await answer.json())["choices"]
                        return answer.status

                asking = asyncio.create_task(ask())
                await until(world.chats)
                serving.send_signal(signal.SIGTERM)
                assert await asking == 200
            out, err = await asyncio.wait_for(serving.communicate(), 20)
            assert serving.returncode == 0
            assert out == b""
            lines = [json.loads(line) for line in err.decode().splitlines()]
            (request,) = [line for line in lines if line["message"] == "request"]
            assert request["status"] == 200
            assert request["run_id"].startswith("run_")
            assert sim.api_key not in err.decode()

    asyncio.run(story())
