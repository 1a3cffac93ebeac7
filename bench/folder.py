"""A folder of 50 MB, indexed and asked about: MB a second of one core, ms a query, size, memory.

The folder is made of the project's own pages and programs, over and over, each copy with words of
its own, so that there are rare words and frequent ones. The floor of indexing is to read the same
files and split their lines; that of a query is a `SELECT` of the same passages by their numbers.
Memory is what the process had at most, in a process of its own for each size.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from rows import Row

from ultrai.assembly.indexes import Indexes
from ultrai.domain.index import IndexChange
from ultrai.settings.model import Settings

SECTION = "A folder of {size} MB: indexed once, then asked about"
_ROOT = Path(__file__).parent.parent
_PATTERNS = ("docs/**/*.md", "src/ultrai/**/*.py", "tests/**/*.py")
_QUERIES = (
    "When is a reservation given back after a crash?",
    "How does the circuit breaker open again?",
    "word1234x",
    "what is the deadline of a slot and who sets it in the settings",
    "renew a claim while its process lives",
)


def folder_rows(*, quick: bool) -> list[Row]:
    """All figures, measured in a process of its own so that its memory is its own."""
    megabytes = 5 if quick else 50
    command = [sys.executable, __file__, str(megabytes)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(told.stdout)
    section = SECTION.format(size=megabytes)
    return [
        Row(section, "index it", found["index"], "MB/s", ratio=found["index_ratio"]),
        Row(section, "look again where nothing has changed", found["again_ms"], "ms"),
        Row(
            *(section, "a question", found["query_ms"], "ms"),
            wall=found["query_wall_ms"],
            ratio=found["query_ratio"],
        ),
        Row(section, "the slowest of the questions", found["slowest_ms"], "ms"),
        Row(section, "the index on the disk, to the texts", found["size"], "x"),
        Row(section, "memory of the process at most", found["memory_mb"], "MB"),
    ]


def main() -> None:
    """Measure, and print one JSON object."""
    with tempfile.TemporaryDirectory(prefix="ultrai-folder-") as place:
        print(json.dumps(_measured(Path(place), int(sys.argv[1]) * 1_000_000)))


def _measured(place: Path, size: int) -> dict[str, float]:
    folder = place / "folder"
    written = sum(_write(folder, size))
    indexes = Indexes(Settings(home=place / "home", key=None))
    floor_s = _cpu_s(lambda: _read(folder))
    change: list[IndexChange] = []
    took_s = _cpu_s(lambda: change.append(indexes.add([folder], name="all")[1]))
    assert change[0].added > 0
    assert not change[0].skipped
    again_s = _cpu_s(lambda: indexes.update("all"))
    path = place / "home" / "indexes" / "all.db"
    cpu_ms, wall_ms, floors_ms = _asked(indexes, path)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "index": written / 1e6 / took_s,
        "index_ratio": took_s / floor_s,
        "again_ms": again_s * 1e3,
        "query_ms": median(cpu_ms),
        "query_wall_ms": median(wall_ms),
        "query_ratio": median(a / b for a, b in zip(cpu_ms, floors_ms, strict=True)),
        "slowest_ms": max(cpu_ms),
        "size": path.stat().st_size / written,
        "memory_mb": peak_kb / 1e3,
    }


def _write(folder: Path, size: int) -> Iterator[int]:
    """Copies of the project's files until there is enough; their sizes."""
    texts = [p.read_text("utf-8") for pattern in _PATTERNS for p in sorted(_ROOT.glob(pattern))]
    written = copy = 0
    while written < size:
        home = folder / f"copy{copy}"
        home.mkdir(parents=True)
        for number, text in enumerate(texts):
            own = f"{text}\nword{copy}x{number} word{number}x\n".encode()
            (home / f"{number}.md").write_bytes(own)
            written += len(own)
            yield len(own)
            if written >= size:
                return
        copy += 1


def _read(folder: Path) -> int:
    return sum(len(p.read_text("utf-8").splitlines()) for p in folder.rglob("*.md"))


def _asked(indexes: Indexes, path: Path) -> tuple[list[float], list[float], list[float]]:
    cpu_ms: list[float] = []
    wall_ms: list[float] = []
    floors_ms: list[float] = []
    for _ in range(5):
        for question in _QUERIES:
            began_s = time.perf_counter()
            cpu_ms.append(_cpu_s(lambda q=question: indexes.search("all", q)) * 1e3)
            wall_ms.append((time.perf_counter() - began_s) * 1e3)
            floors_ms.append(_cpu_s(lambda: _select(path, range(1, 201))) * 1e3)
    return cpu_ms, wall_ms, floors_ms


def _select(path: Path, numbers: Sequence[int]) -> None:
    connection = sqlite3.connect(path)
    for number in numbers:
        connection.execute("SELECT text FROM chunks WHERE id = ?", (number,)).fetchone()
    connection.close()


def _cpu_s(work: object) -> float:
    assert callable(work)
    started_s = time.process_time()
    work()
    return time.process_time() - started_s


if __name__ == "__main__":
    main()
