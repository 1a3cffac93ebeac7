"""The Catalog for people and programs: choosing, sorting, tables, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ultrai.cli.render.palette import Style
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out
from ultrai.domain.catalog import Catalog, Endpoint, Model, PriceTier, Rates
from ultrai.policy.tiers import price_tier, usd_per_million

_MODEL_COLUMNS = (
    Column("model", flexible=True, least=40),
    Column("tier", rank=2),
    Column("in $/M", "right", rank=3),
    Column("out $/M", "right"),
    Column("window", "right", rank=1),
    Column("longest answer", "right", rank=5),
    Column("expires", rank=4),
)
_ENDPOINT_COLUMNS = (
    Column("provider", flexible=True),
    Column("status", rank=3),
    Column("up 30 min", "right", rank=1),
    Column("first token", "right", rank=2),
    Column("speed", "right", rank=4),
    Column("in $/M", "right", rank=5),
    Column("out $/M", "right"),
    Column("window", "right", rank=6),
)
_TIER_STYLES = {PriceTier.FREE: Style.GOOD, PriceTier.PREMIUM: Style.ODD}


def choose_models(catalog: Catalog, search: str, *, tier: str | None, order: str) -> list[Model]:
    """Models whose id or name holds every word of `search`, of that tier, sorted.

    `order`: `name` by id, `price` cheapest output first and unknown last, `window` largest first.
    """
    words = search.casefold().split()
    wanted = None if tier is None else PriceTier(tier.lower())
    found = [
        model
        for model in catalog
        if all(word in f"{model.id} {model.name}".casefold() for word in words)
        and (wanted is None or price_tier(model.prices) is wanted)
    ]
    if order == "price":
        return sorted(found, key=lambda model: (_price_key(model), model.id))
    if order == "window":
        return sorted(found, key=lambda model: (-(model.context_length or 0), model.id))
    return sorted(found, key=lambda model: model.id)


def models_table(models: Sequence[Model], *, width: int | None) -> list[Line]:
    """One line for each model."""
    return lay_out(_MODEL_COLUMNS, [_model_row(m) for m in models], width=width, header=True)


def endpoints_table(endpoints: Sequence[Endpoint], *, width: int | None) -> list[Line]:
    """One line for each provider."""
    rows = [_endpoint_row(endpoint) for endpoint in endpoints]
    return lay_out(_ENDPOINT_COLUMNS, rows, width=width, header=True)


def catalogue_date(catalog: Catalog) -> str:
    """`, as of 2026-11-10 12:00 UTC`: the oldest listing in it; says so when it is stale."""
    if not catalog.snapshots:
        return ""
    oldest = min(catalog.snapshots.values(), key=lambda snapshot: snapshot.fetched_at)
    stale = any(snapshot.stale for snapshot in catalog.snapshots.values())
    words = " (stale: it could not be renewed)" if stale else ""
    return f", as of {oldest.fetched_at:%Y-%m-%d %H:%M} UTC{words}"


def model_to_dict(model: Model) -> dict[str, object]:
    """JSON types; prices are USD per million tokens as decimal strings, null where unknown."""
    tier = price_tier(model.prices)
    return {
        "id": model.id,
        "name": model.name,
        "provider": model.provider,
        "upstream": model.upstream,
        "tier": tier.value if tier else None,
        "context_length": model.context_length,
        "max_completion_tokens": model.max_completion_tokens,
        "prices": None if model.prices is None else _rates_to_dict(model.prices.base),
        "price_overrides": len(model.prices.overrides) if model.prices else 0,
        "expires": model.expires.isoformat() if model.expires else None,
        "reasons_by_default": model.reasons_by_default,
        "supported_parameters": sorted(model.supported_parameters),
    }


def endpoint_to_dict(endpoint: Endpoint) -> dict[str, object]:
    """JSON types."""
    return {
        "provider": endpoint.provider,
        "prices": _rates_to_dict(endpoint.rates) if endpoint.rates else None,
        "context_length": endpoint.context_length,
        "max_completion_tokens": endpoint.max_completion_tokens,
        "status": endpoint.status,
        "uptime_percent": endpoint.uptime_percent,
        "latency_ms": endpoint.latency_ms,
        "throughput_tps": endpoint.throughput_tps,
    }


def price_words(usd_per_token: Decimal | None) -> str:
    """`0.15`: USD per million tokens; a dash where it is not known."""
    if usd_per_token is None:
        return "–"
    price = usd_per_million(usd_per_token)
    return "0" if price == 0 else f"{price.normalize():f}"


def _rates_to_dict(rates: Rates) -> dict[str, object]:
    return {
        "prompt_usd_per_million": _per_million(rates.prompt),
        "completion_usd_per_million": _per_million(rates.completion),
        "cache_read_usd_per_million": _per_million(rates.cache_read),
        "cache_write_usd_per_million": _per_million(rates.cache_write),
        "request_usd": None if rates.request is None else f"{rates.request.normalize():f}",
    }


def _per_million(usd_per_token: Decimal | None) -> str | None:
    return None if usd_per_token is None else price_words(usd_per_token)


def _price_key(model: Model) -> Decimal:
    return model.prices.base.completion if model.prices else Decimal("Infinity")


def _model_row(model: Model) -> list[Cell]:
    tier = price_tier(model.prices)
    base = model.prices.base if model.prices else None
    return [
        Cell(one_line(model.id)),
        Cell(
            tier.value if tier else "unknown",
            _TIER_STYLES.get(tier, Style.PLAIN) if tier else Style.BAD,
        ),
        Cell(price_words(base.prompt if base else None)),
        Cell(price_words(base.completion if base else None)),
        Cell(_tokens(model.context_length)),
        Cell(_tokens(model.max_completion_tokens)),
        Cell(model.expires.isoformat() if model.expires else ""),
    ]


def _endpoint_row(endpoint: Endpoint) -> list[Cell]:
    rates = endpoint.rates
    is_up = endpoint.status is None or endpoint.status >= 0
    status = "" if endpoint.status is None else f"{'up' if is_up else 'down'} ({endpoint.status})"
    return [
        Cell(one_line(endpoint.provider)),
        Cell(status, Style.GOOD if is_up else Style.BAD),
        Cell(_figure(endpoint.uptime_percent, "{:.1f} %")),
        Cell(_figure(endpoint.latency_ms, "{:.0f} ms")),
        Cell(_figure(endpoint.throughput_tps, "{:.0f} tok/s")),
        Cell(price_words(rates.prompt if rates else None)),
        Cell(price_words(rates.completion if rates else None)),
        Cell(_tokens(endpoint.context_length)),
    ]


def _tokens(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _figure(value: float | None, shape: str) -> str:
    return "–" if value is None else shape.format(value)
