"""Looks at all models of all cocktails: readiness, probes, and the doctor's findings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ultrai.domain.ask import Ask
from ultrai.domain.catalog import Model
from ultrai.domain.cocktail import CocktailBook
from ultrai.domain.errors import UsageError
from ultrai.domain.outcome import NOT_BILLED
from ultrai.domain.overview import Finding, ProbeResult, Problem, ReadinessRow, TokenRow
from ultrai.domain.plan import NotReadyReason, PlannedCandidate
from ultrai.domain.query import Limits, Message, Query, Sampling
from ultrai.domain.report import Report
from ultrai.engine.context import Contexts
from ultrai.engine.desk import Desk
from ultrai.engine.planning import plan_run
from ultrai.engine.resolving import recipe_of_cocktail
from ultrai.engine.token_rows import token_rows
from ultrai.engine.tuning import Tuning
from ultrai.engine.world import World, find_model
from ultrai.policy.checkup import Patient, Reference, examine
from ultrai.policy.corrections import Corrections
from ultrai.policy.health import percentile
from ultrai.policy.lineup import next_turn

_MILLION = 1_000_000
_NOT_LISTED = NotReadyReason.NOT_LISTED
PROBE_PROMPT = "Say ok."
_PROBE_DEADLINE_S = 60.0
_SMALL_QUERY = Query((Message("user", PROBE_PROMPT),), Sampling(max_tokens=1))


@dataclass(frozen=True, slots=True)
class Seat:
    """One id of the cocktails, who names it, and the Candidate that planning made of it."""

    written: str
    cocktails: tuple[str, ...]
    candidate: PlannedCandidate


class Overview:
    """Looks, and asks only where it is told to probe."""

    def __init__(
        self, desk: Desk, book: CocktailBook, *, corrections: Corrections, tuning: Tuning
    ) -> None:
        self._desk = desk
        self._book = book
        self._corrections = corrections
        self._tuning = tuning

    async def readiness(self, *, refresh: bool = False) -> Sequence[ReadinessRow]:
        """One row per id, in the order of the cocktails."""
        seats, world = await self._seats(refresh=refresh)
        return tuple(_row(seat, world) for seat in seats)

    async def diagnose(self, references: Mapping[str, Reference]) -> Sequence[Finding]:
        """The doctor's findings against the live catalogue."""
        seats, world = await self._seats(refresh=True)
        known: list[Seat] = []
        unknown: list[Seat] = []
        for seat in seats:
            upstream = world.upstream_of(seat.written)
            (known if world.catalog.knows(upstream) else unknown).append(seat)
        findings = examine(
            [
                Patient(
                    seat.written,
                    seat.cocktails,
                    successor=_heir(seat),
                    is_local=seat.candidate.upstream in world.local,
                )
                for seat in known
            ],
            today=world.now.date(),
            references=references,
            find_model=lambda model_id: find_model(world.catalog, model_id),
        )
        return (*findings, *(_unchecked(seat, world) for seat in unknown))

    async def tokens(
        self, texts: Sequence[str], model_ids: Sequence[str] = ()
    ) -> Sequence[TokenRow]:
        """What each model would make of the texts; of no model, the cocktails' primaries.

        Raises UsageError for a model that does not exist.
        """
        if model_ids:
            plan = await self._desk.plan(
                Ask(messages=_SMALL_QUERY.messages, models=tuple(model_ids))
            )
            models = [slot.candidates[0].model for slot in plan.slots]
            world = await self._desk.world(models)
        else:
            seats, world = await self._seats(refresh=False)
            first = {slot.primary for cocktail in self._book for slot in cocktail.slots}
            models = [seat.candidate.model for seat in seats if seat.written in first]
        return token_rows(texts, tuple(dict.fromkeys(models)), world=world)

    async def probe_cost(self, model_ids: Sequence[str]) -> int | None:
        """The most that one request to each can cost, in nanodollars; None: not known.

        A model whose circuit is open is asked too where its Slot has nobody else; an id that nobody
        knows is not asked.
        """
        total = 0
        for model_id in model_ids:
            try:
                plan = await self._desk.plan(_probe_of(model_id))
            except UsageError:
                continue
            for slot in plan.slots:
                turn = next_turn(slot.candidates, asked=(), taken=())
                bound = 0 if turn is None else turn.candidate.bound_nanos
                if bound is None:
                    return None
                total += bound
        return total

    async def probe(self, model_ids: Sequence[str]) -> AsyncIterator[ProbeResult]:
        """Ask each model for one token, all at once; results as they come.

        An id that cannot be asked has a result that says so.
        """
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._probe(model_id)) for model_id in model_ids]
        try:
            for next_one in asyncio.as_completed(tasks):
                yield await next_one
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _probe(self, model_id: str) -> ProbeResult:
        try:
            return _probed(await self._desk.ask(_probe_of(model_id), stored=False))
        except UsageError as error:
            return ProbeResult(
                model=model_id, ok=False, message=str(error), first_token_ms=None, cost=NOT_BILLED
            )

    async def _seats(self, *, refresh: bool) -> tuple[Sequence[Seat], World]:
        ids = [model for cocktail in self._book for model in cocktail.model_ids]
        world = await self._desk.world(ids, refresh=refresh)
        named: dict[str, list[str]] = {}
        candidates: dict[str, PlannedCandidate] = {}
        for cocktail in self._book:
            recipe = recipe_of_cocktail(cocktail, self._corrections)
            plan = plan_run(
                recipe,
                Contexts(_SMALL_QUERY),
                limits=Limits(_PROBE_DEADLINE_S),
                world=world,
                tuning=self._tuning,
            )
            for slot in plan.slots:
                for candidate in slot.candidates:
                    written = candidate.replaces or candidate.model
                    candidates.setdefault(written, candidate)
                    names = named.setdefault(written, [])
                    if cocktail.name not in names:
                        names.append(cocktail.name)
        seats = tuple(
            Seat(written, tuple(named[written]), candidate)
            for written, candidate in candidates.items()
        )
        return seats, world


