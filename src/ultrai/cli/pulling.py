"""Fetching weights where a person watches: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ultrai.cli.render.palette import Style
from ultrai.cli.render.safety import one_line
from ultrai.local.fetch import Progress, Stage, pull

if TYPE_CHECKING:
    from ultrai.cli.terminal import Terminal
    from ultrai.local.models import LocalModel

_BYTES_PER_MB = 1_000_000
_STEP_PERCENT = 10
_PERCENT = 100

Report = Callable[[Progress], None]


def pull_models(
    models: Sequence[LocalModel], *, home: Path, terminal: Terminal, source: Path | None = None
) -> list[Path]:
    """Fetch the weights, one model after another. Raises LocalModelError."""
    with (_bars if terminal.redraws else _lines)(terminal) as report:
        return [pull(model, home=home, progress=report, source=source) for model in models]


def size_words(models: Sequence[LocalModel]) -> str:
    """`590 MB`."""
    return f"{sum(model.size_bytes for model in models) // _BYTES_PER_MB:,} MB"


@contextmanager
def _bars(terminal: Terminal) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    console = Console(file=terminal.stream)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console) as bars:
        tasks = {}
        notes: set[str] = set()

        def report(progress: Progress) -> None:
            model = progress.model
            if model.id not in tasks:
                tasks[model.id] = bars.add_task("", total=progress.total_bytes)
            if progress.note and progress.note not in notes:
                notes.add(progress.note)
                console.print(f"note: {one_line(progress.note)}", markup=False, highlight=False)
            words = f"{model.id.removeprefix('local/')}: {progress.stage.value}"
            bars.update(tasks[model.id], description=words, completed=progress.done_bytes)

        yield report


@contextmanager
def _lines(terminal: Terminal) -> Iterator[Report]:
    said: set[tuple[str, str, int]] = set()
    notes: set[str] = set()

    def report(progress: Progress) -> None:
        if progress.note and progress.note not in notes:
            notes.add(progress.note)
            terminal.write(f"note: {one_line(progress.note)}\n")
        percent = progress.done_bytes * _PERCENT // max(1, progress.total_bytes)
        step = percent // _STEP_PERCENT * _STEP_PERCENT
        key = (progress.model.id, progress.stage.value, step)
        if key in said:
            return
        said.add(key)
        is_counted = progress.stage in (Stage.FETCHING, Stage.CHECKING)
        size = f" {step} % of {progress.total_bytes // _BYTES_PER_MB:,} MB" if is_counted else ""
        origin = f" from {one_line(progress.origin)}" if progress.origin and is_counted else ""
        line = f"{progress.model.id}: {progress.stage.value}{size}{origin}"
        terminal.write(f"{terminal.palette.paint(line, Style.PLAIN)}\n")

    yield report
