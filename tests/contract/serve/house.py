"""A server over TCP before a simulated upstream, both in the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

import ultrai
from ultrai.domain.cocktail import Cocktail, Slot
from ultrai.domain.secret import Secret
from ultrai.server.serving import Place, Serving, listen
from ultrai.settings.model import Settings
from ultrai_sim import Fault, Latency, Simulator, World, run_simulator

ONE, TWO, THREE = "openai/gpt-4o", "google/gemini-2.5-flash", "mistralai/mistral-large"
BACKUP = "deepseek/deepseek-chat"
TRIO = Cocktail("TRIO", (Slot(ONE, (BACKUP,)), Slot(TWO), Slot(THREE)))
PROMPT = "Explain quantum computing in simple terms."
ASKED = [{"role": "user", "content": PROMPT}]
ANY_PORT = Place(port=0)
QUICK = {"backoff_base_s": 0.01, "backoff_cap_s": 0.02}


@dataclass
class Heard:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def frames(self) -> list[dict[str, Any]]:
        lines = self.raw.decode().split("\n")
        return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]

    @property
    def text(self) -> str:
        return "".join(
            choice["delta"].get("content") or ""
            for frame in self.frames
            for choice in frame["choices"]
            if choice["index"] == 0
        )


@dataclass
class House:
    """What a test talks to."""

    url: str
    sim: Simulator
    session: ultrai.UltrAI
    client: aiohttp.ClientSession
    serving: Serving

    async def chat(
        self, name: str, *, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Heard:
        body = {"model": name, "messages": ASKED, "max_tokens": 40, **fields}
        return await self.send("POST", "/v1/chat/completions", json=body, headers=headers or {})

    async def send(self, method: str, path: str, **more: Any) -> Heard:
        async with self.client.request(method, self.url + path, **more) as answer:
            return Heard(answer.status, answer.headers, await answer.read())


@dataclass
class Plan:
    """How the house is built."""

    faults: Sequence[Fault] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    latency: Latency | None = None
    place: Place = ANY_PORT
    says: Mapping[str, str] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def built(plan: Plan) -> AsyncIterator[House]:
    world = World(seed=1, faults=list(plan.faults), says=plan.says)
    if plan.latency is not None:
        world.latency = plan.latency
    async with contextlib.AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sim = await stack.enter_async_context(run_simulator(world))
        wanted = {
            **QUICK,
            "key": Secret(sim.api_key),
            "base_url": sim.base_url,
            "cocktails": (TRIO,),
            "cache": "off",  # whoever asks the same twice meets the upstream twice
            **plan.settings,
        }
        session = await stack.enter_async_context(ultrai.open(Settings(home=home, **wanted)))
        bound = stack.enter_context(listen(plan.place))
        serving = Serving(session, bound, place=plan.place)
        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serving.run(ready=url.set_result))
        await session.catalog()  # a stream that waits for it has begun before it can fail
        client = await stack.enter_async_context(aiohttp.ClientSession())
        try:
            yield House(await url, sim, session, client, serving)
        finally:
            await client.close()
            serving.stop()
            await task


def at_home(
    story: Callable[[House], Awaitable[Any]],
    *faults: Fault,
    latency: Latency | None = None,
    place: Place = ANY_PORT,
    says: Mapping[str, str] | None = None,
    **settings: Any,
) -> Any:
    """What the story returns, told in a house with these faults and settings."""

    async def run() -> Any:
        async with (
            built(Plan(faults, settings, latency, place, says or {})) as house,
            asyncio.timeout(60),
        ):
            return await story(house)

    return asyncio.run(run())


async def until(is_so: Callable[[], object]) -> None:
    """Wait for something that nobody announces."""
    while not is_so():
        await asyncio.sleep(0.005)


async def ended(house: House) -> str:
    """How the newest Run has ended."""
    while (run := (await house.session.runs(limit=1))[0]).status.value == "running":
        await asyncio.sleep(0.02)
    return run.status.value
