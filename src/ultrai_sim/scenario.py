"""Scenarios: a world written down in TOML, or one of the gallery by its name.

```toml
seed = 7
catalogue = "report-2025"        # or "today" (default)
comments = 2                     # keep-alive comments that open every stream
usage_dialect = "a"              # a, b or c (default)
tokens_per_frame = 1
generation_lag_s = 0.5
[latency]                        # seconds; comment_every_s too
head_s = 0.1
first_token_s = { p50 = 0.4, p95 = 2.0 }
per_token_s = 0.01
[[latencies]]                    # the same for some models
model = "openai/*"
first_token_s = 1.5
[account]                        # see terms.AccountTerms
credits_usd = "5"
free_daily_limit = 50
[says]                           # fixed texts
"openai/gpt-4o" = "Forty-two."
[[keys]]                         # see keys.KeyTerms
key = "sk-or-v1-mine"
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
[[changes]]                      # see changes.Change
at_s = 60
model = "acme/one"
pricing = { completion = "0.00001" }
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from ultrai_sim.catalogue import BUILT_IN, CatalogueError, Model, read_model
from ultrai_sim.changes import Change
from ultrai_sim.faults import Fault, FaultError, read_fault
from ultrai_sim.keys import KEY_CHECKS, KeyTerms
from ultrai_sim.pace import SPREAD_KEYS, Pace, Spread
from ultrai_sim.pricing import pricing_problem
from ultrai_sim.reading import (
    Check,
    NotTOML,
    Where,
    WrongValue,
    a_list,
    a_table,
    a_text,
    line_of,
    money,
    nearest,
    one_of,
    positive,
    read_table,
    read_toml,
    seconds,
    short,
    texts,
    true_or_false,
    whole,
    whole_up_to,
)
from ultrai_sim.schedule import Latency
from ultrai_sim.terms import ACCOUNT_CHECKS, AccountTerms
from ultrai_sim.world import World

MOST_COMMENTS = 10_000

TOP: Mapping[str, Check] = {
    "seed": whole,
    "comments": whole_up_to(MOST_COMMENTS),
    "tokens_per_frame": positive,
    "generation_lag_s": seconds,
    "catalogue": one_of(*BUILT_IN),
    "usage_dialect": one_of("a", "b", "c"),
    "flagged": texts,
    "blocked": texts,
}
TABLES: Mapping[str, type] = {
    "latency": dict,
    "latencies": list,
    "account": dict,
    "says": dict,
    "keys": list,
    "models": list,
    "faults": list,
    "changes": list,
}
LATENCY: Mapping[str, Check] = dict.fromkeys((*SPREAD_KEYS, "comment_every_s"), seconds)
CHANGES: Mapping[str, Check] = {
    "at_s": seconds,
    "requests": whole,
    "model": a_text,
    "pricing": pricing_problem,
    "retired": true_or_false,
    "add": a_table,
    "credits_usd": money,
    "faults": a_list,
}


class ScenarioError(ValueError):
    """A scenario that cannot be used; the text names file, line, key and nearest valid key."""


def gallery() -> dict[str, str]:
    """The scenarios that come along: name -> what it does, from its first line."""
    shelf = resources.files("ultrai_sim") / "scenarios"
    found = {}
    for file in sorted(shelf.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".toml"):
            first = file.read_text("utf-8").partition("\n")[0]
            found[file.name.removesuffix(".toml")] = first.lstrip("# ")
    return found


def load_scenario(path: Path) -> World:
    """The world of a scenario file, or of one of the gallery by name; else `ScenarioError`."""
    name = str(path)
    try:
        if not path.exists() and name in gallery():
            text = (resources.files("ultrai_sim") / "scenarios" / f"{name}.toml").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        message = f"{path}: cannot be read: {reason}"
        if path.parent == Path() and not path.suffix:
            near = nearest(str(path), list(gallery()))
            message = f"{path}: no scenario is called so; nearest: {near!r}; 'list' lists them"
        raise ScenarioError(message) from None
    try:
        return read_scenario(read_toml(text))
    except WrongValue as error:
        line = line_of(text, error.where)
        place = path if line is None else f"{path}:{line}"
        message = f"{place}: {error}"
        raise ScenarioError(message) from None
    except NotTOML as error:
        message = f"{path}:{error.line}: {error}"
        raise ScenarioError(message) from None


def read_scenario(document: Mapping[str, Any]) -> World:
    """The world of a parsed scenario; `WrongValue` where it is wrong."""
    for key, value in document.items():
        _check_top(key, value)
    latency, paces = _read_latencies(document)
    keys = _read_keys(document.get("keys", []))
    return World(
        **{key: document[key] for key in TOP if key in document},
        latency=latency,
        paces=paces,
        account=read_table(
            AccountTerms, document.get("account", {}), checks=ACCOUNT_CHECKS, where=Where("account")
        ),
        says=_read_says(document.get("says", {})),
        keys=keys,
        models=[
            _read_model(row, Where("models", index))
            for index, row in enumerate(document.get("models", []))
        ],
        faults=[
            _read_fault(row, Where("faults", index))
            for index, row in enumerate(document.get("faults", []))
        ],
        changes=[
            _read_change(row, Where("changes", index))
            for index, row in enumerate(document.get("changes", []))
        ],
    )


def _check_top(key: str, value: Any) -> None:
    valid = (*TOP, *TABLES)
    if key not in valid:
        message = f"unknown key {short(key)}; nearest valid key: {nearest(key, valid)!r}"
        raise WrongValue(Where(key=key), message)
    if key in TOP:
        problem = TOP[key](value)
        if problem is not None:
            raise WrongValue(Where(key=key), problem)
    elif not isinstance(value, TABLES[key]):
        form = f"[{key}]" if TABLES[key] is dict else f"[[{key}]]"
        raise WrongValue(Where(key=key), f"expected a {form} table")


def _read_latencies(document: Mapping[str, Any]) -> tuple[Latency, tuple[Pace, ...]]:
    common = _read_pace(document.get("latency", {}), Where("latency"))
    others = [
        _read_pace(row, Where("latencies", index))
        for index, row in enumerate(document.get("latencies", []))
    ]
    if not others and not common.spreads:
        return common.base, ()
    return common.base, (common, *others)


def _read_pace(row: Any, where: Where) -> Pace:
    problem = a_table(row)
    if problem is not None:
        raise WrongValue(where, problem)
    rest = dict(row)
    model = rest.pop("model", "*") if where.table == "latencies" else "*"
    problem = a_text(model)
    if problem is not None:
        raise WrongValue(Where(where.table, where.index, "model"), problem)
    spreads = {
        key: _read_spread(rest.pop(key), Where(where.table, where.index, key))
        for key in SPREAD_KEYS
        if isinstance(rest.get(key), Mapping)
    }
    return Pace(model, read_table(Latency, rest, checks=LATENCY, where=where), spreads)


def _read_spread(row: Mapping[str, Any], where: Where) -> Spread:
    try:
        return read_table(Spread, row, checks={"p50": seconds, "p95": seconds}, where=Where())
    except WrongValue as error:  # it stands on the line of its own key
        raise WrongValue(where, str(error)) from None


def _read_keys(rows: Sequence[Any]) -> Sequence[KeyTerms]:
    keys: list[KeyTerms] = []
    for index, row in enumerate(rows):
        where = Where("keys", index)
        terms = read_table(KeyTerms, row, checks=KEY_CHECKS, where=where)
        if any(other.key == terms.key for other in keys):
            raise WrongValue(Where("keys", index, "key"), "another key has the same secret")
        keys.append(terms)
    return keys


def _read_says(table: Mapping[str, Any]) -> Mapping[str, str]:
    for key, value in table.items():
        problem = a_text(value)
        if problem is not None:
            raise WrongValue(Where("says", None, key), problem)
    return table


def _read_model(row: Any, where: Where) -> Model:
    problem = a_table(row)
    if problem is not None:
        raise WrongValue(where, problem)
    try:
        return read_model(row, {})
    except CatalogueError as error:
        raise WrongValue(_place_of(error, row, where=where), str(error)) from None


def _read_fault(row: Any, where: Where) -> Fault:
    problem = a_table(row)
    if problem is not None:
        raise WrongValue(where, problem)
    try:
        return read_fault(row)
    except FaultError as error:
        raise WrongValue(_place_of(error, row, where=where), str(error)) from None


def _place_of(error: ValueError, row: Mapping[str, Any], *, where: Where) -> Where:
    """The key that the complaint names, where it names one."""
    named = next((key for key in row if f"{key!r}" in str(error)), None)
    if named is None:
        named = next((key for key in row if f": {key}" in str(error)), None)
    if named is None and str(error).startswith("no fault is called"):
        named = "kind"
    return Where(where.table, where.index, named)


def _read_change(row: Any, where: Where) -> Change:
    problem = a_table(row)
    if problem is not None:
        raise WrongValue(where, problem)
    values = dict(row)
    if isinstance(values.get("add"), Mapping):
        values["add"] = _read_model(values["add"], where)
    if isinstance(values.get("faults"), list):
        values["faults"] = [_read_fault(fault, where) for fault in values["faults"]]
    checks = {**CHANGES, "add": lambda _: None}
    if "add" in row:
        problem = a_table(row["add"])
        if problem is not None:
            raise WrongValue(Where(where.table, where.index, "add"), problem)
    return read_table(Change, values, checks=checks, where=where)
