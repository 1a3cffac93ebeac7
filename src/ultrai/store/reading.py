"""Queries about stored Runs. They write nothing: what a dead process left is judged when read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from ultrai.domain.errors import NotFound, StoreError, UsageError
from ultrai.domain.event import Event
from ultrai.domain.fold import ReportFold
from ultrai.domain.report import Report, RunStatus, RunSummary
from ultrai.store.corrections import corrected, read_corrections
from ultrai.store.encoding import clean, decode_events
from ultrai.store.failures import damaged
from ultrai.store.tables import EVENTS, RUNS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from ultrai.store.database import Database

_NAMED_MATCHES = 5
_RUNNING = RunStatus.RUNNING.value
_DAMAGE = (msgspec.DecodeError, KeyError, IndexError, TypeError, ValueError, AttributeError)


class RunReader:
    """Reads on a connection of its own each time; any thread may call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_runs(self, *, limit: int, containing: str | None) -> Sequence[RunSummary]:
        """Newest first; `containing`: in the prompt, whatever its case."""
        query = select(RUNS).order_by(RUNS.c.created_at.desc(), RUNS.c.id.desc())
        if containing:
            wanted = clean(containing).casefold()
            query = query.where(RUNS.c.search_text.contains(wanted, autoescape=True))
        with self._database.engine.connect() as connection:
            rows = connection.execute(query.limit(max(limit, 0))).all()
            return [self._summary(connection, row) for row in rows]

    def read_events(self, run_id: str) -> Sequence[Event]:
        """All Events of the Run. Raises NotFound, UsageError (ambiguous), StoreError (damaged)."""
        with self._database.engine.connect() as connection:
            return self._events(connection, self._find(connection, run_id).id)

    def load_report(self, run_id: str) -> Report:
        """The Report as the stored Events tell it; `interrupted` if its process died."""
        with self._database.engine.connect() as connection:
            return self._report(connection, self._find(connection, run_id))

    def _find(self, connection: Connection, run_id: str) -> Row[Any, Any, Any]:
        """The row of the Run of that id, or of the only one whose id begins so."""
        wanted = clean(run_id)
        query = select(RUNS.c.id, RUNS.c.status, RUNS.c.owner)
        row = connection.execute(query.where(RUNS.c.id == wanted)).first()
        if row is not None:
            return row
        beginning = RUNS.c.id.startswith(wanted, autoescape=True)
        rows = connection.execute(
            query.where(beginning).order_by(RUNS.c.id).limit(_NAMED_MATCHES + 1)
        ).all()
        if not rows or not wanted:
            message = f"no run {run_id!r} is stored"
            raise NotFound(message, hint="`ultrai history` lists the runs.")
        if len(rows) > 1:
            names = ", ".join(each.id for each in rows[:_NAMED_MATCHES])
            more = ", …" if len(rows) > _NAMED_MATCHES else ""
            message = f"{run_id!r} begins the ids of several runs: {names}{more}"
            raise UsageError(message, hint="Give more of the id.")
        return rows[0]

    def _events(self, connection: Connection, run_id: str) -> list[Event]:
        query = select(EVENTS.c.payload).where(EVENTS.c.run_id == run_id)
        payloads = connection.execute(query.order_by(EVENTS.c.first_seq)).scalars().all()
        try:
            return [event for payload in payloads for event in decode_events(payload)]
        except _DAMAGE as error:
            raise damaged(self._database.path, run_id) from error

    def _report(self, connection: Connection, row: Row[Any, Any, Any]) -> Report:
        # The owner is looked at before the Events are read: a Run that ends in between has its
        # last Event, and then `interrupt` changes nothing.
        is_over = row.status == _RUNNING and not self._database.is_alive(row.owner)
        events = self._events(connection, row.id)
        fold = ReportFold()
        try:
            for event in events:
                fold.apply(event)
        except _DAMAGE as error:
            raise damaged(self._database.path, row.id) from error
        report = fold.interrupt() if is_over else fold.report()
        return corrected(report, read_corrections(connection, row.id))

    def _summary(self, connection: Connection, row: Row[Any, Any, Any]) -> RunSummary:
        status, cost_nanos, cost_known = row.status, row.cost_nanos, bool(row.cost_known)
        if status == _RUNNING and not self._database.is_alive(row.owner):
            status = RunStatus.INTERRUPTED
            with suppress(StoreError):  # one damaged Run must not hide the others
                report = self._report(connection, row)
                status = report.status
                cost_nanos, cost_known = report.cost_nanos, report.cost_known
        return RunSummary(
            id=row.id,
            created_at=row.created_at,
            status=RunStatus(status),
            cocktail=row.cocktail,
            cost_nanos=cost_nanos,
            prompt=row.prompt,
            cost_known=cost_known,
        )
