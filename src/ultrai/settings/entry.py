"""An Entry: one value as its author wrote it, and where. Every error about settings names both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from ultrai.domain.errors import SettingsError

KeyPath = tuple[str, ...]
"""A key by its parts: `("upstreams", "ollama", "base_url")`."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 60
_LONGEST_INT_BITS = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """A place that settings come from.

    `name` is what errors call it, `folder` is where its relative paths start. In a file a number
    must be a number; the environment and flags may hold it as text.
    """

    name: str
    folder: Path
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One value, under the key by which its author knows it."""

    key: str
    value: object
    origin: Origin

    def problem(self, cause: str, *, hint: str = "") -> SettingsError:
        """The error for this value: place, key, cause."""
        return SettingsError(f"{self.origin.name}: {self.key} {cause}", hint=hint)

    def text(self) -> str:
        """The value, which must be text on one line; text is not echoed."""
        if isinstance(self.value, Path):
            return str(self.value)
        if not isinstance(self.value, str):
            raise self.problem(f"must be text in quotes, not {shown(self.value)}")
        if not self.value.isprintable():
            raise self.problem("holds a line break or another character that cannot be shown")
        return self.value


def shown(value: object) -> str:
    """A value for an error line: short, on one line, whatever it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _LONGEST_INT_BITS:
        return "a number with too many digits"
    if isinstance(value, int | float | Decimal):
        return _shortened(str(value))
    if isinstance(value, str):
        return _shortened(repr(value))
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def dotted(parts: Iterable[str]) -> str:
    """A key as TOML writes it: parts that are not bare in quotes."""
    return ".".join(p if _BARE_KEY.fullmatch(p) else _shortened(repr(p)) for p in parts)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
