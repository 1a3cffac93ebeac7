"""OpenRouter's management of keys: `/keys`, `/keys/{hash}`, and `/activity`, their bill by days.

https://openrouter.ai/docs/guides/overview/auth/management-api-keys
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from ultrai.domain.drift import Activity
from ultrai.domain.secret import Secret
from ultrai.domain.upstream_key import NewKey, UpstreamKey
from ultrai.upstream.accounts import nanos_of
from ultrai.upstream.lenient import integer, items, mapping, text
from ultrai.upstream.lookup import Lookup

_PAGE: Final = 100
_MOST_PAGES: Final = 50
_DAY: Final = len("2026-11-26")  # what follows is a time of day, always midnight


class KeyManagement:
    """Asks with a management key. Every method raises UpstreamUnavailable or CredentialsError."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def list_keys(self) -> Sequence[UpstreamKey]:
        """All keys, also disabled ones."""
        keys: list[UpstreamKey] = []
        for page in range(_MOST_PAGES):
            path = f"/keys?include_disabled=true&offset={page * _PAGE}"
            rows = items(mapping(await self._lookup.get(path)).get("data"))
            keys += [_key(mapping(row)) for row in rows]
            if len(rows) < _PAGE:
                break
        return keys

    async def create(self, wishes: Mapping[str, object]) -> NewKey:
        """Make a key: `name`, and perhaps `limit` (USD), `limit_reset`, `expires_at`."""
        answer = mapping(await self._lookup.send("POST", "/keys", wishes=wishes))
        value = text(answer.get("key"))
        if not value:
            raise self._lookup.unavailable("a key was made, and its value was not told")
        return NewKey(_key(mapping(answer.get("data"))), Secret(value))

    async def change(self, key_hash: str, wishes: Mapping[str, object]) -> UpstreamKey:
        """Change `name`, `limit`, `limit_reset` or `disabled`."""
        path = f"/keys/{quote(key_hash, safe='')}"
        return _key(
            mapping(mapping(await self._lookup.send("PATCH", path, wishes=wishes)).get("data"))
        )

    async def delete(self, key_hash: str) -> None:
        """Take a key away for good."""
        await self._lookup.send("DELETE", f"/keys/{quote(key_hash, safe='')}")

    async def activity(self, key_hash: str) -> Sequence[Activity]:
        """What a key has spent, by model, on each of the last 30 completed days (UTC)."""
        path = f"/activity?api_key_hash={quote(key_hash, safe='')}"
        rows = items(mapping(await self._lookup.get(path)).get("data"))
        return [found for row in rows if (found := _activity(mapping(row))) is not None]


def _activity(row: Mapping[str, object]) -> Activity | None:
    """A row; None for one that names no day or no amount."""
    day, usage = text(row.get("date")), nanos_of(row.get("usage"))
    if day is None or usage is None:
        return None
    model = text(row.get("model")) or text(row.get("model_permaslug")) or ""
    return Activity(day[:_DAY], model, usage, integer(row.get("requests")) or 0)


def _key(row: Mapping[str, object]) -> UpstreamKey:
    return UpstreamKey(
        hash=text(row.get("hash")) or "",
        name=text(row.get("name")) or "",
        label=text(row.get("label")),
        disabled=row.get("disabled") is True,
        limit_nanos=nanos_of(row.get("limit")),
        remaining_nanos=nanos_of(row.get("limit_remaining")),
        reset=text(row.get("limit_reset")),
        usage_nanos=nanos_of(row.get("usage")),
        expires_at=text(row.get("expires_at")),
        created_at=text(row.get("created_at")),
    )
