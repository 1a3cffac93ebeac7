"""What the ledger says of late, for alerts: indexed ranges only, however many entries there are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ultrai.domain.ledger import EntryKind
from ultrai.domain.stamp import stamp
from ultrai.policy.alerting import Spent
from ultrai.store.ledger_tables import ENTRIES, OPEN_ATTEMPTS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ultrai.store.database import Database

_POSTED = ENTRIES.c.kind.in_([EntryKind.SETTLEMENT.value, EntryKind.CORRECTION.value])
_HOUR_OF_STAMP = 13  # `2026-11-27T01`
# So much the upstream's own count may lag behind, and a Run that spans midnight may have begun.
LAG = timedelta(minutes=10)
LONGEST_RUN = timedelta(hours=1)


def read_spent(database: Database, now: datetime, *, key: str | None) -> Spent:
    """The figures, but for a usual hour's; `key` names the key in use. Raises SQLAlchemyError."""
    with database.engine.connect() as connection:
        hour_nanos = _sum(connection, stamp(now - timedelta(hours=1)))
        unsure = select(
            func.coalesce(func.sum(ENTRIES.c.unknown_delta), 0),
            func.coalesce(func.sum(ENTRIES.c.unsure_delta), 0),
        ).where(_POSTED, ENTRIES.c.began_at >= stamp(now - timedelta(days=1)))
        unknown, unsure_nanos = connection.execute(unsure).one()
        day, day_unsure, recent = _day(connection, now, key=key) if key else (0, 0, 0)
        bounds = func.coalesce(func.sum(OPEN_ATTEMPTS.c.bound_nanos), 0)
        in_flight = connection.execute(select(bounds).where(~OPEN_ATTEMPTS.c.settled)).scalar_one()
    return Spent(
        hour_nanos=hour_nanos,
        unknown=int(unknown),
        unsure_nanos=int(unsure_nanos),
        day_nanos=day,
        day_unsure_nanos=day_unsure,
        day_recent_nanos=recent,
        in_flight_nanos=int(in_flight),
    )


def first_use(connection: Connection, key: str) -> str | None:
    """The stamp of the first entry of a key; it walks over all entries, so remember it."""
    query = select(func.min(ENTRIES.c.began_at)).where(ENTRIES.c.key == key)
    found: str | None = connection.execute(query).scalar_one()
    return found


def _sum(connection: Connection, since: str) -> int:
    total = func.coalesce(func.sum(ENTRIES.c.posted_delta), 0)
    return int(connection.execute(select(total).where(ENTRIES.c.began_at >= since)).scalar_one())


def usual_hour(connection: Connection, now: datetime) -> tuple[int, int]:
    """The mean of the last week's hours in which anything was spent, and how many there were.

    It reads a week's entries, a second for a quarter of a million: remember it.
    """
    hour = func.substr(ENTRIES.c.began_at, 1, _HOUR_OF_STAMP)
    begins = stamp(now - timedelta(days=7, hours=1))
    until = stamp(now - timedelta(hours=1))
    query = (
        select(func.sum(ENTRIES.c.posted_delta))
        .where(ENTRIES.c.began_at >= begins, ENTRIES.c.began_at < until)
        .group_by(hour)
    )
    sums = [int(total) for total in connection.execute(query).scalars() if total and total > 0]
    return (sum(sums) // len(sums), len(sums)) if sums else (0, 0)


def _day(connection: Connection, now: datetime, *, key: str) -> tuple[int, int, int]:
    """Today's known and unknown nanodollars of a key, and what of the known is new."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    known = ENTRIES.c.posted_delta - ENTRIES.c.unsure_delta
    mine: list[Any] = [
        _POSTED,
        ENTRIES.c.key == key,
        ENTRIES.c.day == midnight.date().isoformat(),
        ENTRIES.c.began_at >= stamp(midnight - LONGEST_RUN),
    ]
    sums = select(
        func.coalesce(func.sum(known), 0), func.coalesce(func.sum(ENTRIES.c.unsure_delta), 0)
    ).where(*mine)
    recent = select(func.coalesce(func.sum(known), 0)).where(
        *mine, ENTRIES.c.at >= stamp(now - LAG)
    )
    total, unsure = connection.execute(sums).one()
    return int(total), int(unsure), int(connection.execute(recent).scalar_one())
