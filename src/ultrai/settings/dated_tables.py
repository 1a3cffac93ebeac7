"""Reads the dated tables of a cocktail file: who succeeds a retired id, what ids cost and held."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from ultrai.domain.cocktail import is_model_id
from ultrai.policy.checkup import Reference
from ultrai.policy.succession import Successions
from ultrai.settings.entry import shown
from ultrai.settings.node import Node

MOST_HEIRS = 20

_LARGEST_WINDOW = 10**12
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")


def read_date(node: Node | None) -> str | None:
    """A date as `YYYY-MM-DD`; None where it is left out."""
    if node is None:
        return None
    text = node.text()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        hint = "write the year, month and day: 2026-11-10"
        raise node.problem(f"{shown(text)} is not a date", hint=hint) from None


def read_successions(node: Node, known: tuple[str, ...]) -> Successions:
    """`{"as_of": DATE, "retired": {ID: [ID, …]}}`; `known` ids serve to say what was meant."""
    parts = node.parts("a key of successions", ("as_of", "retired"))
    retired: dict[str, tuple[str, ...]] = {}
    for model_id, heirs in _by_id(parts.get("retired"), known):
        retired[model_id] = heirs.distinct_ids(known, most=MOST_HEIRS)
        for heir in retired[model_id]:
            if heir == model_id or heir.startswith("~"):
                fault = "succeeds itself" if heir == model_id else "is an alias, not a concrete id"
                raise heirs.problem(f"{shown(heir)} {fault}")
    return Successions(read_date(parts.get("as_of")) or "", retired)


def read_references(node: Node, known: tuple[str, ...]) -> dict[str, Reference]:
    """`{"as_of": DATE, "units": TEXT, "models": {ID: {prompt, completion, window}}}`.

    Prices are texts in USD per million tokens, windows are tokens and may be left out.
    """
    parts = node.parts("a key of references", ("as_of", "units", "models"))
    read_date(parts.get("as_of"))
    if "units" in parts:
        parts["units"].text()
    models = _by_id(parts.get("models"), known)
    return {model_id: _read_reference(model) for model_id, model in models}


def _read_reference(node: Node) -> Reference:
    parts = node.parts("a key of a reference", ("prompt", "completion", "window"))
    for name in ("prompt", "completion"):
        if name not in parts:
            raise node.problem(f"has no price called {name}", hint=f'write "{name}": "2.50"')
    return Reference(
        prompt_usd_per_million=_read_price(parts["prompt"]),
        completion_usd_per_million=_read_price(parts["completion"]),
        context_length=_read_window(parts["window"]) if "window" in parts else None,
    )


def _read_price(node: Node) -> Decimal:
    text = node.text()
    if not _PRICE.fullmatch(text):
        hint = 'write USD per million tokens as text: "2.50"'
        raise node.problem(f"{shown(text)} is not a price", hint=hint)
    return Decimal(text)


def _read_window(node: Node) -> int:
    window = node.value
    if isinstance(window, bool) or not isinstance(window, int):
        raise node.problem(f"must be a whole number of tokens, not {shown(window)}")
    if not 1 <= window <= _LARGEST_WINDOW:
        raise node.problem(f"{shown(window)} is not a number of tokens")
    return window


def _by_id(node: Node | None, known: tuple[str, ...]) -> list[tuple[str, Node]]:
    """A table's Nodes, its keys being model ids."""
    if node is None:
        return []
    found: list[tuple[str, Node]] = []
    for model_id, part in node.table():
        if not is_model_id(model_id):
            raise Node(part.file, part.path, model_id).not_an_id(known)
        found.append((model_id, part))
    return found
