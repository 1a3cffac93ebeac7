"""Budgets that stand in the settings: `[budgets.NAME]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from ultrai.domain.budget import Budget, Period
from ultrai.domain.money import parse_usd
from ultrai.policy.scoping import read_scope
from ultrai.settings.entry import Entry, shown
from ultrai.settings.layers import Layer
from ultrai.settings.schema import TOGGLE

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PERIODS: Final = ", ".join(period.value for period in Period)


def read_budgets(layer: Layer, *, key: str | None, environment: str | None) -> tuple[Budget, ...]:
    """The Budgets by name; those of a profile bear its name behind an `@`.

    So the processes of two profiles never take away each other's.
    """
    names = dict.fromkeys(path[1] for path in layer if path[0] == "budgets")
    budgets = []
    for name in names:
        parts = {path[2]: e for path, e in layer.items() if path[:2] == ("budgets", name)}
        budgets.append(_read(name, parts, key=key, environment=environment))
    return tuple(budgets)


def _read(
    name: str, parts: Mapping[str, Entry], *, key: str | None, environment: str | None
) -> Budget:
    some = next(iter(parts.values()))
    if not _NAME.fullmatch(name):
        raise some.problem(f"gives a budget the name {shown(name)}", hint="use letters and digits")
    if "limit_usd" not in parts:
        raise some.problem(f"belongs to budget {shown(name)}, which has no limit_usd")
    scope = parts.get("scope")
    try:
        kind, subject = read_scope(
            "global" if scope is None else scope.text(), key=key, environment=environment
        )
    except ValueError as error:
        assert scope is not None
        raise scope.problem(str(error)) from None
    return Budget(
        name=name if environment is None else f"{name}@{environment}",
        scope=kind,
        subject=subject,
        period=_period(parts.get("per")),
        limit_nanos=read_usd(parts["limit_usd"]),
        hard=not (TOGGLE.read(parts["soft"]) if "soft" in parts else False),
    )


def _period(entry: Entry | None) -> Period:
    if entry is None:
        return Period.TOTAL
    try:
        return Period(entry.text().strip().lower())
    except ValueError:
        raise entry.problem(f"must be one of {_PERIODS}, not {shown(entry.value)}") from None


def read_usd(entry: Entry) -> int:
    """Nanodollars of an amount in USD. Raises SettingsError."""
    value = entry.value
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise entry.problem(f"must be an amount in USD, not {shown(value)}")
    try:
        return parse_usd(repr(value) if isinstance(value, float) else str(value))
    except ValueError:
        raise entry.problem(f"must be an amount in USD, not {shown(value)}") from None
