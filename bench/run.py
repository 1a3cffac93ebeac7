"""UltrAI's speed and memory beside bare aiohttp: `python bench/run.py [--quick] [--json]`.

See README.md for what is measured and how to read it. Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import uvloop
from folder import folder_rows
from ledger import ledger_rows
from measure import Sample, interleave, median_cpu_s, median_wall_s, ratio
from memory import memory_rows
from questions import Question
from rivals import (
    FLOOR,
    OFF,
    ON,
    Rivals,
    frames_per_read,
    open_rivals,
    running_upstream,
    watch_ultrai,
)
from rows import Row, print_rows
from server import server_rows
from simulator import simulator_rows
from startup import startup_rows
from texts import text_rows

QUERY_TARGETS = {OFF: 2.5, ON: 4.0}
CHUNK_TARGETS = {OFF: 3.0, ON: 3.0}
_SHORT_FRAMES = 100
_WATCHED = "u.stream, history off"


def main() -> int:
    """Measure and print."""
    options = _options()
    rounds = 3 if options.quick else options.rounds
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ultrai-bench-") as folder, running_upstream() as url:
        home = Path(folder)
        rows += uvloop.run(_measured(url, home, rounds=rounds, quick=options.quick))
        rows += memory_rows(url, home, 200 if options.quick else 1000)
        rows += server_rows(home / "server", quick=options.quick)
    rows += ledger_rows(quick=options.quick)
    rows += simulator_rows(quick=options.quick)
    rows += text_rows(quick=options.quick)
    rows += folder_rows(quick=options.quick)
    rows += startup_rows(3 if options.quick else 9)
    if options.json:
        print(json.dumps({"machine": _machine(), "rows": [row.to_dict() for row in rows]}))
    else:
        print(_machine())
        print_rows(rows)
    return int(any(row.verdict == "MISS" for row in rows))


async def _measured(url: str, home: Path, *, rounds: int, quick: bool) -> list[Row]:
    rows: list[Row] = []
    async with open_rivals(url, home) as rivals:
        await rivals.check(Question(1, stream=True))
        await rivals.check(Question(1, stream=False))
        for count in (4, 16):
            for stream in (False, True):
                repeats = (40 if quick else 100) * 4 // count
                question = Question(count, stream=stream)
                rows += await _query_rows(rivals, question, rounds=rounds, repeats=repeats)
        long_frames = 300 if quick else 1100
        for pace_ms in (0, 1):
            question = Question(4, stream=True, frames=long_frames, per_write=1, pace_ms=pace_ms)
            rows += await _chunk_rows(rivals, question, rounds=rounds)
    return rows


async def _query_rows(
    rivals: Rivals, question: Question, *, rounds: int, repeats: int
) -> list[Row]:
    samples = await interleave(rivals.works(question), rounds=rounds, repeats=repeats)
    how = "streamed" if question.stream else "in one piece"
    section = f"CPU per query: {question.count} models, {how}"
    return [
        Row(
            section,
            name,
            median_cpu_s(taken) * 1000,
            "ms",
            wall=median_wall_s(taken) * 1000,
            ratio=None if name == FLOOR else _cpu_ratio(taken, samples[FLOOR]),
            target=QUERY_TARGETS.get(name),
        )
        for name, taken in samples.items()
    ]


async def _chunk_rows(rivals: Rivals, question: Question, *, rounds: int) -> list[Row]:
    """The slope between a short and a long answer, so that only the chunks count."""
    short = replace(question, frames=_SHORT_FRAMES)
    short_works, long_works = rivals.works(short), rivals.works(question)
    short_works[_WATCHED] = partial(watch_ultrai, rivals.off, short)
    long_works[_WATCHED] = partial(watch_ultrai, rivals.off, question)
    works = {f"{name}, short": work for name, work in short_works.items()}
    works |= {f"{name}, long": work for name, work in long_works.items()}
    taken = await interleave(works, rounds=rounds, repeats=1)
    chunks = (question.frames - short.frames) * question.count
    slopes = {
        name: _slopes(taken[f"{name}, short"], taken[f"{name}, long"], chunks)
        for name in long_works
    }
    how = "one at a time, paced by 1 ms" if question.pace_ms else "as fast as they come"
    rows = []
    for name, long_work in long_works.items():
        per_read = await frames_per_read(long_work, question.frames * question.count)
        rows.append(
            Row(
                f"CPU per streamed chunk: 4 streams, {how}",
                f"{name} ({per_read:.1f} frames per read)",
                median_cpu_s(slopes[name]) * 1e6,
                "us",
                ratio=None if name == FLOOR else _cpu_ratio(slopes[name], slopes[FLOOR]),
                target=CHUNK_TARGETS.get(name),
            )
        )
    return rows


def _slopes(short: Sequence[Sample], long: Sequence[Sample], chunks: int) -> list[Sample]:
    return [
        Sample((b.cpu_s - a.cpu_s) / chunks, (b.wall_s - a.wall_s) / chunks)
        for a, b in zip(short, long, strict=True)
    ]


def _cpu_ratio(ours: Sequence[Sample], floor: Sequence[Sample]) -> float:
    return ratio([sample.cpu_s for sample in ours], [sample.cpu_s for sample in floor])


def _machine() -> str:
    return f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}, uvloop"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="UltrAI beside a bare aiohttp loop")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a look, not a figure")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--rounds", type=int, default=9, help="rounds per scene (default 9)")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
