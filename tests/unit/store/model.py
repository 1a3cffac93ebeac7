"""An engine of a few lines, which keeps its own books and obeys the ledger."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ultrai.domain.budget import Payer
from ultrai.domain.ledger import (
    Close,
    Correct,
    Grant,
    Place,
    Release,
    Reserve,
    Settle,
    SlotHold,
    Start,
    Step,
)
from ultrai.domain.outcome import Cost, CostState
from ultrai.store.database import Database

AT = "2026-11-26T12:00:00.000Z"


@dataclass
class _Run:
    holds: dict[int, int] = field(default_factory=dict)
    open: dict[int, tuple[Place, int]] = field(default_factory=dict)  # by slot, with its bound
    attempts: int = 0


class Model:
    """`act` does one thing that an engine may do; `sums` are posted, held and unknown."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._runs: dict[str, _Run] = {}
        self._uncertain: dict[tuple[str, int], tuple[Place, int]] = {}
        self._posted = self._unknown = self._names = 0

    def sums(self) -> tuple[int, int, int]:
        held = sum(sum(run.holds.values()) for run in self._runs.values())
        return self._posted, held, self._unknown

    def act(self, action: object, *details: Any) -> None:
        getattr(self, f"_{action}")(*details)

    def _do(self, *steps: Step) -> Any:
        return asyncio.run(self._database.writer.carry_out(steps))[-1]

    def _reserve(self, name: str, first: int, second: int) -> None:
        if name in self._runs:
            return
        run_id = f"{name}-{self._names}"
        self._names += 1
        slots = (SlotHold(0, first, first // 2), SlotHold(1, second, second // 2))
        granted = self._do(Reserve(Payer(run_id, AT), slots))
        if isinstance(granted, Grant):
            self._runs[name] = _Run(dict(granted.holds))
            self._ids = {**getattr(self, "_ids", {}), name: run_id}

    def _start(self, name: str, slot: int, top_up: int) -> None:
        run = self._runs.get(name)
        if run is None or slot in run.open:
            return
        run.attempts += 1
        place = Place(self._ids[name], slot, run.attempts)
        bound = run.holds[slot] + top_up
        granted = self._do(Start(place, AT, "a/b", "openrouter", bound, top_up))
        if isinstance(granted, Grant):
            run.holds[slot] = bound
            run.open[slot] = (place, bound)

    def _settle(self, name: str, slot: int, cost: int) -> None:
        run = self._runs.get(name)
        if run is None or slot not in run.open:
            return
        place, bound = run.open.pop(slot)
        unknown = cost % 3 == 0
        posted = bound if unknown else min(cost, bound)
        state = CostState.ESTIMATED if unknown else CostState.REPORTED
        step = Settle(place, AT, "failure", Cost(posted, state), posted, posted)
        self._do(step, step)  # whatever is said twice counts once
        run.holds[slot] -= posted
        self._posted += posted
        if unknown:
            self._unknown += 1
            self._uncertain[name, slot] = place, posted

    def _release(self, name: str, slot: int) -> None:
        run = self._runs.get(name)
        if run is not None and slot not in run.open:
            self._do(Release(self._ids[name], slot, AT, run.holds[slot] if slot else None))
            run.holds[slot] = 0

    def _close(self, name: str) -> None:
        run = self._runs.get(name)
        if run is not None and not run.open:
            self._do(Close(self._ids[name], AT))
            del self._runs[name]

    def _correct(self, name: str, slot: int, cost: int) -> None:
        found = self._uncertain.pop((name, slot), None)
        if found is None:
            return
        place, posted = found
        cost = min(cost, posted)
        self._do(Correct(place, AT, Cost(cost, CostState.RECONCILED)))
        self._posted += cost - posted
        self._unknown -= 1

    def _die(self) -> None:
        """Everybody who is under way dies at once, and somebody else winds it up."""
        self._database.writer._committer._owner.release()
        self._database.writer._committer._teller.forget()
        self._database.wind_up(AT)
        for run in self._runs.values():
            for _, bound in run.open.values():
                self._posted += bound
                self._unknown += 1
        self._runs.clear()
