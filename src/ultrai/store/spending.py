"""Sums over the ledger's entries, grouped as somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import case, func, select

from ultrai.domain.errors import UsageError
from ultrai.domain.ledger import EntryKind
from ultrai.domain.outcome import CostState
from ultrai.domain.spending import DIMENSIONS, Spending
from ultrai.policy.nearest import did_you_mean
from ultrai.store.ledger_tables import ENTRIES

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from ultrai.store.database import Database

_COLUMNS = {name: name for name in DIMENSIONS} | {"run": "run_id", "tag": "tags"}
_SETTLED = ENTRIES.c.kind == EntryKind.SETTLEMENT.value


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are meant: days (`2026-11-26`) from `since` to `until`, both included."""

    since: str | None = None
    until: str | None = None
    run: str | None = None
    model: str | None = None
    upstream: str | None = None
    key: str | None = None
    environment: str | None = None
    user: str | None = None
    feature: str | None = None
    tag: str | None = None


def read_spending(database: Database, by: str, *, wanted: Wanted) -> list[Spending]:
    """What was spent, by one dimension, the dearest first (days: the oldest first).

    `tag:NAME` groups by that tag's values. Raises UsageError for a dimension that is none.
    """
    dimension, _, tag_name = by.partition(":")
    if dimension not in _COLUMNS or (tag_name and dimension != "tag"):
        message = f"costs are not kept by {by!r}"
        hint = did_you_mean(by, DIMENSIONS) or f"choose one of {', '.join(DIMENSIONS)}"
        raise UsageError(message, hint=hint)
    column = ENTRIES.c[_COLUMNS[dimension]]
    by_tags = dimension == "tag" or wanted.tag is not None
    groups = [column, ENTRIES.c.tags] if by_tags else [column]
    query = select(*groups, *_sums()).where(*conditions_of(wanted)).group_by(*groups)
    with database.engine.connect() as connection:
        rows = connection.execute(query).all()
    collected: dict[str | None, list[int]] = {}
    for row in rows:
        tags = tags_from(row[1]) if by_tags else {}
        if wanted.tag is not None and not has_tag(tags, wanted.tag):
            continue
        figures = [int(figure or 0) for figure in row[len(groups) :]]
        for group in _groups(row[0], tags, dimension=dimension, tag_name=tag_name):
            known = collected.setdefault(group, [0] * len(figures))
            collected[group] = [a + b for a, b in zip(known, figures, strict=True)]
    spendings = [_spending(group, figures) for group, figures in collected.items()]
    if dimension in ("day", "slot"):
        return sorted(spendings, key=lambda each: each.group or "")
    return sorted(
        spendings, key=lambda each: (-each.cost_nanos - each.unsure_nanos, each.group or "")
    )


def _sums() -> list[ColumnElement[Any]]:
    answered = case((ENTRIES.c.outcome == "answer", 1), else_=0)
    corrected = ENTRIES.c.kind == EntryKind.CORRECTION.value
    # The last word about an Attempt: nobody asks again.
    given_up = corrected & (ENTRIES.c.cost_state == CostState.UNKNOWN_BILLED.value)
    # A correction's counts replace those of its settlement, if that had any.
    counts = [
        func.sum(case((_SETTLED | corrected, func.coalesce(ENTRIES.c[name], 0)), else_=0))
        for name in ("prompt_tokens", "completion_tokens")
    ]
    return [
        func.sum(ENTRIES.c.posted_delta - ENTRIES.c.unsure_delta),
        func.sum(ENTRIES.c.unsure_delta),
        func.sum(ENTRIES.c.unknown_delta),
        func.sum(case((_SETTLED, 1), else_=0)),
        func.sum(answered),
        *counts,
        func.sum(case((given_up, 1), else_=0)),
    ]


def conditions_of(wanted: Wanted) -> list[ColumnElement[bool]]:
    """As SQL; but for tags, which databases cannot look into alike."""
    conditions: list[ColumnElement[bool]] = [
        ENTRIES.c.kind.in_([EntryKind.SETTLEMENT.value, EntryKind.CORRECTION.value])
    ]
    if wanted.since is not None:
        conditions.append(ENTRIES.c.day >= wanted.since)
    if wanted.until is not None:
        conditions.append(ENTRIES.c.day <= wanted.until)
    if wanted.run is not None:
        conditions.append(ENTRIES.c.run_id == wanted.run)
    for name in ("model", "upstream", "key", "environment", "user", "feature"):
        value: str | None = getattr(wanted, name)
        if value is not None:
            conditions.append(ENTRIES.c[name] == value)
    return conditions


def _groups(
    value: Any, tags: dict[str, str], *, dimension: str, tag_name: str
) -> Sequence[str | None]:
    if dimension != "tag":
        return [None if value is None else str(value)]
    if tag_name:
        return [tags.get(tag_name)]
    return [f"{name}={text}" for name, text in tags.items()] or [None]


def tags_from(text: str | None) -> dict[str, str]:
    """Tags as an entry has them."""
    return msgspec.json.decode(text, type=dict[str, str]) if text else {}


def has_tag(tags: dict[str, str], wanted: str) -> bool:
    """Whether a tag of that name, or `NAME=TEXT`, is among them."""
    name, equals, text = wanted.partition("=")
    return name in tags and (not equals or tags[name] == text)


def _spending(group: str | None, figures: Sequence[int]) -> Spending:
    cost, unsure, unknown, attempts, answers, prompt, completion, given_up = figures
    return Spending(group, cost, unsure, unknown, attempts, answers, prompt, completion, given_up)
