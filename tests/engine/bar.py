"""A bar for engine tests: models, a desk on fakes, one call that runs an Ask on virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ultrai.domain.ask import Ask
from ultrai.domain.catalog import Model, Prices, Rates
from ultrai.domain.cocktail import Cocktail, CocktailBook, Slot
from ultrai.domain.event import Event
from ultrai.domain.outcome import Failure, FailureKind, Phase
from ultrai.domain.query import Message
from ultrai.domain.report import Report
from ultrai.engine.attempt import Rooms
from ultrai.engine.desk import Desk, Records
from ultrai.engine.gate import Gate
from ultrai.engine.handle import RunHandle
from ultrai.engine.house import House
from ultrai.engine.listings import Listings
from ultrai.engine.quota import FreeQuota
from ultrai.engine.recall import Recall
from ultrai.engine.tuning import Tuning
from ultrai.engine.wellbeing import HealthBook, RetryBudget
from ultrai.policy.corrections import Corrections
from ultrai.policy.succession import Successions
from ultrai.testing import (
    FixedClock,
    MemoryCache,
    MemoryHistory,
    MemoryLedger,
    Script,
    ScriptedUpstream,
    run_in_virtual_time,
)

PROMPT = (Message("user", "ping"),)


def model(model_id: str, *, price: str = "0.000001", window: int = 100_000) -> Model:
    rate = Decimal(price)
    return Model(
        id=model_id,
        name=model_id,
        upstream="openrouter",
        context_length=window,
        max_completion_tokens=8000,
        prices=Prices(Rates(prompt=rate, completion=rate)),
        supported_parameters=frozenset({"max_tokens", "temperature", "seed"}),
    )


def failure(kind: FailureKind, status: int | None = 500, **more: object) -> Failure:
    return replace(Failure(kind, f"it was {kind.value}", status=status), **more)  # type: ignore[arg-type]


def broken(kind: FailureKind, status: int | None = 500, **more: object) -> Script:
    return Script(failure=failure(kind, status, **more))


def cut() -> Script:
    return Script(
        text="half an",
        first_s=0.1,
        failure=Failure(FailureKind.CUT_STREAM, "cut", Phase.MID_STREAM),
    )


@dataclass
class Bar:
    """Everything one test needs; change a field, then `ask`."""

    scripts: Mapping[str, Sequence[Script]] = field(default_factory=dict)
    models: Sequence[Model] | None = None
    cocktails: Sequence[Cocktail] = ()
    tuning: Tuning = field(default_factory=Tuning)
    successions: Successions = field(default_factory=Successions)
    corrections: Corrections = field(default_factory=Corrections)
    upstream: ScriptedUpstream = field(init=False)
    history: MemoryHistory = field(init=False)
    health: HealthBook = field(default_factory=HealthBook)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    cache: MemoryCache | None = None
    ttl_s: float = 3600.0
    keyless: Mapping[str, str] | None = None
    seed: int = 7

    def __post_init__(self) -> None:
        ids = {slot for cocktail in self.cocktails for s in cocktail.slots for slot in s.candidates}
        listed = self.models
        if listed is None:
            listed = [model(each) for each in sorted(ids | set(self.scripts))]
        self.upstream = ScriptedUpstream(dict(self.scripts), models=listed)
        self.history = MemoryHistory()

    def desk(self) -> Desk:
        clock = FixedClock()
        recall = None
        if self.cache is not None:
            recall = Recall(self.cache, ttl_s=self.ttl_s, clock=clock)
        rooms = Rooms(
            gate=Gate(
                concurrency=self.tuning.concurrency,
                queue_limit=self.tuning.queue_limit,
                paces=self.tuning.paces,
            ),
            health=self.health,
            retries=RetryBudget(),
            upstreams=lambda _: self.upstream,
            tuning=self.tuning,
            clock=clock,
            chance=random.Random(self.seed).random,
            quota=FreeQuota(self.upstream, clock),
            ledger=self.ledger,
            recall=recall,
        )
        house = House(
            book=CocktailBook(tuple(self.cocktails)),
            corrections=self.corrections,
            successions=self.successions,
            upstream_of=lambda m: "local" if m.startswith("local/") else "openrouter",
            default_cocktail="auto",
            keyless=self.keyless,
        )
        listings = Listings({"openrouter": self.upstream}, None, clock=clock)
        return Desk(house, rooms, listings=listings, records=Records(self.history))

    def ask(self, ask: Ask) -> Report:
        return run_in_virtual_time(self.desk().ask(_with_prompt(ask)))

    def asks(self, *asks: Ask) -> list[Report]:
        """Several Asks, one after another, in the same process."""

        async def all_of_them() -> list[Report]:
            desk = self.desk()
            return [await desk.ask(_with_prompt(each)) for each in asks]

        return run_in_virtual_time(all_of_them())

    def watch(
        self, ask: Ask, act: Callable[[RunHandle, Event], None] = lambda *_: None
    ) -> tuple[Report, list[Event]]:
        """Run with a reader; `act` may stop or cancel the Run at any Event."""

        async def watching() -> tuple[Report, list[Event]]:
            handle = await self.desk().start(_with_prompt(ask))
            events = []
            async for event in handle.events():
                events.append(event)
                act(handle, event)
            return await handle.report(), events

        return run_in_virtual_time(watching())


def cocktail(name: str, *slots: Sequence[str], quorum: int | None = None) -> Cocktail:
    return Cocktail(name, tuple(Slot(first, tuple(rest)) for first, *rest in slots), quorum=quorum)


def codes(report: Report) -> list[str]:
    return [notice.code.value for notice in report.notices]


def kinds(report: Report, slot: int = 0) -> list[str]:
    return [a.failure.kind.value for a in report.slots[slot].attempts if a.failure]


def _with_prompt(ask: Ask) -> Ask:
    return ask if ask.messages else replace(ask, messages=PROMPT)
