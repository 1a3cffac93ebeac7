"""Memory, each figure in a process of its own: `memory.py WHO WHAT ADDRESS HOME COUNT`.

WHO is `nobody` (an interpreter with an event loop), `floor` or `ultrai`; WHAT is `ask` (resident
memory after one streamed query to 4 models) or `streams` (growth per stream while COUNT of them,
4 to a query, are open and have begun to speak). Prints kB. Linux only: it reads /proc.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import uvloop
from questions import Question
from rows import Row

SECTION = "Memory (resident, a process for each figure)"
_QUESTION = Question(4, stream=True, per_write=4)
Ask = Callable[[Question], Awaitable[object]]


def memory_rows(address: str, home: Path, streams: int) -> list[Row]:
    """All figures."""

    def kilobytes(who: str, what: str) -> float:
        arguments = [who, what, address, str(home / f"memory-{who}-{what}"), str(streams)]
        command = [sys.executable, __file__, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return float(done.stdout)

    nobody = kilobytes("nobody", "ask")
    rows = [Row(SECTION, "python with uvloop, idle", nobody / 1024, "MB")]
    for who, name in (("floor", "bare aiohttp"), ("ultrai", "ultrai")):
        asked = kilobytes(who, "ask")
        rows.append(Row(SECTION, f"{name}: process after one ask", asked / 1024, "MB"))
        rows.append(Row(SECTION, f"{name}: of that, above idle", (asked - nobody) / 1024, "MB"))
    for who, name in (("floor", "bare aiohttp"), ("ultrai", "ultrai")):
        each = kilobytes(who, "streams")
        rows.append(Row(SECTION, f"{name}: per open stream at {streams:,}", each, "kB"))
    return rows


async def measure(who: str, what: str, address: str, home: Path, count: int) -> float:
    """One figure, in kB."""
    async with AsyncExitStack() as stack:
        ask = await _asker(who, address, home, stack)
        await ask(_QUESTION)
        before_kb = resident_kb()
        if what == "ask":
            return before_kb
        return await _growth_kb(ask, address, count, before_kb)


def resident_kb() -> float:
    """What the process holds now, garbage aside."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmRSS:")[1].split()[0])


async def _asker(who: str, address: str, home: Path, stack: AsyncExitStack) -> Ask:
    if who == "floor":
        from floor import ask_all, open_floor  # noqa: PLC0415 - what is loaded is what is measured

        session = await stack.enter_async_context(open_floor())
        return lambda question: ask_all(session, f"{address}/api/v1/chat/completions", question)
    if who == "ultrai":
        from rivals import ask_ultrai, settings_for  # noqa: PLC0415 - the same

        import ultrai  # noqa: PLC0415 - the same

        settings = settings_for(address, home, history=True)
        asker = await stack.enter_async_context(ultrai.open(settings))
        return lambda question: ask_ultrai(asker, question)
    return lambda _: asyncio.sleep(0)


async def _growth_kb(ask: Ask, address: str, count: int, before_kb: float) -> float:
    held = replace(_QUESTION, hold=True)
    async with asyncio.TaskGroup() as group:
        for _ in range(count // held.count):
            group.create_task(_as_coroutine(ask, held))
        while await _ask_upstream(address, "held") != str(count):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        growth_kb = (resident_kb() - before_kb) / count
        await _ask_upstream(address, "release")
    return growth_kb


async def _as_coroutine(ask: Ask, question: Question) -> None:
    await ask(question)


async def _ask_upstream(address: str, path: str) -> str:
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /{path} HTTP/1.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.partition(b"Content-Length: ")[2].split()[0])
    body = await reader.readexactly(size)
    writer.close()
    return body.decode()


if __name__ == "__main__":
    who_, what_, address_, home_, count_ = sys.argv[1:]
    print(uvloop.run(measure(who_, what_, address_, Path(home_), int(count_))))
