"""What alerts and monitors have to say, on standard error, where no run's view is in the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ultrai.cli.output import write_text
from ultrai.cli.render.safety import one_line
from ultrai.cli.terminal import standard_error

_LOGGERS = ("ultrai.alerts", "ultrai.monitoring", "opentelemetry")
_LONGEST = 500
_NO_COLLECTOR = "traces did not reach the collector: check OTEL_EXPORTER_OTLP_ENDPOINT"


class _Kept(logging.Handler):
    """Keeps lines until somebody can read them, each once."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__()
        self._lines: set[str] = set()
        self._at_once = at_once
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one; of the exporter only that it failed, for it says that in many words."""
        is_exporter = record.name.startswith("opentelemetry")
        line = _NO_COLLECTOR if is_exporter else one_line(record.getMessage(), limit=_LONGEST)
        if line in self._lines:
            return
        self._lines.add(line)
        self._waiting.append(line)
        if self._at_once:
            self.write()

    def write(self) -> None:
        """Write what waits."""
        lines, self._waiting = self._waiting, []
        for line in lines:
            write_text(standard_error(), line)


@contextmanager
def alert_lines(*, at_once: bool = False) -> Iterator[None]:
    """Write what was said: at the end, or `at_once` where nothing else is drawn meanwhile."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    kept = _Kept(at_once=at_once)
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(kept)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagated in zip(loggers, before, strict=True):
            logger.removeHandler(kept)
            logger.propagate = propagated
        kept.write()
