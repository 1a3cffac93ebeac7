"""Listings: which models an upstream has, and who serves one of them.

Rows are taken as they come: an unknown field is ignored, an odd one counts as absent, a row that
cannot be used (no id) is passed over. A price that is not known for certain makes the model's
prices None, never 0: a missing, negative ("-1" means: not known beforehand) or unreadable figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final
from urllib.parse import quote

from ultrai.domain.catalog import Endpoint, Model, PriceOverride, Prices, Rates, Reasoning
from ultrai.domain.errors import NotFound, UpstreamUnavailable
from ultrai.policy.tokens import family_of
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.lenient import integer, items, mapping, text
from ultrai.upstream.lookup import Lookup
from ultrai.upstream.words import one_line

_RATE_KEYS: Final = {
    "prompt": "prompt",
    "completion": "completion",
    "request": "request",
    "cache_read": "input_cache_read",
    "cache_write": "input_cache_write",
    "internal_reasoning": "internal_reasoning",
}
"""Our rate -> its key in OpenRouter's `pricing`."""

_FREE: Final = Prices(Rates(prompt=Decimal(0), completion=Decimal(0)))
_LONGEST_PRICE: Final = 64


class ModelNotListed(NotFound, UpstreamUnavailable):
    """The upstream has no such model.

    NotFound to whoever asked for that model; to whoever only wanted facts about it (the engine,
    for a price) one more reason why there are none.
    """

    code = NotFound.code


async def list_models(config: UpstreamConfig, lookup: Lookup) -> Sequence[Model]:
    """`GET /models`, in the upstream's order. Raises UpstreamUnavailable, also for an empty one."""
    data = mapping(await lookup.get("/models")).get("data")
    if not isinstance(data, list):
        raise lookup.unavailable("the model list has no data")
    read = read_model if config.is_openrouter else _read_plain_model
    models = [model for row in items(data) if (model := read(mapping(row), config)) is not None]
    if not models:
        raise lookup.unavailable("the model list is empty")
    return models


async def list_endpoints(
    config: UpstreamConfig, lookup: Lookup, *, model_id: str
) -> Sequence[Endpoint]:
    """`GET /models/{author}/{slug}/endpoints`; empty for a server that is not OpenRouter.

    Raises ModelNotListed for an id that the upstream does not have, else UpstreamUnavailable.
    """
    if not config.is_openrouter:
        return []
    path = quote(config.local_id(model_id), safe="/:~@.-_")
    absent = ModelNotListed(f"{config.name} lists no model {one_line(model_id)}")
    found = await lookup.get(f"/models/{path}/endpoints", absent=absent)
    data = mapping(mapping(found).get("data"))
    rows = data.get("endpoints")
    if not isinstance(rows, list):
        raise lookup.unavailable(f"no list of endpoints for {model_id}")
    return [_read_endpoint(mapping(row)) for row in items(rows)]


def read_model(row: Mapping[str, object], config: UpstreamConfig) -> Model | None:
    """One row of OpenRouter's listing; None when it has no id."""
    plain = _read_plain_model(row, config)
    if plain is None:
        return None
    top = mapping(row.get("top_provider"))
    architecture = mapping(row.get("architecture"))
    return replace(
        plain,
        max_completion_tokens=_positive(top.get("max_completion_tokens")),
        prices=_FREE if config.free else read_prices(row.get("pricing")),
        canonical_slug=text(row.get("canonical_slug")),
        expires=_day(row.get("expiration_date")),
        supported_parameters=frozenset(_texts(row.get("supported_parameters"))),
        reasoning=_read_reasoning(row.get("reasoning")),
        tokenizer=family_of(plain.id, text(architecture.get("tokenizer"))),
        input_modalities=_texts(architecture.get("input_modalities")),
        output_modalities=_texts(architecture.get("output_modalities")),
    )


def read_prices(value: object) -> Prices | None:
    """A `pricing` object; None when what a request costs cannot be known from it."""
    pricing = mapping(value)
    base = _read_rates(pricing, None)
    if base is None:
        return None
    overrides = []
    for entry in map(mapping, items(pricing.get("overrides"))):
        rates = _read_rates(entry, base)
        if rates is None:
            return None
        overrides.append(
            PriceOverride(
                rates=rates,
                min_prompt_tokens=integer(entry.get("min_prompt_tokens")),
                utc_start=integer(entry.get("utc_start")),
                utc_end=integer(entry.get("utc_end")),
                utc_days=tuple(day.lower()[:3] for day in _texts(entry.get("utc_days"))),
            )
        )
    return Prices(base, tuple(overrides))


def _read_plain_model(row: Mapping[str, object], config: UpstreamConfig) -> Model | None:
    """What any server with OpenAI's format says of a model: its id, and perhaps its window."""
    local_id = text(row.get("id"))
    if not local_id or not local_id.isprintable():
        return None
    window = _positive(row.get("context_length")) or _positive(row.get("max_model_len"))
    return Model(
        id=config.global_id(local_id),
        name=text(row.get("name")) or local_id,
        upstream=config.name,
        context_length=window,
        max_completion_tokens=None,
        prices=_FREE if config.free else None,
        created=integer(row.get("created")),
    )


def _read_endpoint(row: Mapping[str, object]) -> Endpoint:
    return Endpoint(
        provider=text(row.get("provider_name")) or text(row.get("tag")) or "unknown",
        rates=_read_rates(mapping(row.get("pricing")), None),
        context_length=_positive(row.get("context_length")),
        max_completion_tokens=_positive(row.get("max_completion_tokens")),
        status=integer(row.get("status")),
        uptime_percent=_figure(row.get("uptime_last_30m")),
        latency_ms=_figure(mapping(row.get("latency_last_30m")).get("p50")),
        throughput_tps=_figure(mapping(row.get("throughput_last_30m")).get("p50")),
    )


def _read_rates(pricing: Mapping[str, object], base: Rates | None) -> Rates | None:
    """The rates in `pricing`, those of `base` where it is silent; None when one is not known."""
    rates: dict[str, Decimal | None] = {}
    for rate, key in _RATE_KEYS.items():
        said = pricing.get(key)
        if said is None:
            rates[rate] = getattr(base, rate) if base is not None else None
            continue
        price = _price(said)
        if price is None:
            return None
        rates[rate] = price
    prompt, completion = rates.pop("prompt"), rates.pop("completion")
    if prompt is None or completion is None:
        return None
    return Rates(
        prompt=prompt,
        completion=completion,
        request=rates["request"],
        cache_read=rates["cache_read"],
        cache_write=rates["cache_write"],
        internal_reasoning=rates["internal_reasoning"],
    )


def _price(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    if isinstance(value, str) and len(value) > _LONGEST_PRICE:
        return None
    try:
        price = Decimal(value)
    except InvalidOperation:
        return None
    return price if price.is_finite() and price >= 0 else None


def _read_reasoning(value: object) -> Reasoning | None:
    if not isinstance(value, dict):
        return None
    said = mapping(value)
    return Reasoning(
        mandatory=said.get("mandatory") is True,
        default_enabled=said.get("default_enabled") is True,
    )


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(said for item in items(value) if (said := text(item)) is not None)


def _positive(value: object) -> int | None:
    figure = integer(value)
    return figure if figure is not None and figure > 0 else None


def _figure(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    try:
        figure = float(value)
    except (ValueError, OverflowError):
        return None
    return figure if 0 <= figure < float("inf") else None
