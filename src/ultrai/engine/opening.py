"""What an Ask amounts to before it is planned: its limits, and its documents with their wish."""

from __future__ import annotations

from ultrai.domain.ask import Ask
from ultrai.domain.query import Limits, Query
from ultrai.engine.context import Contexts
from ultrai.engine.house import House
from ultrai.engine.resolving import Recipe
from ultrai.engine.tuning import Tuning


def contexts_of(ask: Ask, tuning: Tuning) -> Contexts:
    """The Ask's Query and how it is to fit. Raises UsageError for a pin that stands nowhere."""
    wish = ask.fit or tuning.fit
    query = Query(ask.messages, ask.sampling, ask.documents)
    return Contexts(query, wish=wish, pins=ask.pins, retrieve_tokens=tuning.fit_retrieve_tokens)


def limits_of(ask: Ask, recipe: Recipe | None, *, house: House) -> Limits:
    """The Run's bounds: the Ask's own, else those of the house and the Cocktail."""
    deadline_s = ask.deadline_s or house.deadline_s
    if deadline_s is None:
        ids = [] if recipe is None else [s.primary for s in recipe.slots]
        local = bool(ids) and all(house.upstream_of(m) in house.local_upstreams for m in ids)
        deadline_s = house.local_deadline_s if local else house.remote_deadline_s
    quorum = ask.quorum or (recipe.quorum if recipe else None)
    if quorum is None and house.quorum is not None and recipe is not None:
        # A quorum from settings is meant for any number of slots: with fewer, all are wanted.
        quorum = min(house.quorum, len(recipe.slots))
    return Limits(deadline_s, quorum, ask.max_cost_nanos, ask.strict)
