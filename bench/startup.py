"""How long a process takes to begin: imports and `ultrai --version`, each in fresh processes."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from rows import Row

SECTION = "Starting (fresh processes, wall time)"
_TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def startup_rows(repeats: int) -> list[Row]:
    """`import ultrai` is lazy, so what a program uses at once is timed too."""
    nothing = median(_process_s("-c", "pass") for _ in range(repeats))
    version = median(_process_s("-m", "ultrai", "--version") for _ in range(repeats))
    return [
        _row("import ultrai", _import_ms("import ultrai", repeats), 150),
        _row(
            "from ultrai import open, Settings",
            _import_ms("from ultrai import open, Settings", repeats),
        ),
        _row("python -c pass", nothing * 1000),
        _row("ultrai --version", version * 1000),
    ]


def _row(name: str, milliseconds: float, target: float | None = None) -> Row:
    return Row(SECTION, name, milliseconds, "ms", target=target)


def _import_ms(statement: str, repeats: int) -> float:
    command = [sys.executable, "-c", _TIMED.format(statement)]
    outputs = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for _ in range(repeats)
    )
    return median(float(output) for output in outputs) * 1000


def _process_s(*arguments: str) -> float:
    started_s = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - started_s
