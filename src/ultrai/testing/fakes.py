"""Fakes of the engine's ports: what they do is what a test tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ultrai.domain.attempt import Account, AttemptRequest
from ultrai.domain.budget import Budget, BudgetState, Payer, Period, Scope
from ultrai.domain.catalog import Endpoint, Model
from ultrai.domain.errors import NotFound, UpstreamUnavailable
from ultrai.domain.event import Event
from ultrai.domain.fold import ReportFold
from ultrai.domain.generation import Generation
from ultrai.domain.kept import Claim, KeptAnswer
from ultrai.domain.ledger import (
    Grant,
    OpenAttempt,
    RefusalReason,
    Release,
    Reserve,
    Settle,
    Shortage,
    Start,
    Step,
)
from ultrai.domain.outcome import Answer, Failure, Received, Usage
from ultrai.domain.report import RunSummary
from ultrai.engine.ports import Observer


@dataclass(frozen=True, slots=True)
class Script:
    """What one Attempt does: waits `head_s`, then `first_s`, speaks `text`, ends.

    With `failure`, the Attempt fails after what was spoken. `gap_s` lies between the words.
    """

    text: str = "pong"
    failure: Failure | None = None
    head_s: float = 0.0
    first_s: float = 0.0
    gap_s: float = 0.0
    finish_reason: str = "stop"
    cost_raw: str | None = "0.000001"
    usage: Usage = field(default_factory=lambda: Usage(10, 5, 0, 0))
    sent: bool = True


class ScriptedUpstream:
    """Fits `Upstream`. Scripts are taken per model in order, the last one for ever."""

    def __init__(
        self,
        scripts: dict[str, Sequence[Script]] | None = None,
        *,
        models: Sequence[Model] | None = None,
        name: str = "openrouter",
    ) -> None:
        self._scripts = {model: list(steps) for model, steps in (scripts or {}).items()}
        self._models = models
        self._name = name
        self.requests: list[AttemptRequest] = []
        self.times_s: list[float] = []
        self.account: Account | None = None
        self.endpoints: Sequence[Endpoint] = ()
        self.generations: dict[str, Generation] = {}
        self.active = 0
        self.most_active = 0

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    async def send(self, request: AttemptRequest, observer: Observer) -> Received:
        """Do what the next script of this model says."""
        self.requests.append(request)
        self.times_s.append(asyncio.get_running_loop().time())
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            return await self._perform(self._next(request.model), request, observer=observer)
        finally:
            self.active -= 1

    async def list_models(self) -> Sequence[Model]:
        """The models given; none given: unavailable."""
        if self._models is None:
            message = "the catalogue cannot be read"
            raise UpstreamUnavailable(message)
        return self._models

    async def list_endpoints(self, model_id: str) -> Sequence[Endpoint]:
        """The endpoints set, the same for every model."""
        del model_id
        return self.endpoints

    async def read_generation(self, generation_id: str) -> Generation | None:
        """The record set for that id, if any."""
        return self.generations.get(generation_id)

    async def read_account(self) -> Account | None:
        """The account set."""
        return self.account

    def asked(self) -> list[str]:
        """The models in the order in which they were asked."""
        return [request.model for request in self.requests]

    def _next(self, model: str) -> Script:
        steps = self._scripts.get(model)
        if not steps:
            return Script(text=f"answer of {model}")
        return steps.pop(0) if len(steps) > 1 else steps[0]

    async def _perform(
        self, script: Script, request: AttemptRequest, *, observer: Observer
    ) -> Received:
        await asyncio.sleep(script.head_s)
        spoken = script.text if script.failure is None or script.first_s else ""
        generation = f"gen-{len(self.requests)}"
        if spoken:
            observer.head_arrived(generation)
            await asyncio.sleep(script.first_s)
            for word in _words(spoken):
                observer.delta_arrived(word, "")
                await asyncio.sleep(script.gap_s)
        if script.failure is not None:
            return Received(
                failure=script.failure,
                usage=Usage(),
                sent=script.sent,
                generation_id=generation if spoken else None,
                streamed=bool(spoken),
            )
        answer = Answer(
            text=script.text,
            finish_reason=script.finish_reason,
            truncated=script.finish_reason == "length",
            generation_id=generation,
            model=request.model,
            provider="Scripted",
        )
        return Received(
            answer=answer,
            usage=script.usage,
            cost_raw=script.cost_raw,
            generation_id=generation,
            streamed=True,
        )


class FixedClock:
    """Fits `Clock`: a date that moves with the loop's time, or stands still without a loop."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._began_s: float | None = None

    def now(self) -> datetime:
        """The start plus what the loop has run since the first look."""
        try:
            loop_s = asyncio.get_running_loop().time()
        except RuntimeError:
            return self._start
        if self._began_s is None:
            self._began_s = loop_s
        return self._start + timedelta(seconds=loop_s - self._began_s)


