"""A plain client for the simulator's tests: one request, everything that came back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ultrai_sim import Simulator, World, run_simulator

MODEL = "openai/gpt-4o"
PROMPT = "Explain quantum computing in simple terms."


@dataclass
class Heard:
    """One response. ``broken`` names the transport's error, if the body did not end properly."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    broken: str | None = None

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def lines(self) -> list[str]:
        return [line for line in self.raw.decode().split("\n") if line]

    @property
    def comments(self) -> int:
        return sum(line.startswith(":") for line in self.lines)

    @property
    def done(self) -> bool:
        return "data: [DONE]" in self.lines

    @property
    def frames(self) -> list[dict[str, Any]]:
        data = [line[6:] for line in self.lines if line.startswith("data: {")]
        return [json.loads(item) for item in data]

    @property
    def text(self) -> str:
        deltas = [choice["delta"] for frame in self.frames for choice in frame["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)

    @property
    def reasons(self) -> list[str | None]:
        """The finish_reason of each choice of each frame."""
        return [choice["finish_reason"] for frame in self.frames for choice in frame["choices"]]


async def ask(
    sim: Simulator, model: str = MODEL, *, key: str | None = "", path: str = "", **fields: Any
) -> Heard:
    """POST a chat request; ``key`` "" means the simulator's own, None no header at all."""
    body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], **fields}
    headers = {} if key is None else {"Authorization": f"Bearer {key or sim.api_key}"}
    return await talk("POST", sim.base_url + (path or "/chat/completions"), headers, json=body)


async def fetch(sim: Simulator, path: str, *, key: str | None = "") -> Heard:
    """GET a path of the interface, or of the simulator itself (``/sim/…``)."""
    headers = {} if key is None else {"Authorization": f"Bearer {key or sim.api_key}"}
    base = sim.origin if path.startswith("/sim/") else sim.base_url
    return await talk("GET", base + path, headers)


async def talk(method: str, url: str, headers: dict[str, str], **arguments: Any) -> Heard:
    heard = Heard()
    async with aiohttp.ClientSession() as session:
        try:
            async with session.request(
                method, url, headers=headers, allow_redirects=False, **arguments
            ) as response:
                heard.status, heard.headers = response.status, dict(response.headers)
                async for chunk in response.content.iter_any():
                    heard.raw += chunk
        except aiohttp.ClientError as error:
            heard.broken = type(error).__name__
        except ConnectionResetError:
            heard.broken = "ConnectionResetError"
    return heard


def with_simulator(world: World | None, story: Callable[[Simulator], Awaitable[Any]]) -> Any:
    """Run a story against a fresh simulator."""

    async def run() -> Any:
        async with run_simulator(world) as sim:
            return await story(sim)

    return asyncio.run(run())


def one(world: World | None = None, model: str = MODEL, **fields: Any) -> Heard:
    """The answer to a single chat request."""
    return with_simulator(world, lambda sim: ask(sim, model, **fields))


async def quiet(sim: Simulator) -> None:
    """Wait until the simulator has noticed that nobody is there any more."""
    while sim.world.in_flight:  # noqa: ASYNC110 - the world tells nobody when it changes
        await asyncio.sleep(0.01)