def _unchecked(seat: Seat, world: World) -> Finding:
    upstream = world.upstream_of(seat.written)
    why = "no key is set" if upstream in world.keyless else "it cannot be read"
    message = f"not checked: the catalogue of {upstream} is not at hand ({why})"
    return Finding("error", seat.written, seat.cocktails, Problem.UNKNOWN, message)


def _heir(seat: Seat) -> str | None:
    return seat.candidate.model if seat.candidate.replaces is not None else None


def _row(seat: Seat, world: World) -> ReadinessRow:
    model_id = seat.written
    candidate = seat.candidate
    model = find_model(world.catalog, model_id)
    health = world.health[model_id]
    gone = candidate.replaces is not None
    verdict = candidate.not_ready
    message = "no longer listed" if gone else "" if verdict is None else verdict.message
    return ReadinessRow(
        model=model_id,
        upstream=candidate.upstream,
        cocktails=seat.cocktails,
        ready=verdict is None and not gone,
        reason=_NOT_LISTED if gone else None if verdict is None else verdict.reason,
        message=message,
        until_s=None if verdict is None else verdict.until_s,
        context_length=None if model is None else model.context_length,
        prompt_usd_per_million=_per_million(model, "prompt"),
        completion_usd_per_million=_per_million(model, "completion"),
        first_token_ms_p50=percentile(health.first_token_ms, 0.5),
        first_token_ms_p95=percentile(health.first_token_ms, 0.95),
        total_ms_p50=percentile(health.total_ms, 0.5),
        total_ms_p95=percentile(health.total_ms, 0.95),
        serves_instead=candidate.model if gone else None,
    )


def _per_million(model: Model | None, part: str) -> str | None:
    if model is None or model.prices is None:
        return None
    base = model.prices.base
    price: Decimal = base.prompt if part == "prompt" else base.completion
    return f"{(price * _MILLION).normalize():f}"


def _probe_of(model_id: str) -> Ask:
    return Ask(
        messages=_SMALL_QUERY.messages,
        models=(model_id,),
        sampling=_SMALL_QUERY.sampling,
        deadline_s=_PROBE_DEADLINE_S,
    )


def _probed(report: Report) -> ProbeResult:
    slot = report.slots[0]
    if slot.answer is not None:
        message, ok = "answered", True
    elif slot.failure is not None:
        # A model that reasons spends its only token on that: it serves, which was the question.
        ok = slot.failure.kind.value == "empty_answer"
        message = "answered" if ok else slot.failure.message
    else:
        message, ok = "was not asked", False
    cost = slot.cost if slot.attempts else NOT_BILLED
    return ProbeResult(slot.primary, ok, message, slot.first_token_ms, cost)
