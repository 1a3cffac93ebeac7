"""What Runs did not spend, reckoned from their Events and from today's prices.

- **cache**: what the same answer had cost when it was asked for; in the Event itself.
- **fitting**: the tokens of documents that a model was not sent, at its prompt price of today, less
  what summaries cost. Only where the whole would have fitted its window: else it could not have
  been sent, and nothing was saved.
- **prompt cache**: what the upstream took from its own cache, at the difference of its prices.
- **selection**: Runs whose cocktail `auto` chose. What another would have cost nobody knows, since
  it was not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from ultrai.domain.catalog import Catalog, Model
from ultrai.domain.event import Event, EventType
from ultrai.domain.money import reported_nanos
from ultrai.domain.notice import NoticeCode
from ultrai.domain.saving import Saving, SavingSource

METHODS: Mapping[SavingSource, str] = {
    SavingSource.CACHE: "what the kept answer had cost when it was asked for",
    SavingSource.FITTING: (
        "estimated tokens of documents that were not sent though the window holds them, at the "
        "prompt price of today, less what summaries cost"
    ),
    SavingSource.PROMPT_CACHE: (
        "tokens that the upstream took from its cache, at the difference of its prices of today"
    ),
    SavingSource.SELECTION: "not known: the cocktails that were not chosen were not asked",
}


@dataclass
class _Sum:
    """Of one source so far."""

    times: int = 0
    nanos: int = 0
    unknown: int = 0

    def add(self, nanos: int | None) -> None:
        """One more; None: nobody knows how much."""
        self.times += 1
        if nanos is None:
            self.unknown += 1
        else:
            self.nanos += nanos


def savings_of(runs: Iterable[Sequence[Event]], catalog: Catalog) -> tuple[Saving, ...]:
    """What these Runs have saved, by source, in the order of `SavingSource`."""
    sums = {source: _Sum() for source in SavingSource}
    for events in runs:
        _add_run(events, catalog, sums=sums)
    return tuple(_saving(source, each) for source, each in sums.items())


def _saving(source: SavingSource, found: _Sum) -> Saving:
    is_known = source is not SavingSource.SELECTION and found.unknown < max(1, found.times)
    nanos = found.nanos if is_known else None
    return Saving(source, found.times, nanos, found.unknown, METHODS[source])


def _add_run(
    events: Sequence[Event], catalog: Catalog, *, sums: Mapping[SavingSource, _Sum]
) -> None:
    fits: dict[int | None, tuple[str, Mapping[str, object]]] = {}
    for event in events:
        if event.type is EventType.ATTEMPT_STARTED and "fit" in event.facts:
            fit = cast("Mapping[str, object]", event.facts["fit"])
            fits[event.slot] = (str(event.facts["model"]), fit)
        elif event.type is EventType.SLOT_ANSWERED:
            _add_answer(event, catalog, fit=fits.get(event.slot), sums=sums)
        elif event.type is EventType.SUMMARY and event.cost is not None:
            sums[SavingSource.FITTING].nanos -= event.cost.nanos or 0
        elif event.notice is not None and event.notice.code is NoticeCode.COCKTAIL_CHOSEN:
            sums[SavingSource.SELECTION].add(None)


def _add_answer(
    event: Event,
    catalog: Catalog,
    *,
    fit: tuple[str, Mapping[str, object]] | None,
    sums: Mapping[SavingSource, _Sum],
) -> None:
    if "saved_usd" in event.facts:
        saved = event.facts["saved_usd"]
        sums[SavingSource.CACHE].add(None if saved is None else reported_nanos(str(saved)))
        return
    model = catalog.get(str(event.facts["answered_by"]))
    cached = 0 if event.usage is None else event.usage.cached_tokens or 0
    if cached:
        sums[SavingSource.PROMPT_CACHE].add(_cheaper(model, cached))
    if fit is None:
        return
    left_out = _left_out(fit[1])
    if left_out and (model is None or _would_hold(model, fit[1])):
        sums[SavingSource.FITTING].add(_price(model, left_out))


def _left_out(fit: Mapping[str, object]) -> int:
    sources = cast("Sequence[Mapping[str, int]]", fit["sources"])
    return sum(max(0, each["tokens"] - each["sent_tokens"]) for each in sources)


def _would_hold(model: Model, fit: Mapping[str, object]) -> bool:
    whole = cast("int", fit["prompt_tokens"]) + _left_out(fit)
    return model.context_length is None or whole <= model.context_length


def _price(model: Model | None, tokens: int) -> int | None:
    if model is None or model.prices is None:
        return None
    return _nanos(model.prices.base.prompt * tokens)


def _cheaper(model: Model | None, tokens: int) -> int | None:
    if model is None or model.prices is None or model.prices.base.cache_read is None:
        return None
    return _nanos((model.prices.base.prompt - model.prices.base.cache_read) * tokens)


def _nanos(usd: Decimal) -> int | None:
    return reported_nanos(usd)
