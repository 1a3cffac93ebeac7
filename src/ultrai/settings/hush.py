"""Keeps what a store answers out of the logs of the libraries that read it.

At their most talkative some log whole answers, and so the key. What they say below a warning is
dropped while a key is read, in the thread that reads it and nowhere else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LIBRARIES: Final = frozenset(
    {"azure", "boto3", "botocore", "google", "hvac", "keyring", "msal", "requests", "urllib3"}
)


class _Reading(threading.local):
    """Whether this thread reads a key."""

    is_on = False


class _Hush(logging.Filter):
    """Lets nothing below a warning pass while a key is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = _Reading()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be logged."""
        return not self.reading.is_on or record.levelno >= logging.WARNING


_HUSH: Final = _Hush()


@contextmanager
def hushed() -> Iterator[None]:
    """For as long as a library that was imported before reads a key."""
    # A filter does not hold for the loggers below its own, so each gets it; twice is once.
    for name in list(logging.Logger.manager.loggerDict):
        if name.partition(".")[0] in _LIBRARIES:
            logging.getLogger(name).addFilter(_HUSH)
    _HUSH.reading.is_on = True
    try:
        yield
    finally:
        _HUSH.reading.is_on = False
