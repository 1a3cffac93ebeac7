"""What alerts and monitors have to say, on standard error, once a run's view is out of the way."""

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
    """Keeps lines until somebody can read them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one; of the exporter only that it failed, for it says that in many words."""
        if record.name.startswith("opentelemetry"):
            self.lines.append(_NO_COLLECTOR)
            return
        self.lines.append(one_line(record.getMessage(), limit=_LONGEST))


@contextmanager
def alert_lines() -> Iterator[None]:
    """Write at the end what was said meanwhile."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    kept = _Kept()
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
        for line in dict.fromkeys(kept.lines):
            write_text(standard_error(), line)