class MemoryHistory:
    """Fits `RunHistory`; keeps every Event."""

    def __init__(self, *, on_flush: Callable[[], None] | None = None) -> None:
        self.events: list[Event] = []
        self.flushed = 0
        self._on_flush = on_flush

    def append(self, events: Iterable[Event]) -> None:
        """Keep them."""
        self.events.extend(events)

    async def flush(self) -> None:
        """All is kept already."""
        if self._on_flush is not None:
            self._on_flush()
        self.flushed = len(self.events)

    async def list_runs(self, *, limit: int, containing: str | None = None) -> Sequence[RunSummary]:
        """Newest first."""
        found = []
        for run_id in dict.fromkeys(event.run_id for event in reversed(self.events)):
            report = self._fold(run_id).report()
            prompt = str(report.query)
            if containing is None or containing in prompt:
                found.append(
                    RunSummary(
                        id=report.id,
                        created_at=report.created_at,
                        status=report.status,
                        cocktail=report.cocktail,
                        cost_nanos=report.cost_nanos,
                        prompt=prompt,
                        cost_known=report.cost_known,
                    )
                )
        return found[:limit]

    async def read_events(self, run_id: str) -> Sequence[Event]:
        """All Events of the Run."""
        events = [event for event in self.events if event.run_id.startswith(run_id)]
        if not events:
            message = f"there is no run {run_id}"
            raise NotFound(message)
        return events

    def _fold(self, run_id: str) -> ReportFold:
        fold = ReportFold()
        for event in self.events:
            if event.run_id == run_id:
                fold.apply(event)
        return fold


class MemoryLedger:
    """Fits `Ledger`; grants everything up to `limit_nanos`, and keeps every step."""

    def __init__(self, limit_nanos: int | None = None) -> None:
        self.steps: list[Step] = []
        self.limit_nanos = limit_nanos
        self.held_nanos = 0
        self.posted_nanos = 0

    async def reserve(self, step: Reserve) -> Grant | Shortage:
        """Hold what fits."""
        amounts = {slot.slot: slot.wanted_nanos or 0 for slot in step.slots}
        if self._shortage(sum(amounts.values())) is not None:
            amounts = {slot.slot: slot.least_nanos or 0 for slot in step.slots}
        shortage = self._shortage(sum(amounts.values()))
        if shortage is not None:
            return shortage
        self.steps.append(step)
        self.held_nanos += sum(amounts.values())
        return Grant(amounts, capped=self.limit_nanos is not None)

    async def start(self, step: Start) -> Grant | Shortage | None:
        """Hold the top-up, if it fits."""
        shortage = self._shortage(step.top_up_nanos)
        if shortage is not None:
            return shortage
        self.steps.append(step)
        self.held_nanos += step.top_up_nanos
        capped = self.limit_nanos is not None
        return Grant({step.place.slot: step.top_up_nanos}, capped=capped)

    def post(self, *steps: Step) -> None:
        """Keep them."""
        self.steps.extend(steps)
        for step in steps:
            if isinstance(step, Settle):
                self.held_nanos -= step.held_nanos
                self.posted_nanos += step.posted_nanos
            elif isinstance(step, Release):
                self.held_nanos -= step.held_nanos or 0

    async def open_attempts(self) -> Sequence[OpenAttempt]:
        """Nothing is kept open."""
        return ()

    async def guards(self, payer: Payer) -> Sequence[Budget]:
        """The one Budget there may be."""
        del payer
        return [] if self.limit_nanos is None else [self._budget(self.limit_nanos)]

    async def standing(self, payer: Payer) -> Sequence[BudgetState]:
        """The same, as it stands."""
        return [
            BudgetState(budget, self.posted_nanos, self.held_nanos, 0, "")
            for budget in await self.guards(payer)
        ]

    def _shortage(self, nanos: int) -> Shortage | None:
        if self.limit_nanos is None:
            return None
        left = max(0, self.limit_nanos - self.held_nanos - self.posted_nanos)
        if nanos <= left:
            return None
        budget = self._budget(self.limit_nanos)
        used = self.held_nanos + self.posted_nanos
        return Shortage(budget, RefusalReason.SPENT, nanos, left, used)

    def _budget(self, limit_nanos: int) -> Budget:
        return Budget("all", Scope.GLOBAL, "", Period.TOTAL, limit_nanos)


class MemoryCache:
    """Fits `AnswerCache`; keeps everything. `problem` is told once.

    Several may share what they keep and claim: give one the `kept` and `claimed` of another.
    """

    def __init__(
        self, kept: dict[str, KeptAnswer] | None = None, claimed: set[str] | None = None
    ) -> None:
        self.claimed: set[str] = set() if claimed is None else claimed
        self._own: set[str] = set()
        self.kept: dict[str, KeptAnswer] = {} if kept is None else kept
        self.problem: str | None = None
        self.looked_for: list[str] = []

    async def find(self, keys: Sequence[str]) -> Mapping[str, KeptAnswer]:
        """Those there are."""
        self.looked_for.extend(keys)
        await asyncio.sleep(0)
        return {key: self.kept[key] for key in keys if key in self.kept}

    def keep(self, key: str, kept: KeptAnswer) -> None:
        """Keep it."""
        self.kept[key] = kept

    async def claim(self, key: str) -> Claim:
        """Claim it, if nobody has."""
        await asyncio.sleep(0)
        if key in self.claimed:
            return Claim(is_ours=False, kept=self.kept.get(key))
        self.claimed.add(key)
        self._own.add(key)
        return Claim(is_ours=True, kept=self.kept.get(key))

    def release(self, key: str, kept: KeptAnswer | None) -> None:
        """Give it back."""
        if kept is not None:
            self.kept[key] = kept
        if key in self._own:
            self._own.remove(key)
            self.claimed.remove(key)

    def take_problem(self) -> str | None:
        """The problem set, once."""
        problem, self.problem = self.problem, None
        return problem


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]
