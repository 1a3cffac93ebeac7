"""Catalog + Health + fitting + price -> Plan: pure, and made before anything is spent.

Theory of operation. Each Slot's ids are placed: a listed id stands; an id that the live catalogue
lacks hands its place to a successor, primaries of other Slots being passed over while another is
left; an id without successor stays as a Candidate that is not ready, so that the Plan shows it.
Then each Candidate is judged, its `max_tokens` fitted, its parameters compared, its Attempt priced.
Where an upstream's listing is not known, ids are asked as they stand.

It does not know which of the Candidates will be asked, and it sends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ultrai.domain.catalog import Model
from ultrai.domain.cocktail import Slot
from ultrai.domain.fitting import Fit
from ultrai.domain.money import format_usd
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.plan import (
    Bracket,
    NotReady,
    NotReadyReason,
    Plan,
    PlannedCandidate,
    PlannedSlot,
    PlannedSummary,
)
from ultrai.domain.query import Limits
from ultrai.engine.absence import absent, unknown
from ultrai.engine.context import Contexts
from ultrai.engine.fitted import Fitted
from ultrai.engine.remarks import (
    fit_message,
    summary_message,
    superseded_message,
    tokens_message,
)
from ultrai.engine.resolving import Recipe
from ultrai.engine.summarising import plan_summary
from ultrai.engine.totalling import NO_PRICE, cost_of
from ultrai.engine.tuning import Tuning
from ultrai.engine.world import World, find_model, free_chat_models
from ultrai.policy.capping import backup_ceiling_nanos
from ultrai.policy.health import ModelHealth, percentile
from ultrai.policy.parameters import unsupported
from ultrai.policy.pricing import affordable_tokens, bound_nanos, rates_at, rates_nanos
from ultrai.policy.readiness import (
    NOT_IN_CATALOGUE,
    NOT_PULLED,
    Question,
    cooling_down,
    judge,
)
from ultrai.policy.succession import Market, successor
from ultrai.policy.tokens import window_tokens

PROBE_TOKENS = 1  # so small a request asks whether a model serves, not for an answer
_TYPICAL_ANSWER_TOKENS = 350
_TYPICAL_REASONING_TOKENS = 800


def plan_run(
    recipe: Recipe, contexts: Contexts, *, limits: Limits, world: World, tuning: Tuning
) -> Plan:
    """The Plan. Raises UsageError where a model named by the user does not exist."""
    return _Planner(recipe, contexts, limits=limits, world=world, tuning=tuning).plan()


class _Planner:
    """One planning; holds what its steps share."""

    def __init__(
        self, recipe: Recipe, contexts: Contexts, *, limits: Limits, world: World, tuning: Tuning
    ) -> None:
        self._recipe = recipe
        self._contexts = contexts
        self._query = contexts.query
        self._limits = limits
        self._world = world
        self._tuning = tuning
        self._notices: list[Notice] = list(recipe.notices)
        self._made: dict[str, PlannedCandidate] = {}
        self._free_listed: Sequence[str] | None = None
        self._heirs: dict[str, str | None] = {}
        self._taken = {s.primary for s in recipe.slots if self._is_listed(s.primary)}

    def plan(self) -> Plan:
        self._note_catalogue()
        slots = tuple(self._slot(i, slot) for i, slot in enumerate(self._recipe.slots))
        summary = plan_summary(slots, self._contexts, world=self._world, tuning=self._tuning)
        if summary is not None:
            self._notice(NoticeCode.SUMMARY_PLANNED, summary_message(summary))
        slots = self._within_cap(slots, summary)
        expected = [slot.first for slot in slots]
        latencies = [c.expected_ms for c in expected if c is not None]
        known = [ms for ms in latencies if ms is not None]
        return Plan(
            cocktail=self._recipe.cocktail,
            slots=slots,
            cost_nanos=cost_of(slots, summary),
            expected_ms=max(known) if known and len(known) == len(latencies) else None,
            notices=tuple(self._notices),
            summary=summary,
        )

    def _is_listed(self, model_id: str) -> bool:
        return find_model(self._world.catalog, model_id) is not None

    def _note_catalogue(self) -> None:
        ids = [model for slot in self._recipe.slots for model in slot.candidates]
        for name in sorted({self._world.upstream_of(model) for model in ids}):
            snapshot = self._world.catalog.snapshots.get(name)
            if snapshot is None and name not in self._world.keyless:
                self._notice(
                    NoticeCode.CATALOGUE_MISSING,
                    f"no catalogue of {name} is at hand: ids are asked as they stand, "
                    "prices and windows are not known",
                )
            elif snapshot is not None and snapshot.stale:
                self._notice(
                    NoticeCode.CATALOGUE_STALE,
                    f"the catalogue of {name} is of {snapshot.fetched_at:%Y-%m-%d %H:%M} UTC: "
                    "it could not be renewed",
                )

    def _slot(self, index: int, slot: Slot) -> PlannedSlot:
        candidates = [self._place(index, slot.primary, is_primary=True)]
        for backup in slot.backups:
            candidate = self._place(index, backup, is_primary=False)
            if candidate.model not in {c.model for c in candidates}:
                candidates.append(candidate)
        self._note_first(index, candidates)
        return PlannedSlot(index, slot.primary, tuple(candidates))

    def _place(self, index: int, model_id: str, *, is_primary: bool) -> PlannedCandidate:
        """The Candidate for one written id: itself, its successor, or itself as not ready."""
        role = "primary" if is_primary else "backup"
        upstream = self._world.upstream_of(model_id)
        if self._world.catalog.knows(upstream) and not self._is_listed(model_id):
            heir = self._heir(model_id)
            if heir is not None:
                if is_primary:
                    role = "successor"
                    if heir in self._taken:
                        message = f"{heir} also serves another slot: {model_id} has no other heir"
                        self._notice(NoticeCode.DIVERSITY_LOST, message, slot=index)
                    self._taken.add(heir)
                    # A backup's successor is noted when it is asked: most never are.
                    message = superseded_message(model_id, heir)
                    self._notice(NoticeCode.MODEL_SUPERSEDED, message, slot=index)
                return replace(self._candidate(heir), role=role, replaces=model_id)
            if self._recipe.named and is_primary:
                raise unknown(model_id, self._world)
            verdict = absent(model_id, self._world)
            return replace(self._candidate(model_id), role=role, not_ready=verdict)
        candidate = self._candidate(model_id)
        return candidate if is_primary else replace(candidate, role=role)

    def _heir(self, model_id: str) -> str | None:
        """Who takes the place of a retired id: the same everywhere in one Plan."""
        if model_id not in self._heirs:
            self._heirs[model_id] = self._chosen_heir(model_id)
        return self._heirs[model_id]

    def _chosen_heir(self, model_id: str) -> str | None:
        catalog = self._world.catalog
        if self._free_listed is None and model_id.endswith(":free"):
            self._free_listed = free_chat_models(catalog)
        market = Market(
            listed=catalog,
            taken=self._taken,
            is_ready=lambda heir: self._candidate(heir).is_ready,
            free_listed=self._free_listed or (),
        )
        # An open circuit reorders and never empties a slot: a cooling heir is better than none.
        for each in (market, replace(market, is_ready=self._is_ready_when_cool)):
            heir = successor(
                model_id,
                self._world.successions,
                market=each,
                allow_paid_for_free=self._tuning.free_may_become_paid,
            )
            if heir is not None:
                return heir
        return None

    def _is_ready_when_cool(self, model_id: str) -> bool:
        verdict = self._candidate(model_id).not_ready
        return verdict is None or verdict.reason is NotReadyReason.COOLING_DOWN

    def _candidate(self, model_id: str) -> PlannedCandidate:
        """The model as a Candidate that is asked first; made once in a Plan."""
        made = self._made.get(model_id)
        if made is None:
            made = self._made[model_id] = self._make(model_id)
        return made

    def _make(self, model_id: str) -> PlannedCandidate:
        world = self._world
        upstream = world.upstream_of(model_id)
        max_tokens = self._query.sampling.max_tokens
        if upstream in world.keyless:
            verdict = NotReady(NotReadyReason.NO_KEY, f"no key is set for {upstream}")
            return PlannedCandidate(model_id, upstream, "primary", max_tokens, verdict)
        if not world.catalog.knows(upstream):
            cooling = cooling_down(model_id, world.health[model_id], now_s=world.now.timestamp())
            return PlannedCandidate(model_id, upstream, "primary", max_tokens, cooling)
        model = find_model(world.catalog, model_id)
        fitted = self._fitted(model_id, model)
        tokenizer = None if model is None else model.tokenizer
        estimate, bound = self._contexts.sizes(fitted, tokenizer)
        prompt_tokens = world.health[model_id].tokens.correct(estimate)
        judged = judge(
            model_id,
            model,
            health=self._health(model_id, upstream),
            question=self._question(upstream, window_tokens(prompt_tokens, tokenizer)),
        )
        if model is None:
            return PlannedCandidate(model_id, upstream, "primary", max_tokens, judged)
        if judged is None and fitted.refusal:
            judged = NotReady(NotReadyReason.WINDOW_TOO_SMALL, fitted.refusal)
        return self._listed(model, judged, fit=fitted.fit, sizes=(prompt_tokens, bound))

    def _fitted(self, model_id: str, model: Model | None) -> Fitted:
        """What the model gets of the documents."""
        if model is None:
            return self._contexts.whole(None)
        output = self._wanted(model)
        if model.max_completion_tokens:
            output = min(output, model.max_completion_tokens)
        counts = self._world.health[model_id].tokens
        cap, most = self._limits.max_cost_nanos, None
        if cap is not None and model.prices is not None:
            share, headroom = cap // len(self._recipe.slots), self._tuning.price_headroom
            most = affordable_tokens(model.prices, share, max_tokens=output, headroom=headroom)
        return self._contexts.fitted(model, counts, output=output, most_bound=most)

    def _wanted(self, model: Model) -> int:
        """The output wanted, headroom for reasoning included."""
        wanted = self._query.sampling.max_tokens
        if model.reasons_by_default and wanted > PROBE_TOKENS:
            wanted += self._tuning.reasoning_headroom_tokens
        return wanted

    def _health(self, model_id: str, upstream: str) -> ModelHealth:
        """Health, forgetting a withdrawal that the current listing is younger than."""
        health = self._world.health[model_id]
        snapshot = self._world.catalog.snapshots[upstream]
        since_s = health.unavailable_since_s
        if since_s is not None and snapshot.fetched_at.timestamp() > since_s:
            return replace(health, unavailable_since_s=None)
        return health

    def _question(self, upstream: str, needed: int) -> Question:
        return Question(
            now=self._world.now,
            absence=NOT_PULLED if upstream in self._world.local else NOT_IN_CATALOGUE,
            window_tokens=needed,
            max_tokens=min(self._query.sampling.max_tokens, self._tuning.max_tokens_floor),
            needs_price=self._limits.max_cost_nanos is not None,
            named_by_user=self._recipe.named,
            max_usd_per_million=self._tuning.max_usd_per_million,
            free_left=self._world.free_left,
            free_resets_s=self._world.free_resets_s,
        )

    def _listed(
        self, model: Model, verdict: NotReady | None, *, fit: Fit | None, sizes: tuple[int, int]
    ) -> PlannedCandidate:
        prompt_tokens = sizes[0]
        limit = _output_limit(model, window_tokens(prompt_tokens, model.tokenizer))
        wanted = self._wanted(model)
        max_tokens = wanted if limit is None else max(1, min(wanted, limit))
        price = self._price(model, sizes, max_tokens=max_tokens)
        return PlannedCandidate(
            model=model.id,
            upstream=self._world.upstream_of(model.id),
            role="primary",
            not_ready=verdict,
            max_tokens=max_tokens,
            max_tokens_limit=limit,
            dropped=self._dropped(model),
            reasons=model.reasons_by_default,
            prompt_tokens=prompt_tokens,
            low_nanos=price.low,
            expected_nanos=price.expected,
            bound_nanos=price.high,
            expected_ms=percentile(self._world.health[model.id].total_ms, 0.5),
            fit=None if fit is None else replace(fit, prompt_tokens=prompt_tokens),
        )

    def _dropped(self, model: Model) -> tuple[str, ...]:
        return unsupported(self._query.sampling.optional, model.supported_parameters)

    def _price(self, model: Model, sizes: tuple[int, int], *, max_tokens: int) -> Bracket:
        """What one Attempt may cost, in nanodollars. `sizes`: the prompt's tokens, and a bound."""
        prompt_tokens, bound_tokens = sizes
        prices = model.prices
        if prices is None:
            return NO_PRICE
        typical = _TYPICAL_ANSWER_TOKENS + _TYPICAL_REASONING_TOKENS * model.reasons_by_default
        expected = min(max_tokens, typical)
        rates = rates_at(prices, prompt_tokens, moment=self._world.now)
        return Bracket(
            low=rates_nanos(rates, prompt_tokens=prompt_tokens, completion_tokens=1),
            expected=rates_nanos(rates, prompt_tokens=prompt_tokens, completion_tokens=expected),
            high=bound_nanos(
                prices,
                prompt_tokens=bound_tokens,
                max_tokens=max_tokens,
                headroom=self._tuning.price_headroom,
            ),
        )

    def _within_cap(
        self, slots: tuple[PlannedSlot, ...], summary: PlannedSummary | None
    ) -> tuple[PlannedSlot, ...]:
        """Pass over Backups that are too dear for the cap; `check_envelope` refuses the rest."""
        cap = self._limits.max_cost_nanos
        if cap is None:
            return slots
        cap -= 0 if summary is None else summary.cost_nanos.high or 0
        ceiling = backup_ceiling_nanos([_bounds(slot) for slot in slots], cap)
        if ceiling is None:
            return slots
        return tuple(self._without_dear_backups(slot, ceiling) for slot in slots)

    def _without_dear_backups(self, slot: PlannedSlot, ceiling: int) -> PlannedSlot:
        kept: list[PlannedCandidate] = []
        for candidate in slot.candidates:
            bound = candidate.bound_nanos or 0
            if candidate is slot.first or not candidate.is_usable or bound <= ceiling:
                kept.append(candidate)
                continue
            message = (
                f"one attempt on {candidate.model} may cost ${format_usd(bound)}, more than the "
                "cost cap leaves for a backup"
            )
            self._notice(NoticeCode.MODEL_NOT_READY, message, slot=slot.index)
            verdict = NotReady(NotReadyReason.OVER_PRICE_CAP, message)
            kept.append(replace(candidate, not_ready=verdict))
        return replace(slot, candidates=tuple(kept))

    def _note_first(self, index: int, candidates: Sequence[PlannedCandidate]) -> None:
        """Say what is not as asked about the Candidate that is asked first, and who is not."""
        for candidate in candidates:
            if candidate.not_ready is None:
                break
            self._note_not_ready(candidate.not_ready, index)
        else:
            return
        if candidate.bound_nanos is None and self._world.catalog.knows(candidate.upstream):
            message = f"the price of {candidate.model} is not known beforehand"
            self._notice(NoticeCode.PRICE_UNKNOWN, message, slot=index)
        if candidate.dropped:
            names = ", ".join(candidate.dropped)
            self._notice(
                NoticeCode.PARAMETER_DROPPED,
                f"{candidate.model} does not support {names}",
                slot=index,
            )
        wanted = self._query.sampling.max_tokens
        for told in (fit_message(candidate), tokens_message(candidate, wanted)):
            if told is not None:
                self._notice(*told, slot=index)

    def _note_not_ready(self, verdict: NotReady, index: int) -> None:
        """One Notice per Candidate; a missing key is said once for all."""
        slot = None if verdict.reason is NotReadyReason.NO_KEY else index
        notice = Notice(NoticeCode.MODEL_NOT_READY, verdict.message, slot)
        if notice not in self._notices:
            self._notices.append(notice)

    def _notice(self, code: NoticeCode, message: str, *, slot: int | None = None) -> None:
        self._notices.append(Notice(code, message, slot))


def _bounds(slot: PlannedSlot) -> list[int]:
    """The bounds of the usable Candidates, that of the first one in front."""
    usable = [c for c in slot.candidates if c.is_usable]
    usable.sort(key=lambda candidate: candidate is not slot.first)
    return [candidate.bound_nanos or 0 for candidate in usable]


def _output_limit(model: Model, prompt_tokens: int) -> int | None:
    """The most output the model gives beside this prompt; None: not known."""
    limits = [model.max_completion_tokens] if model.max_completion_tokens else []
    if model.context_length:
        limits.append(max(1, model.context_length - prompt_tokens))
    return min(limits) if limits else None
