"""How far the reading of a folder is, on standard error, while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ultrai.cli.render.cells import fit
from ultrai.cli.render.safety import one_line
from ultrai.cli.terminal import standard_error
from ultrai.domain.index import IndexProgress

_EVERY_S = 0.1
_STEP_PERCENT = 10
_WORTH_TELLING = 200  # files; fewer are read before anybody would look


@contextmanager
def watched() -> Iterator[Callable[[IndexProgress], None]]:
    """Draws one line over and over on a terminal; in a pipe says every tenth part."""
    terminal = standard_error()
    last_s, said, is_drawn = 0.0, 0, False

    def tell(progress: IndexProgress) -> None:
        nonlocal last_s, said, is_drawn
        percent = 100 * progress.done // max(1, progress.total)
        if terminal.redraws:
            now_s = time.monotonic()
            if progress.path and now_s - last_s >= _EVERY_S:
                last_s, is_drawn = now_s, True
                words = f"reading {progress.done:,} of {progress.total:,}: "
                line = fit(words + one_line(progress.path), terminal.width - 1)
                terminal.write(f"\r{line}\x1b[K")
        elif progress.total >= _WORTH_TELLING and percent >= said + _STEP_PERCENT:
            said = percent // _STEP_PERCENT * _STEP_PERCENT
            terminal.write(f"read {progress.done:,} of {progress.total:,} files\n")

    try:
        yield tell
    finally:
        if is_drawn:
            terminal.write("\r\x1b[K")
