"""What the logger of alerts says, on standard error, once the view of a run is out of the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ultrai.cli.output import write_text
from ultrai.cli.render.safety import one_line
from ultrai.cli.terminal import standard_error

_LOGGER = "ultrai.alerts"
_LONGEST = 500


class _Kept(logging.Handler):
    """Keeps lines until somebody can read them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(one_line(record.getMessage(), limit=_LONGEST))


@contextmanager
def alert_lines() -> Iterator[None]:
    """Write at the end what was said meanwhile."""
    logger = logging.getLogger(_LOGGER)
    kept = _Kept()
    logger.addHandler(kept)
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(kept)
        logger.propagate = before
        for line in kept.lines:
            write_text(standard_error(), line)
