"""What a request for the list of models asks for: which of them, in which order, which part.

The layer that validates this route is strict: a word that it does not know, or a number out of its
range, is a 400. Orders that need what nobody measures here (popularity, benchmarks) and categories
leave the list as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ultrai_sim import refusals
from ultrai_sim.catalogue import Model
from ultrai_sim.endpoints import endpoints_of
from ultrai_sim.incoming import read_whole

USUAL_LIMIT, MOST_LIMIT = 500, 1000
CATEGORIES = (
    *("programming", "roleplay", "marketing", "marketing/seo", "technology", "science"),
    *("translation", "legal", "finance", "health", "trivia", "academia"),
)
BENCHMARKS = ("intelligence", "coding", "agentic", "design-arena-elo")
AS_LISTED = ("most-popular", "top-weekly", *(f"{name}-high-to-low" for name in BENCHMARKS))


def _price(model: Model) -> Decimal:
    prompt, completion = (
        Decimal(str(model.pricing.get(name, "0"))) for name in ("prompt", "completion")
    )
    return prompt + completion


ORDERS: Mapping[str, Callable[[Model], float | Decimal]] = {
    "newest": lambda model: -model.created,
    "pricing-low-to-high": _price,
    "pricing-high-to-low": lambda model: -_price(model),
    "context-high-to-low": lambda model: -(model.context_length or 0),
    "throughput-high-to-low": lambda model: -endpoints_of(model)[0].pace,
    "latency-low-to-high": lambda model: endpoints_of(model)[0].first_ms,
}


@dataclass(frozen=True, slots=True)
class ListingQuery:
    """Which models are asked for; ``limit`` None: all of them."""

    parameters: frozenset[str] = frozenset()
    words: str = ""
    sort: str | None = None
    offset: int = 0
    limit: int | None = None

    def wants(self, model: Model) -> bool:
        """Whether a model is one of those."""
        named = f"{model.id} {model.name}".lower()
        return self.parameters <= set(model.parameters) and self.words in named


def read_listing_query(query: Mapping[str, str]) -> ListingQuery:
    """What a query asks for; the 400 of the validating layer where it cannot be."""
    sort = _one_of(query, "sort", valid=(*ORDERS, *AS_LISTED))
    _one_of(query, "category", valid=CATEGORIES)
    in_parts = "offset" in query or "limit" in query
    limit = _whole(query, "limit", usual=USUAL_LIMIT, least=1, most=MOST_LIMIT)
    return ListingQuery(
        parameters=frozenset(filter(None, query.get("supported_parameters", "").split(","))),
        words=query.get("q", "").lower(),
        sort=sort if sort in ORDERS else None,
        offset=_whole(query, "offset", usual=0),
        limit=limit if in_parts else None,
    )


def _one_of(query: Mapping[str, str], name: str, *, valid: Sequence[str]) -> str | None:
    value = query.get(name)
    if value is None or value in valid:
        return value
    named = "|".join(f'"{each}"' for each in valid)
    raise refusals.zod_error("invalid_value", [name], message=f"expected one of {named}")


def _whole(
    query: Mapping[str, str], name: str, *, usual: int, least: int = 0, most: int | None = None
) -> int:
    text = query.get(name)
    if text is None:
        return usual
    number = read_whole(text)
    if number is None:
        raise refusals.zod_error("invalid_type", [name], message="expected number")
    if number < least:
        raise refusals.zod_error("too_small", [name], message=f"expected number >= {least}")
    if most is not None and number > most:
        raise refusals.zod_error("too_big", [name], message=f"expected number <= {most}")
    return number
