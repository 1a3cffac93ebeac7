"""Activity: the bill by completed UTC day, model and endpoint, as `/activity` tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ultrai_sim.bill import BillLine
from ultrai_sim.generations import endpoint_id
from ultrai_sim.keys import WORKSPACE_ID
from ultrai_sim.windows import EPOCH, iso_day

DAYS_TOLD = 30
NOTHING = Decimal(0)


@dataclass(slots=True)
class _Row:
    """What one endpoint did for the account on one day."""

    usage: Decimal = NOTHING
    byok: Decimal = NOTHING
    requests: int = 0
    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    cached: int = 0

    def add(self, line: BillLine) -> None:
        self.usage += line.cost
        self.byok += line.upstream or NOTHING
        self.requests += 1
        self.prompt += line.prompt_tokens
        self.completion += line.completion_tokens
        self.reasoning += line.reasoning_tokens
        self.cached += line.cached_tokens


def asked_day(text: str, today: int) -> int | None:
    """The day that a ``date`` names, None unless it is one of those that are told."""
    try:
        day = date.fromisoformat(text).toordinal() - EPOCH
    except ValueError:
        return None
    return day if today - DAYS_TOLD <= day < today else None


def activity_body(
    lines: Iterable[BillLine], *, days: range, key_hash: str | None, by_workspace: bool
) -> dict[str, Any]:
    """The answer of `/activity` for these days, of one key or of all; the latest day first."""
    rows: dict[tuple[int, str, str, str], _Row] = {}
    for line in lines:
        if line.day in days and key_hash in (None, line.key.hash):
            place = (line.day, line.model, line.permaslug, line.provider)
            rows.setdefault(place, _Row()).add(line)
    order = sorted(rows, key=lambda place: (-place[0], *place[1:]))
    workspace = {"workspace_id": WORKSPACE_ID} if by_workspace else {}
    return {"data": [_shown(place, rows[place]) | workspace for place in order]}


def _shown(place: tuple[int, str, str, str], row: _Row) -> dict[str, Any]:
    day, model, permaslug, provider = place
    return {
        "date": iso_day(day),
        "model": model,
        "model_permaslug": permaslug,
        "endpoint_id": endpoint_id(permaslug, provider),
        "provider_name": provider,
        "usage": float(row.usage),
        "byok_usage_inference": float(row.byok),
        "requests": row.requests,
        "prompt_tokens": row.prompt,
        "completion_tokens": row.completion,
        "reasoning_tokens": row.reasoning,
        "cached_tokens": row.cached,
    }
