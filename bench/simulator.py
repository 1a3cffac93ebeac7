"""The simulator's own speed: `python -m ultrai_sim`, in a process of its own, asked over loopback.

Its CPU is read from `/proc`, so the client, which is a bare protocol with requests made beforehand,
counts for nobody. A bare aiohttp server that answers every request with the same bytes takes turns
with it. Linux only.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import cast

import uvloop
from rows import Row, print_rows

HERE = Path(__file__).parent
SERVED = "The simulator: answers a second of one core"
OPEN = "The simulator: streams open at once"
CONNECTIONS = 16
EQUAL_TARGET = 3000
# Slow enough for all streams to be open together, however slowly a machine opens them.
SLOW = "[latency]\nfirst_token_s = 0.2\nper_token_s = 0.1\n"
WORDS = (
    *("quantum", "computing", "tides", "glaciers", "compilers", "bread", "comets", "opera"),
    *("markets", "volcanoes", "chess", "honey", "bridges", "magnets", "vaccines", "sailing"),
)
BODY = (
    b'{"model":"openai/gpt-4o","stream":%s,"max_tokens":300,"messages":[{"role":"user",'
    b'"content":"Explain what %s and %s have in common, case %d."}]}'
)


def simulator_rows(*, quick: bool) -> list[Row]:
    """All figures."""
    rounds, answers = (3, 2_000) if quick else (9, 6_000)
    return [*_speed_rows(rounds, answers), *_stream_rows(200 if quick else 1_000)]


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves, and how to reach it."""

    pid: int
    port: int
    key: str

    def cpu_s(self) -> float:
        """CPU seconds of the process so far, to the nanosecond."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def resident_kb(self) -> float:
        """What the process holds now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return float(status.split("VmRSS:")[1].split()[0])

    def request(self, n: int, *, stream: bool = False) -> bytes:
        """A chat request; the same ``n`` is the same request."""
        one, other = (WORDS[n // size % len(WORDS)].encode() for size in (1, len(WORDS)))
        body = BODY % (b"true" if stream else b"false", one, other, n)
        head = (
            f"POST /api/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {self.key}\r\nContent-Type: application/json\r\n"
            f"Accept: */*\r\nUser-Agent: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@contextmanager
def simulator(scenario: str = "") -> Iterator[Server]:
    """The simulator as its command serves it."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(scenario)
        file.flush()
        command = [sys.executable, "-m", "ultrai_sim", "--port", "0", "--scenario", file.name]
        with _running(command) as process:
            assert process.stdout is not None
            url, key = (process.stdout.readline().strip().partition("=")[2] for _ in range(2))
            yield Server(process.pid, int(url.rsplit(":", 1)[1].split("/")[0]), key)


@contextmanager
def bare_server() -> Iterator[Server]:
    """The floor."""
    with _running([sys.executable, str(HERE / "bare_server.py")]) as process:
        assert process.stdout is not None
        yield Server(process.pid, int(process.stdout.readline()), "none")


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@dataclass
class Asker(asyncio.Protocol):
    """One connection: it asks its requests one after another, and counts 200s to their ends.

    ``ending`` is what an answer's last bytes are.
    """

    requests: list[bytes]
    ending: bytes = b"\r\n0\r\n\r\n"
    answered: int = 0
    began: bool = False
    on_begin: Callable[[], None] = lambda: None
    tail: bytes = b""
    done: asyncio.Future[None] = field(init=False)
    transport: asyncio.WriteTransport = field(init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask at once; uvloop's transports are of a class of their own."""
        self.transport = cast("asyncio.WriteTransport", transport)
        self.done = asyncio.get_running_loop().create_future()
        transport.write(self.requests.pop())

    def data_received(self, data: bytes) -> None:
        """Ask again once an answer has ended."""
        if not self.began:
            if not data.startswith(b"HTTP/1.1 200 "):
                self.done.set_exception(RuntimeError(data.decode(errors="replace")))
                self.transport.close()
                return
            self.began = True
            self.on_begin()
        self.tail = (self.tail + data)[-len(self.ending) :]
        if self.tail != self.ending:
            return
        self.answered, self.began, self.tail = self.answered + 1, False, b""
        if self.requests:
            self.transport.write(self.requests.pop())
        else:
            self.transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that is missing is an error."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("closed before the end"))


async def ask_all(server: Server, requests: Sequence[bytes]) -> int:
    """Ask these over some connections; how many were answered in full."""
    loop = asyncio.get_running_loop()
    askers = [Asker(list(requests[first::CONNECTIONS])) for first in range(CONNECTIONS)]
    for asker in askers:
        await loop.create_connection(lambda it=asker: it, "127.0.0.1", server.port)
    await asyncio.gather(*(asker.done for asker in askers))
    return sum(asker.answered for asker in askers)


def _speed_rows(rounds: int, answers: int) -> list[Row]:
    with simulator() as sim, bare_server() as floor:
        taken: dict[str, list[float]] = {"floor": [], "equal": [], "different": []}
        for turn in range(rounds + 1):
            first = turn * answers
            works = {
                "floor": (floor, [floor.request(0)] * answers),
                "equal": (sim, [sim.request(0)] * answers),
                "different": (sim, [sim.request(first + n) for n in range(1, answers + 1)]),
            }
            for name, (server, requests) in works.items():
                before_s = server.cpu_s()
                answered = uvloop.run(ask_all(server, requests))
                assert answered == answers
                if turn:
                    taken[name].append((server.cpu_s() - before_s) / answers)
    rows = [Row(SERVED, "bare aiohttp, always the same bytes", 1 / min(taken["floor"]), "/s")]
    for name, target in (("equal", EQUAL_TARGET), ("different", None)):
        ratio = median(a / b for a, b in zip(taken[name], taken["floor"], strict=True))
        # The best round: a busy machine only takes away. The ratio is the rounds' median.
        speed = 1 / min(taken[name])
        rows.append(
            Row(SERVED, f"{name} questions", speed, "/s", ratio=ratio, target=target, at_least=True)
        )
    return rows


@dataclass
class Count:
    """How many streams are open, and how many were at most."""

    open: int = 0
    most: int = 0


def _stream_rows(count: int) -> list[Row]:
    with simulator(SLOW) as sim:
        uvloop.run(ask_all(sim, [sim.request(0)] * CONNECTIONS))
        before_kb, before_s = sim.resident_kb(), sim.cpu_s()
        most, held_kb, ended = uvloop.run(_hold_open(sim, count))
        each_ms = (sim.cpu_s() - before_s) / count * 1e3
    growth_kb = (held_kb - before_kb) / count
    return [
        Row(OPEN, f"open at once, of {count:,}", most, "", target=count, at_least=True),
        Row(OPEN, "ended with [DONE]", ended, "", target=count, at_least=True),
        Row(OPEN, "memory per open stream", growth_kb, "kB"),
        Row(OPEN, "CPU per stream, frame by frame", each_ms, "ms"),
    ]


async def _hold_open(server: Server, count: int) -> tuple[int, float, int]:
    """Open streams: how many were open together, what the server held then, how many ended."""
    loop = asyncio.get_running_loop()
    open_, all_open = Count(), asyncio.Event()

    def begin() -> None:
        open_.open += 1
        open_.most = max(open_.most, open_.open)
        if open_.open == count:
            all_open.set()

    def end(_: object) -> None:
        open_.open -= 1

    ending = b"data: [DONE]\n\n\r\n0\r\n\r\n"
    askers = []
    for n in range(count):
        asker = Asker([server.request(n, stream=True)], ending, on_begin=begin)
        await loop.create_connection(lambda it=asker: it, "127.0.0.1", server.port)
        asker.done.add_done_callback(end)
        askers.append(asker)
    ended = asyncio.gather(*(asker.done for asker in askers))
    opened = asyncio.ensure_future(all_open.wait())
    await asyncio.wait([ended, opened], return_when=asyncio.FIRST_COMPLETED)
    opened.cancel()
    held_kb = server.resident_kb()
    await ended
    return open_.most, held_kb, sum(asker.answered for asker in askers)


if __name__ == "__main__":
    print_rows(simulator_rows(quick="--quick" in sys.argv))
