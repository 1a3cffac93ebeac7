"""Plans the summary of documents that are too long: who writes it, in how many requests, for what.

The cheapest model of the run's own candidates writes it, so that a text goes to nobody whom the
user has not named; `fit_summariser` names another. Every request is planned like a Slot, with
Backups, and with a bound that holds: of the first level the text is known, and what further levels
merge is clipped to a size (`policy/digesting.py`). Pure, like all planning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ultrai.domain.catalog import Model
from ultrai.domain.errors import UsageError
from ultrai.domain.fitting import FitMode
from ultrai.domain.ledger import FIRST_SUMMARY_SLOT
from ultrai.domain.plan import (
    Bracket,
    PlannedCandidate,
    PlannedPart,
    PlannedSlot,
    PlannedSummary,
)
from ultrai.domain.query import Query
from ultrai.domain.value import value
from ultrai.engine.context import Contexts
from ultrai.engine.tuning import Tuning
from ultrai.engine.world import World, find_model
from ultrai.policy.digesting import (
    SUMMARY_TOKENS,
    Outline,
    merge_bound,
    part_tokens,
    request_of,
)
from ultrai.policy.fitting import room_of
from ultrai.policy.pricing import bound_nanos, rates_at, rates_nanos
from ultrai.policy.tokens import bound_tokens, estimate_tokens

_BYTES_PER_TOKEN = 4
_WRITERS = 3  # the cheapest one, and those that are asked where it fails
_LEAST_ROOM = 2_000


@value
class Writer:
    """A model that can summarise, with the room it has for a part, in tokens of the plain scale."""

    candidate: PlannedCandidate
    model: Model
    max_tokens: int
    room: int


def plan_summary(
    slots: Sequence[PlannedSlot], contexts: Contexts, *, world: World, tuning: Tuning
) -> PlannedSummary | None:
    """The requests; None where nobody needs a summary. Raises UsageError without a writer."""
    readers = [c for c in _usable(slots) if c.fit and c.fit.mode is FitMode.SUMMARISE]
    if not readers:
        return None
    writers = _writers(slots, contexts, world=world, tuning=tuning)
    most_tokens = min(contexts.summary_room(reader.model) for reader in readers)
    documents = contexts.query.documents
    size = part_tokens(documents, window=writers[0].room)
    able = [writer for writer in writers if writer.room >= size]
    drawn = contexts.outline(part_tokens=size, most_tokens=most_tokens)
    return _planned(
        drawn, able or writers[:1], query=contexts.query, pricing=_Pricing(contexts, world, tuning)
    )


def _planned(
    drawn: Outline, writers: Sequence[Writer], *, query: Query, pricing: _Pricing
) -> PlannedSummary:
    names = [document.name for document in query.documents]
    requests = [
        request_of(part, names[part.document], task=query.prompt, is_merge=False)
        for part in drawn.parts
    ]
    sizes = [(estimate_tokens(each, None), bound_tokens(each)) for each in requests]
    skeleton = drawn.skeleton()
    for part, _ in skeleton[len(sizes) :]:
        bound = merge_bound(names[part.document], task=query.prompt)
        sizes.append((bound // _BYTES_PER_TOKEN, bound))
    parts = tuple(
        PlannedPart(
            slot=PlannedSlot(
                FIRST_SUMMARY_SLOT + place,
                writers[0].model.id,
                tuple(
                    pricing.candidate(each, size, is_first=each is writers[0]) for each in writers
                ),
            ),
            name=names[part.document],
            lines=part.lines,
            level=level,
        )
        for place, ((part, level), size) in enumerate(zip(skeleton, sizes, strict=True))
    )
    firsts = [part.slot.candidates[0] for part in parts]
    cost = Bracket(
        low=sum(c.low_nanos or 0 for c in firsts),
        expected=sum(c.expected_nanos or 0 for c in firsts),
        high=sum(c.bound_nanos or 0 for c in firsts),
    )
    return PlannedSummary(parts, drawn.part_tokens, drawn.most_tokens, cost)


@value
class _Pricing:
    """What one request costs, for one model."""

    contexts: Contexts
    world: World
    tuning: Tuning

    def candidate(
        self, writer: Writer, size: tuple[int, int], *, is_first: bool
    ) -> PlannedCandidate:
        """The writer as a Candidate for a request of so many tokens, with a bound on them."""
        estimate, bound = size
        model, prices = writer.model, writer.model.prices
        assert prices is not None
        tokens = round(estimate * self.contexts.relative(model.tokenizer))
        rates = rates_at(prices, tokens, moment=self.world.now)
        return replace(
            writer.candidate,
            role="primary" if is_first else "backup",
            replaces=None,
            fit=None,
            dropped=(),
            max_tokens=writer.max_tokens,
            prompt_tokens=tokens,
            low_nanos=rates_nanos(rates, prompt_tokens=tokens, completion_tokens=1),
            expected_nanos=rates_nanos(
                rates, prompt_tokens=tokens, completion_tokens=SUMMARY_TOKENS
            ),
            bound_nanos=bound_nanos(
                prices,
                prompt_tokens=bound,
                max_tokens=writer.max_tokens,
                headroom=self.tuning.price_headroom,
            ),
        )


def _writers(
    slots: Sequence[PlannedSlot], contexts: Contexts, *, world: World, tuning: Tuning
) -> list[Writer]:
    """The named one, or the cheapest ones first."""
    found: dict[str, Writer] = {}
    for candidate in _usable(slots):
        writer = _writer(candidate, contexts, world=world, tuning=tuning)
        if writer is not None:
            found.setdefault(candidate.model, writer)
    named = tuning.fit_summariser
    if named is not None:
        own = _named(named, contexts, world=world, tuning=tuning)
        return [own, *[writer for key, writer in found.items() if key != named]][:_WRITERS]
    paid = [w for key, w in found.items() if not key.endswith(":free")]  # those have few a minute
    writers = paid or list(found.values())
    if not writers:
        raise UsageError(
            "no model of this run has a known price and the room to summarise; nothing was sent",
            hint="name one with the setting fit_summariser, or use --fit retrieve",
        )
    return sorted(writers, key=lambda writer: (_price(writer.model), writer.model.id))[:_WRITERS]


def _named(model_id: str, contexts: Contexts, *, world: World, tuning: Tuning) -> Writer:
    model = find_model(world.catalog, model_id)
    if model is not None:
        candidate = PlannedCandidate(model_id, world.upstream_of(model_id), "primary", 1)
        writer = _writer(candidate, contexts, world=world, tuning=tuning)
        if writer is not None:
            return writer
    raise UsageError(
        f"fit_summariser: {model_id} cannot summarise: its price, its window or itself is unknown",
        hint="name a model of the catalogue, see 'ultrai models'",
    )


def _writer(
    candidate: PlannedCandidate, contexts: Contexts, *, world: World, tuning: Tuning
) -> Writer | None:
    model = find_model(world.catalog, candidate.model)
    if model is None or model.prices is None or not model.context_length:
        return None
    output = SUMMARY_TOKENS
    if model.reasons_by_default:
        output += tuning.reasoning_headroom_tokens
    counts = world.health[model.id].tokens
    family = model.tokenizer
    room = room_of(model.context_length, output=output, counts=counts, tokenizer=family)
    room = int(room / contexts.relative(family))
    if room < _LEAST_ROOM:
        return None
    return Writer(
        replace(candidate, reasons=model.reasons_by_default), model, max_tokens=output, room=room
    )


def _price(model: Model) -> object:
    """What a thousand words of text and their summary cost, about."""
    assert model.prices is not None
    base = model.prices.base
    output = 5000 if model.reasons_by_default else SUMMARY_TOKENS
    return base.prompt * 8000 + base.completion * output


def _usable(slots: Iterable[PlannedSlot]) -> list[PlannedCandidate]:
    return [c for slot in slots for c in slot.candidates if c.is_usable]
