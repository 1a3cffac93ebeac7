"""The server's own speed: `ultrai serve`, a process of its own, before the zero-latency upstream.

Keys, limits, ledger, history and log are on. Its CPU is read from `/proc`, with that of its writing
thread, so neither the client nor the upstream counts. A raw ASGI application that hands a request
on and looks at nothing takes turns with it. Linux only.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import uvloop
from questions import KEY, Question
from rivals import running_upstream
from rows import Row, print_rows
from simulator import Server
from upstream import model_id

HERE = Path(__file__).parent
REQUESTS = "The server: CPU per request, one model handed on"
CHUNKS = "The server: CPU per streamed chunk, as fast as they come"
WAITS = "The server: how long a request takes"
OURS, FLOOR = "ultrai serve", "bare ASGI and aiohttp"
LONG_FRAMES, SHORT_FRAMES = 1100, 100


def server_rows(home: Path, *, quick: bool) -> list[Row]:
    """All figures."""
    rounds, count = (3, 200) if quick else (7, 1000)
    with running_upstream() as upstream, ours(upstream, home) as server, floor(upstream) as bare:
        rivals = {OURS: server, FLOOR: bare}
        rows = []
        for connections in (1, 32):
            for stream in (False, True):
                rows += _request_rows(rivals, rounds, load=Load(count, connections, stream=stream))
        return [*rows, *_chunk_rows(rivals, rounds), *_start_rows(server)]


@dataclass(frozen=True, slots=True)
class Load:
    """So many requests over so many connections."""

    count: int
    connections: int
    stream: bool
    frames: int = 10
    per_write: int = 1000


@dataclass(frozen=True, slots=True)
class Running(Server):
    """A server, and how long it took until it listened."""

    token: str = ""
    start_s: float = 0.0

    def bytes_of(self, load: Load) -> bytes:
        """One request."""
        question = Question(1, stream=load.stream, frames=load.frames, per_write=load.per_write)
        shape = {
            "model": model_id(0),
            "stream": load.stream,
            "max_tokens": 1000,
            "messages": [{"role": "user", "content": question.prompt}],
        }
        body = json.dumps(shape).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@contextmanager
def ours(upstream: str, home: Path) -> Iterator[Running]:
    """The server as its command serves it, with an access key."""
    env = {
        **os.environ,
        "ULTRAI_HOME": str(home),
        "OPENROUTER_BASE_URL": f"{upstream}/api/v1",
        "OPENROUTER_API_KEY": KEY,
        "ULTRAI_CONCURRENCY": "2000",
        "ULTRAI_CACHE": "off",
    }
    ultrai = [sys.executable, "-m", "ultrai"]
    made = subprocess.run(
        [*ultrai, "access", "create", "bench", "--rate", "100000"],
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    began_s = time.perf_counter()
    with _process([*ultrai, "serve", "--port", "0"], env) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        start_s = time.perf_counter() - began_s
        yield Running(process.pid, port, "", made.stdout.strip(), start_s)


@contextmanager
def floor(upstream: str) -> Iterator[Running]:
    """The floor."""
    with _process([sys.executable, str(HERE / "bare_gateway.py"), upstream], None) as process:
        assert process.stdout is not None
        yield Running(process.pid, int(process.stdout.readline()), "", "none")


@contextmanager
def _process(command: list[str], env: dict[str, str] | None) -> Iterator[subprocess.Popen[str]]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=quiet, env=env, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


async def _answered(server: Running, load: Load) -> list[float]:
    """Ask all of it; how long each request took, in seconds."""
    request, share = server.bytes_of(load), load.count // load.connections
    waits_s: list[float] = []

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**22)
        for _ in range(share):
            began_s = time.perf_counter()
            writer.write(request)
            await _read_answer(reader)
            waits_s.append(time.perf_counter() - began_s)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(load.connections):
            group.create_task(ask())
    return waits_s


async def _read_answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200"), head
    if b"content-length:" in head:
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    else:
        await reader.readuntil(b"\r\n0\r\n\r\n")


def _sample(server: Running, load: Load) -> tuple[float, list[float]]:
    """CPU seconds per request, and the waits."""
    before_s = server.cpu_s()
    waits_s = uvloop.run(_answered(server, load))
    return (server.cpu_s() - before_s) / len(waits_s), waits_s


def _request_rows(rivals: dict[str, Running], rounds: int, *, load: Load) -> list[Row]:
    cpu_s: dict[str, list[float]] = {name: [] for name in rivals}
    waits_s: dict[str, list[float]] = {name: [] for name in rivals}
    for each in range(rounds + 1):
        for name, server in rivals.items():
            cpu, waits = _sample(server, load)
            if each:
                cpu_s[name].append(cpu)
                waits_s[name] += waits
    how = f"{'streamed' if load.stream else 'in one piece'}, {load.connections} at once"
    rows = [
        Row(
            REQUESTS,
            f"{name}, {how}",
            median(cpu_s[name]) * 1e6,
            "us",
            ratio=None if name == FLOOR else _ratio(cpu_s[name], cpu_s[FLOOR]),
        )
        for name in rivals
    ]
    return [*rows, *(_wait_row(name, waits_s[name], how=how) for name in rivals)]


def _wait_row(name: str, waits_s: Sequence[float], *, how: str) -> Row:
    cuts = quantiles(waits_s, n=100)
    return Row(WAITS, f"{name}, {how}: p50; p99", cuts[49] * 1e3, "ms", wall=cuts[98] * 1e3)


def _chunk_rows(rivals: dict[str, Running], rounds: int) -> list[Row]:
    """The slope between a short and a long answer, so that only the chunks count."""
    rows = []
    for name, server in rivals.items():
        slopes = []
        for each in range(rounds + 1):
            short, _ = _sample(server, Load(40, 4, stream=True, frames=SHORT_FRAMES, per_write=1))
            long, _ = _sample(server, Load(40, 4, stream=True, frames=LONG_FRAMES, per_write=1))
            if each:
                slopes.append((long - short) / (LONG_FRAMES - SHORT_FRAMES))
        rows.append(Row(CHUNKS, name, median(slopes) * 1e6, "us"))
    return rows


def _start_rows(server: Running) -> list[Row]:
    section = "The server: starting and memory"
    return [
        Row(section, "until it listens", server.start_s * 1000, "ms"),
        Row(section, "resident after all of this", server.resident_kb() / 1024, "MB"),
    ]


def _ratio(ours_s: Sequence[float], floor_s: Sequence[float]) -> float:
    return median(a / b for a, b in zip(ours_s, floor_s, strict=True))


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print_rows(server_rows(Path(folder), quick="--quick" in sys.argv))
