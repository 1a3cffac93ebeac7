"""Activity: the bill by completed UTC day, model and endpoint, as `/activity` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from ultrai_sim.bill import Place, Sum
from ultrai_sim.generations import endpoint_id
from ultrai_sim.keys import WORKSPACE_ID
from ultrai_sim.windows import EPOCH, iso_day

DAYS_TOLD = 30


def asked_day(text: str, today: int) -> int | None:
    """The day that a ``date`` names, None unless it is one of those that are told."""
    try:
        day = date.fromisoformat(text).toordinal() - EPOCH
    except ValueError:
        return None
    return day if today - DAYS_TOLD <= day < today else None


def activity_body(
    sums: Mapping[Place, Sum], *, days: range, key_hash: str | None, by_workspace: bool
) -> dict[str, Any]:
    """The answer of `/activity` for these days, of one key or of all; the latest day first."""
    rows: dict[tuple[int, str, str, str], Sum] = {}
    for place, each in sums.items():
        if place.day in days and key_hash in (None, place.key_hash):
            row = (place.day, place.model, place.permaslug, place.provider)
            rows.setdefault(row, Sum()).add(each)
    order = sorted(rows, key=lambda row: (-row[0], *row[1:]))
    workspace = {"workspace_id": WORKSPACE_ID} if by_workspace else {}
    return {"data": [_shown(row, rows[row]) | workspace for row in order]}


def _shown(row: tuple[int, str, str, str], each: Sum) -> dict[str, Any]:
    day, model, permaslug, provider = row
    return {
        "date": iso_day(day),
        "model": model,
        "model_permaslug": permaslug,
        "endpoint_id": endpoint_id(permaslug, provider),
        "provider_name": provider,
        "usage": float(each.cost),
        "byok_usage_inference": float(each.upstream),
        "requests": each.lines,
        "prompt_tokens": each.prompt_tokens,
        "completion_tokens": each.completion_tokens,
        "reasoning_tokens": each.reasoning_tokens,
        "cached_tokens": each.cached_tokens,
    }
