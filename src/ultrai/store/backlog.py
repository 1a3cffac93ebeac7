"""All Runs' pending Events, and which of them the next transaction takes. Pure, like `buffer`.

Steps of the ledger go with the next transaction, whatever else it holds.

What happened (an Event that is no delta) is due at once and takes with it whatever its Run said
before. Deltas wait until everything is asked for, or until one Run has `DELTA_CAP` characters.

Steps of the ledger are never given up with the Events beside them: money is not history.

What reaches the database of a Run is always an unbroken beginning of it: once Events of a Run had
to be given up, all later ones are refused too, and `take_lost` tells whoever waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from ultrai.domain.event import Event, EventType
from ultrai.policy.health import ModelHealth
from ultrai.store.buffer import Row, RunBuffer, ending_row, is_delta, run_row
from ultrai.store.orders import Order

DELTA_CAP = 4096  # characters of one Run's text that may wait
KEPT_CAP = 64 * 1024 * 1024  # bytes kept for another try while the database fails
RUN_CAP = 20_000  # Runs under way; the oldest of more were dropped by their process

_RUN_STARTED = EventType.RUN_STARTED
_REPORT = EventType.REPORT


@dataclass(slots=True)
class Batch:
    """Rows for one transaction, by statement.

    `in_doubt`: a COMMIT of it was never answered, so all of it may be in the database already.
    """

    runs: dict[str, Row] = field(default_factory=dict)
    endings: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    health: dict[str, Row] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    in_doubt: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return self.has_events or bool(self.health)

    @property
    def has_events(self) -> bool:
        """Whether there is more than Health, which may be forgotten."""
        return bool(self.events or self.runs or self.endings or self.orders)


class Backlog:
    """Takes Events of any Runs in order; gives Batches."""

    def __init__(self) -> None:
        self.batch = Batch()
        self._runs: dict[str, RunBuffer] = {}
        self._due: dict[str, RunBuffer] = {}
        self._waiting: dict[str, RunBuffer] = {}
        self._health: dict[str, ModelHealth] = {}
        self._lost = False

    @property
    def is_waiting(self) -> bool:
        """Whether something is pending that is not due yet."""
        return bool(self._waiting or self._health)

    def runs_under_way(self) -> set[str]:
        """The ids of the Runs that have begun here and not ended."""
        return set(self._runs)

    def take_event(self, event: Event) -> None:
        """Add one Event of a Run whose first Event came this way too; any other is lost."""
        run = self._runs.get(event.run_id)
        if run is None:
            if event.type is not _RUN_STARTED:
                self._lost = True
                return
            run = self._begin(event)
        if is_delta(event):
            run.take_delta(event)
            waiting = self._waiting if run.delta_chars < DELTA_CAP else self._due
            waiting[event.run_id] = run
            return
        run.take_fact(event)
        self._due[event.run_id] = run
        if event.type is _REPORT:
            self._end(event, run)

    def take_health(self, health: Mapping[str, ModelHealth]) -> None:
        """Add what has changed; the latest of each model counts."""
        self._health.update(health)

    def take_order(self, order: Order) -> None:
        """Add steps of the ledger; they are due at once."""
        self.batch.orders.append(order)

    def take_lost(self) -> bool:
        """Whether an Event was lost since this was last asked."""
        lost, self._lost = self._lost, False
        return lost

    def collect(self, *, everything: bool) -> Batch:
        """What the next transaction writes. It stays here until `written`."""
        for run_id, run in self._due.items():
            run.take_row(self.batch.events)
            self._waiting.pop(run_id, None)
        self._due.clear()
        if everything:
            for run in self._waiting.values():
                run.take_row(self.batch.events)
            self._waiting.clear()
            for model, health in self._health.items():
                row: Row = {"model_id": model, "payload": msgspec.json.encode(health)}
                self.batch.health[model] = row
            self._health.clear()
        return self.batch

    def written(self) -> None:
        """The Batch is in the database."""
        self.batch = Batch()

    def keep(self) -> list[Order]:
        """The Batch could not be written; it goes with the next, unless it has grown too large.

        Steps that somebody waits for do not: they are returned, to be refused now.
        """
        refused = [order for order in self.batch.orders if order.future is not None]
        self.batch.orders = [order for order in self.batch.orders if order.future is None]
        if sum(len(row["payload"]) for row in self.batch.events) > KEPT_CAP:
            self.abandon()
        return refused

    def abandon(self) -> None:
        """Give up the Events that are pending and every Run under way; money stays."""
        self.batch = Batch(orders=self.batch.orders)
        self._runs.clear()
        self._due.clear()
        self._waiting.clear()
        self._lost = True

    def _begin(self, event: Event) -> RunBuffer:
        while len(self._runs) >= RUN_CAP:
            del self._runs[next(iter(self._runs))]
        run = self._runs[event.run_id] = RunBuffer(event.run_id)
        self.batch.runs[event.run_id] = run_row(event)
        return run

    def _end(self, event: Event, run: RunBuffer) -> None:
        del self._runs[event.run_id]
        ending = ending_row(event, run)
        unwritten = self.batch.runs.get(event.run_id)
        if unwritten is None:
            self.batch.endings.append(ending)
            return
        for name, value in ending.items():
            if name.startswith("new_"):
                unwritten[name.removeprefix("new_")] = value
