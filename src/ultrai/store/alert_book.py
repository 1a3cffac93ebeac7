"""What was told, and what is on its way: shared by all processes, so that nobody is told twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import delete, insert, select, update

from ultrai.domain.alert import Alert, Mark, Parcel, Standing
from ultrai.domain.stamp import stamp
from ultrai.policy.alerting import MOST_TRIES, Readings, crossings, next_try
from ultrai.store.alert_tables import MARKS, MOMENTS, PARCELS
from ultrai.store.budget_book import BudgetBook
from ultrai.store.spending_pace import first_use, read_spent, usual_hour

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row

    from ultrai.store.database import Database

_LOCK = 0x756C7474  # any number that nobody else uses
_LONGEST_PROBLEM = 300
_MOST_AT_ONCE = 100
_USUAL = "usual hour"
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class SqlAlertBook:
    """Fits `engine.ports.AlertBook`. Every method raises StoreError.

    `scope` is the profile; `key` the fingerprint of the key in use.
    """

    database: Database
    scope: str
    key: str | None = None

    async def read(self, now: datetime, *, spending: bool) -> Readings:
        """Budgets, and with `spending` what was spent, once everything queued is committed."""
        await self.database.writer.flush()
        return await self.database.read(lambda: self._read(now, spending=spending))

    async def raise_alerts(
        self, found: Sequence[Standing], now: datetime, *, sinks: Sequence[str]
    ) -> list[Alert]:
        """Mark what has crossed, queue its Alerts for every sink, and return those."""
        return await self._transact(lambda c: self._raise(c, found, now=stamp(now), sinks=sinks))

    async def marks(self) -> dict[str, Mark]:
        """What was told, by key."""
        return await self._transact(self._marks)

    async def claim(self, now: datetime, *, sinks: Sequence[str]) -> list[Parcel]:
        """What is due for these sinks; `tries` counts this one.

        Nobody else gets it before its next try is due, also where this process dies over it.
        """
        return await self._transact(lambda c: self._claim(c, now, sinks=sinks))

    async def delivered(self, parcel: Parcel) -> None:
        """It has arrived."""
        await self._transact(lambda c: c.execute(delete(PARCELS).where(*self._is(parcel))))

    async def failed(self, parcel: Parcel, problem: str) -> bool:
        """It has not: it stays for a later try. False: it is given up."""
        if parcel.tries >= MOST_TRIES:
            await self.delivered(parcel)
            return False
        change = update(PARCELS).where(*self._is(parcel))
        told = change.values(problem=problem[:_LONGEST_PROBLEM])
        await self._transact(lambda c: c.execute(told))
        return True

    async def waiting(self) -> list[tuple[Parcel, str]]:
        """What has not been delivered yet, each with what went wrong last."""
        return await self._transact(self._waiting)

    async def is_time(self, name: str, now: datetime, *, every: timedelta) -> bool:
        """Whether nobody has done this for so long; then we are taken to do it now."""
        of_key = f"{name} for {self.scope} {self.key}"
        return await self._transact(lambda c: self._is_time(c, of_key, now=now, every=every))

    async def _transact(self, work: Callable[[Connection], _Result]) -> _Result:
        def whole() -> _Result:
            with self._transaction() as connection:
                return work(connection)

        return await self.database.read(whole)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction that no other process's overlaps."""
        engine = self.database.engine
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection
            connection.commit()

    def _read(self, now: datetime, *, spending: bool) -> Readings:
        budgets = BudgetBook(self.database).states(now)
        spent = None
        if spending:
            spent = read_spent(self.database, now, key=self.key)
            usual_nanos, hours = self._usual_hour(now)
            spent = replace(spent, usual_nanos=usual_nanos, hours=hours)
            if self.key is not None:
                spent = replace(spent, key_since=self._first_use(self.key))
        return Readings(budgets=budgets, spent=spent, fingerprint=self.key)

    def _usual_hour(self, now: datetime) -> tuple[int, int]:
        """Read once in every hour, for all processes."""
        hour = stamp(now.replace(minute=0, second=0, microsecond=0))
        with self._transaction() as connection:
            query = select(MOMENTS.c.found).where(MOMENTS.c.name == _USUAL, MOMENTS.c.at == hour)
            found: str | None = connection.execute(query).scalar()
        if found is not None:
            nanos, hours = found.split()
            return int(nanos), int(hours)
        with self.database.engine.connect() as reading:  # nobody else has to wait for that
            usual_nanos, count = usual_hour(reading, now)
        with self._transaction() as connection:
            connection.execute(delete(MOMENTS).where(MOMENTS.c.name == _USUAL))
            row = {"name": _USUAL, "at": hour, "found": f"{usual_nanos} {count}"}
            connection.execute(insert(MOMENTS).values(**row))
        return usual_nanos, count

    def _first_use(self, key: str) -> str | None:
        name = f"first use of {key}"
        with self._transaction() as connection:
            known: str | None = connection.execute(
                select(MOMENTS.c.at).where(MOMENTS.c.name == name)
            ).scalar()
            if known is None:
                known = first_use(connection, key)
                if known is not None:
                    connection.execute(insert(MOMENTS).values(name=name, at=known))
        return known

    def _raise(
        self, connection: Connection, found: Sequence[Standing], *, now: str, sinks: Sequence[str]
    ) -> list[Alert]:
        marks = self._marks(connection)
        alerts, changed = crossings(found, marks, now=now, scope=self.scope)
        here = {standing.key for standing in found}
        # A Budget that is no more takes its Mark with it: one of the same name is another one.
        gone = [key for key in marks if key.startswith("budget") and key not in here]
        for key in [*gone, *(mark.key for mark in changed)]:
            connection.execute(delete(MARKS).where(MARKS.c.scope == self.scope, MARKS.c.key == key))
        for mark in changed:
            row = {"key": mark.key, "epoch": mark.epoch, "level": mark.level, "since": mark.since}
            connection.execute(insert(MARKS).values(scope=self.scope, **row))
        for alert in alerts:
            payload = msgspec.json.encode(alert).decode()
            for sink in sinks:
                row = {"alert_id": alert.id, "sink": sink, "payload": payload, "next_try_at": now}
                connection.execute(
                    insert(PARCELS).values(scope=self.scope, tries=0, problem="", **row)
                )
        return alerts

    def _marks(self, connection: Connection) -> dict[str, Mark]:
        rows = connection.execute(select(MARKS).where(MARKS.c.scope == self.scope)).all()
        return {row.key: Mark(row.key, row.epoch, row.level, row.since) for row in rows}

    def _claim(
        self, connection: Connection, now: datetime, *, sinks: Sequence[str]
    ) -> list[Parcel]:
        query = (
            select(PARCELS)
            .where(PARCELS.c.scope == self.scope, PARCELS.c.sink.in_(sinks))
            .where(PARCELS.c.next_try_at <= stamp(now))
            .order_by(PARCELS.c.next_try_at, PARCELS.c.alert_id)
            .limit(_MOST_AT_ONCE)
        )
        claimed = []
        for row in connection.execute(query):
            parcel = replace(_parcel(row), tries=row.tries + 1)
            later = {"tries": parcel.tries, "next_try_at": next_try(parcel.tries, now)}
            connection.execute(update(PARCELS).where(*self._is(parcel)).values(**later))
            claimed.append(parcel)
        return claimed

    def _waiting(self, connection: Connection) -> list[tuple[Parcel, str]]:
        query = select(PARCELS).where(PARCELS.c.scope == self.scope)
        rows = connection.execute(query.order_by(PARCELS.c.alert_id, PARCELS.c.sink)).all()
        return [(_parcel(row), row.problem) for row in rows]

    def _is_time(
        self, connection: Connection, name: str, *, now: datetime, every: timedelta
    ) -> bool:
        query = select(MOMENTS.c.at).where(MOMENTS.c.name == name)
        last: str | None = connection.execute(query).scalar()
        if last is not None and stamp(now - every) < last <= stamp(now):
            return False
        connection.execute(delete(MOMENTS).where(MOMENTS.c.name == name))
        connection.execute(insert(MOMENTS).values(name=name, at=stamp(now)))
        return True

    def _is(self, parcel: Parcel) -> list[ColumnElement[bool]]:
        return [PARCELS.c.alert_id == parcel.alert.id, PARCELS.c.sink == parcel.sink]


def _parcel(row: Row[Any]) -> Parcel:
    return Parcel(msgspec.json.decode(row.payload, type=Alert), row.sink, row.tries)
