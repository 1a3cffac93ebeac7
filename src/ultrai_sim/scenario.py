"""Scenarios: a world written down in TOML.

```toml
seed = 7
catalogue = "report-2025"        # or "today" (default)
comments = 2                     # keep-alive comments that open every stream
usage_dialect = "a"              # a, b or c (default)
tokens_per_frame = 1
generation_lag_s = 0.5
[latency]                        # seconds; comment_every_s too
head_s = 0.1
first_token_s = 0.4
per_token_s = 0.01
[account]                        # free_per_minute too
credits_usd = "5"
free_daily_limit = 50
[says]                           # fixed texts
"openai/gpt-4o" = "Forty-two."
[[keys]]                         # limit_reset, disabled too
key = "sk-or-v1-…"
limit_usd = "1"
[[models]]                       # a model's keys: see catalogue.Model
id = "acme/one"
pricing = { prompt = "0.000001", completion = "0.000002" }
[[faults]]                       # kinds and options: see faults
kind = "status"
model = "openai/gpt-4o"
attempts = [1, 2]
status = 429
retry_after = 1
```
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from ultrai_sim.account import AccountTerms
from ultrai_sim.catalogue import BUILT_IN, read_model
from ultrai_sim.faults import FaultError, read_fault
from ultrai_sim.keys import KeyTerms
from ultrai_sim.schedule import Latency
from ultrai_sim.world import World

Terms = TypeVar("Terms", Latency, AccountTerms, KeyTerms)

NUMBERS = ("seed", "comments", "tokens_per_frame", "generation_lag_s")
CHOICES: Mapping[str, tuple[str, ...]] = {"catalogue": BUILT_IN, "usage_dialect": ("a", "b", "c")}
TABLES: Mapping[str, type] = {
    "latency": dict,
    "account": dict,
    "says": dict,
    "keys": list,
    "models": list,
    "faults": list,
}
TOP_KEYS = (*NUMBERS, *CHOICES, *TABLES)
MONEY = ("credits_usd", "limit_usd")


class ScenarioError(ValueError):
    """A scenario that cannot be used; the text names file, key and nearest valid key."""


def load_scenario(path: Path) -> World:
    """The world that a scenario file describes; `ScenarioError` where it is wrong or unreadable."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        message = f"{path}: cannot be read: {reason}"
        raise ScenarioError(message) from None
    try:
        return read_scenario(tomllib.loads(text))
    except (ValueError, TypeError) as error:
        message = f"{path}: {error}"
        raise ScenarioError(message) from None


def read_scenario(document: Mapping[str, Any]) -> World:
    """The world of a parsed scenario."""
    for key, value in document.items():
        _check_top(key, value)
    given = {key: document[key] for key in (*NUMBERS, *CHOICES) if key in document}
    world = World(**given)
    world.latency = _read_terms("latency", document.get("latency", {}), kind=Latency)
    world.account = _read_terms("account", document.get("account", {}), kind=AccountTerms)
    world.says = document.get("says", {})
    keys = [_read_terms("keys", row, kind=KeyTerms) for row in document.get("keys", [])]
    world.keys = keys or world.keys
    world.models = [read_model(row, {}) for row in document.get("models", [])]
    faults = []
    for number, row in enumerate(document.get("faults", []), 1):
        try:
            faults.append(read_fault(row))
        except FaultError as error:
            message = f"faults[{number}]: {error}"
            raise ScenarioError(message) from None
    world.faults = faults
    world.reset()
    return world


def _check_top(key: str, value: Any) -> None:
    if key not in TOP_KEYS:
        message = f"unknown key {key!r}; nearest valid key: {_nearest(key, TOP_KEYS)!r}"
        raise ScenarioError(message)
    if key in CHOICES and value not in CHOICES[key]:
        message = f"{key}: {value!r} is not one of {', '.join(CHOICES[key])}"
        raise ScenarioError(message)
    if key in NUMBERS and not _is_count(value, whole=key != "generation_lag_s"):
        message = f"{key}: {value!r} is not a number of the right kind, 0 or more"
        raise ScenarioError(message)
    if key in TABLES and not isinstance(value, TABLES[key]):
        form = f"[{key}]" if TABLES[key] is dict else f"[[{key}]]"
        message = f"{key}: expected a {form} table"
        raise ScenarioError(message)


def _is_count(value: object, *, whole: bool) -> bool:
    kinds = int if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and value >= 0


def _read_terms(table: str, row: Mapping[str, Any], *, kind: type[Terms]) -> Terms:
    valid = [spec.name for spec in fields(kind)]
    values = dict(row)
    for key, value in row.items():
        if key not in valid:
            near = _nearest(key, valid)
            message = f"{table}: unknown key {key!r}; nearest valid key: {near!r}"
            raise ScenarioError(message)
        if key in MONEY:
            values[key] = _money(f"{table}.{key}", value)
        elif kind is Latency and not isinstance(value, int | float):
            message = f"{table}.{key}: {value!r} is not a number of seconds"
            raise ScenarioError(message)
    try:
        return kind(**values)
    except TypeError:
        message = f"{table}: 'key' is missing"
        raise ScenarioError(message) from None


def _money(key: str, value: Any) -> str:
    try:
        return str(Decimal(str(value)))
    except InvalidOperation:
        message = f"{key}: {value!r} is not an amount in USD"
        raise ScenarioError(message) from None


def _nearest(key: str, valid: Sequence[str]) -> str:
    return get_close_matches(key, valid, 1, 0.0)[0]
