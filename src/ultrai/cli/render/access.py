"""Access keys for people: a table."""

from __future__ import annotations

from collections.abc import Sequence

from ultrai.cli.render.palette import Style
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import UNCUT, Cell, Column, Line, lay_out
from ultrai.domain.access import AccessKey


def access_table(keys: Sequence[AccessKey], *, now: str, width: int | None) -> list[Line]:
    """One line for each key."""
    columns = (
        Column("key", least=UNCUT),
        Column("name", flexible=True, least=8),
        Column("state", rank=1),
        Column("for", rank=2),
        Column("models", rank=3, flexible=True, least=8),
        Column("rate", "right", rank=4),
    )
    rows = [
        [
            Cell(key.id),
            Cell(one_line(key.name)),
            _state(key, now),
            Cell(", ".join(key.scopes)),
            Cell(one_line(", ".join(key.models) or "all")),
            Cell("" if key.per_minute is None else f"{key.per_minute}/min"),
        ]
        for key in keys
    ]
    return lay_out(columns, rows, width=width, header=True)


def _state(key: AccessKey, now: str) -> Cell:
    if key.revoked_at is not None:
        return Cell("revoked", Style.DIM)
    if not key.is_valid(now):
        return Cell("expired", Style.DIM)
    return Cell("valid" if key.expires_at is None else f"until {key.expires_at[:10]}")
