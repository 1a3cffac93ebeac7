"""RunHistory over the database: Runs are stored as their Events happen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ultrai.store.reading import RunReader

if TYPE_CHECKING:
    from ultrai.domain.event import Event
    from ultrai.domain.report import Report, RunSummary
    from ultrai.store.database import Database


class SqlHistory:
    """Fits `engine.ports.RunHistory`. The Database is closed by whoever opened it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader = RunReader(database)

    def append(self, events: Sequence[Event]) -> None:
        """Queue Events of one Run, in order; returns at once and never raises."""
        self._database.writer.append(events)

    async def flush(self) -> None:
        """Return when everything appended so far is committed. Raises StoreError."""
        await self._database.writer.flush()

    async def list_runs(self, *, limit: int, containing: str | None = None) -> Sequence[RunSummary]:
        """Newest first; `containing` is looked for in the prompt, whatever its case.

        A Run whose process died reads `interrupted`. Raises StoreError.
        """
        query = partial(self._reader.list_runs, limit=limit, containing=containing)
        return await self._database.read(query)

    async def read_events(self, run_id: str) -> Sequence[Event]:
        """All Events of the Run in order; a unique beginning of its id will do.

        Deltas come merged (fact `merged`), and those that an Answer repeats may be absent. Raises
        NotFound, UsageError for an ambiguous beginning, StoreError.
        """
        return await self._database.read(partial(self._reader.read_events, run_id))

    async def load_report(self, run_id: str) -> Report:
        """The Report that the stored Events amount to; errors as `read_events`."""
        return await self._database.read(partial(self._reader.load_report, run_id))
