"""Who is measured: the bare loop, UltrAI without history, UltrAI with it; and the upstream."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from floor import ask_all, open_floor
from questions import KEY, Question

import ultrai
from ultrai.domain.secret import Secret

if TYPE_CHECKING:
    from measure import Work

FLOOR, OFF, ON = "bare aiohttp", "history off", "history on"
HERE = Path(__file__).parent


@contextmanager
def running_upstream() -> Iterator[str]:
    """The upstream in a process of its own; gives its address."""
    command = [sys.executable, str(HERE / "upstream.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def settings_for(address: str, home: Path, *, history: bool) -> ultrai.Settings:
    """Defaults, but for the upstream, more seats than anything here takes, and no cache."""
    return ultrai.Settings(
        home=home,
        key=Secret(KEY),
        base_url=f"{address}/api/v1",
        history=history,
        concurrency=2000,
        cache="off",
    )


@dataclass(frozen=True, slots=True)
class Rivals:
    """All three, open."""

    address: str
    session: aiohttp.ClientSession
    off: ultrai.UltrAI
    on: ultrai.UltrAI

    def works(self, question: Question) -> dict[str, Work]:
        """What each does for one question."""
        return {
            FLOOR: partial(self.ask_floor, question),
            OFF: partial(ask_ultrai, self.off, question),
            ON: partial(ask_ultrai, self.on, question),
        }

    async def ask_floor(self, question: Question) -> list[str]:
        """The texts, by the bare loop."""
        url = f"{self.address}/api/v1/chat/completions"
        return [reply.text for reply in await ask_all(self.session, url, question)]

    async def check(self, question: Question) -> None:
        """Raise unless all three send the same bytes and understand the same answers."""
        requests, texts = [], []
        for work in self.works(question).values():
            texts.append(await work())
            requests.append(await self._last_request())
        if requests[0] != requests[1] or requests[0] != requests[2]:
            message = f"the requests differ: {requests}"
            raise AssertionError(message)
        if texts[0] != texts[1] or texts[0] != texts[2]:
            message = f"the answers differ: {texts}"
            raise AssertionError(message)

    async def _last_request(self) -> tuple[frozenset[str], str]:
        async with self.session.get(f"{self.address}/last") as response:
            head, _, body = json.loads(await response.read()).partition("\r\n\r\n")
        return frozenset(head.split("\r\n")), body


async def ask_ultrai(asker: ultrai.UltrAI, question: Question) -> list[str]:
    """The texts, by `u.ask`."""
    report = await asker.ask(question.prompt, models=question.models, streaming=question.stream)
    if report.status != "complete":
        message = f"the run is {report.status}: {report.to_dict()}"
        raise AssertionError(message)
    return [answer.text for answer in report.answers]


async def watch_ultrai(asker: ultrai.UltrAI, question: Question) -> int:
    """The same by `u.stream`; how many events there were."""
    count = 0
    async for _ in asker.stream(question.prompt, models=question.models, streaming=True):
        count += 1
    return count


@asynccontextmanager
async def open_rivals(address: str, home: Path) -> AsyncIterator[Rivals]:
    """Open all three; history goes to `home`."""
    async with AsyncExitStack() as stack:
        yield Rivals(
            address,
            await stack.enter_async_context(open_floor()),
            await stack.enter_async_context(
                ultrai.open(settings_for(address, home / "off", history=False))
            ),
            await stack.enter_async_context(
                ultrai.open(settings_for(address, home / "on", history=True))
            ),
        )


async def frames_per_read(work: Work, frames: int) -> float:
    """How many frames one read brings on average, counted in a pass that nobody measures."""
    reads = 0
    readany = aiohttp.StreamReader.readany

    async def counted(reader: aiohttp.StreamReader) -> bytes:
        nonlocal reads
        reads += 1
        return await readany(reader)

    aiohttp.StreamReader.readany = counted  # type: ignore[assignment, method-assign]
    try:
        await work()
    finally:
        aiohttp.StreamReader.readany = readany  # type: ignore[method-assign]
    await asyncio.sleep(0)
    return frames / max(1, reads)
