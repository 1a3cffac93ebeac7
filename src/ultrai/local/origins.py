"""Where weights can come from. Each origin appends to one growing `.part` file.

The `.part` file is at all times a prefix of the weights, whoever wrote it: an origin goes on
where another, or an interrupted run, left off. Hashing the whole is `fetch`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ultrai.local.models import LocalModel

Seen = Callable[[int], None]
"""Told the number of the file's bytes that are here so far."""


class OriginError(Exception):
    """The rest cannot be had from there; the text says why, in a line. Others may be tried."""


class Origin(Protocol):
    """One place that weights come from."""

    @property
    def name(self) -> str:
        """What people call it."""

    def spare_bytes(self, model: LocalModel) -> int:
        """Disk that it needs for a while besides the file itself."""

    def fill(self, model: LocalModel, part: Path, *, seen: Seen) -> None:
        """Append to `part` until it has the model's size; OriginError if that fails."""


def size_of(part: Path) -> int:
    """Bytes that are here; a file that is not there has none."""
    return part.stat().st_size if part.exists() else 0
