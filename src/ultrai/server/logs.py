"""The server's log: one line for each request and each trouble, on standard error.

JSON where a program reads it, words where a person does. Prompts, answers and keys are not in it.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from ultrai.domain.stamp import stamp

_OURS = ("ultrai", "uvicorn.error")


def set_up_logs(*, as_json: bool) -> None:
    """Write this process's log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else Words())
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == "ultrai" else logging.WARNING)


class JsonLines(logging.Formatter):
    """One JSON object a line; what stands in `fields` of a record beside its message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        shape: dict[str, object] = {
            "at": stamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            shape["traceback"] = self.formatException(record.exc_info)
        return json.dumps(shape, ensure_ascii=True, default=str)


class Words(logging.Formatter):
    """One line for a person; control characters are not let through."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        line = f"ultrai: {record.getMessage()} {said}".rstrip()
        line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    fields: Mapping[str, object] = getattr(record, "fields", {})
    return fields
