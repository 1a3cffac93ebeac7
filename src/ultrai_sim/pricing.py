"""What the prices of a model may be: decimal amounts in USD per unit, and overrides of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultrai_sim.reading import a_table, amount_of, money, nearest, share, short, whole

UNKNOWN = "-1"
"""The price of a router, which depends on whom it chooses."""
PRICES = (
    *("prompt", "completion", "request", "image", "image_token", "image_output", "audio"),
    *("audio_output", "input_audio_cache", "web_search", "internal_reasoning"),
    *("input_cache_read", "input_cache_write", "input_cache_write_1h"),
)
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LATEST_CLOCK, MINUTES = 2400, 60


def pricing_problem(pricing: Any, *, every_name: bool = False) -> str | None:
    """What is wrong with a table of prices; None: nothing. ``every_name`` allows unknown ones."""
    if not isinstance(pricing, Mapping):
        return "'pricing' must be a table of texts, in USD per token"
    for name, value in pricing.items():
        if name == "overrides":
            problem = _overrides_problem(value, every_name=every_name)
        elif name == "discount":
            problem = share(value)
        else:
            problem = _price_problem(name, value, every_name=every_name)
        if problem is not None:
            return f"pricing.{name}: {problem}"
    return None


def _price_problem(name: str, value: Any, *, every_name: bool) -> str | None:
    if not every_name and name not in PRICES:
        near = nearest(name, (*PRICES, "overrides", "discount"))
        return f"unknown price {short(name)}; nearest valid key: {near!r}"
    return None if str(value) == UNKNOWN and amount_of(value) is None else money(value)


def _overrides_problem(value: Any, *, every_name: bool) -> str | None:
    if not isinstance(value, list | tuple):
        return f"expected a list of tables, not {short(value)}"
    for n, row in enumerate(value, 1):
        problem = a_table(row) or _override_problem(row, every_name=every_name)
        if problem is not None:
            return f"number {n}: {problem}"
    return None


def _override_problem(row: Mapping[str, Any], *, every_name: bool) -> str | None:
    for name, value in row.items():
        check = _CONDITIONS.get(name)
        if check is None:
            problem = _price_problem(name, value, every_name=every_name)
        else:
            problem = check(value)
        if problem is not None:
            return f"{name}: {problem}"
    return None


def _clock_problem(value: Any) -> str | None:
    clock = value if isinstance(value, int) and whole(value) is None else LATEST_CLOCK + 1
    fits = clock <= LATEST_CLOCK and clock % 100 < MINUTES
    return None if fits else f"expected a clock number like 1630, not {short(value)}"


def _days_problem(value: Any) -> str | None:
    rows = value if isinstance(value, list | tuple) else [None]
    for day in rows:
        named = isinstance(day, str) and day.lower()[:3] in DAYS
        counted = isinstance(day, int) and whole(day) is None and day < len(DAYS)
        if not (named or counted):
            return f"expected a list of days, 0 (Sunday) to 6 or their names, not {short(value)}"
    return None


_CONDITIONS = {
    "min_prompt_tokens": whole,
    "utc_start": _clock_problem,
    "utc_end": _clock_problem,
    "utc_days": _days_problem,
}
