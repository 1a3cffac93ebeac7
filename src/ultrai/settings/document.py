"""TOML into a table: bounded in depth, so that any text gives a table or one line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from ultrai.domain.errors import SettingsError

_DEEPEST = 20


def parse_toml(text: str, name: str) -> dict[str, object]:
    """The table that a TOML text holds, numbers with a point as Decimal; `name` is for errors."""
    too_deep = f"{name}: is nested more than {_DEEPEST} levels deep"
    try:
        table: dict[str, object] = tomllib.loads(text, parse_float=_exact)
    except tomllib.TOMLDecodeError as error:  # its text ends with line and column
        raise SettingsError(f"{name}: is not valid TOML: {error}") from None
    except ValueError:
        raise SettingsError(f"{name}: holds a number with too many digits") from None
    except RecursionError:
        raise SettingsError(too_deep) from None
    if _is_deep(table):
        raise SettingsError(too_deep)
    return table


def _exact(text: str) -> Decimal:
    """A TOML number with a point; one beyond all exponents is not a number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _is_deep(table: Mapping[str, object]) -> bool:
    """Whether values are nested deeper than any setting, found without recursion."""
    level: list[object] = [table]
    for _ in range(_DEEPEST):
        level = [child for value in level for child in _inner(value)]
        if not level:
            return False
    return True


def _inner(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []
