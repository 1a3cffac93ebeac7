"""The Catalog: a dated snapshot of the models an upstream lists, their windows and prices.

Source of every field: OpenRouter's `GET /models` (see docs/reference). Prices are USD per unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class PriceTier(StrEnum):
    """The report's tiers, by completion price in USD per million tokens."""

    FREE = "free"
    BUDGET = "budget"
    STANDARD = "standard"
    PREMIUM = "premium"


@dataclass(frozen=True, slots=True)
class Rates:
    """What one unit costs, in USD; None: not applicable, counts as nothing."""

    prompt: Decimal
    completion: Decimal
    request: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    internal_reasoning: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """Other rates under conditions, all of which must hold.

    `min_prompt_tokens` is strictly exceeded, and then prices the whole request. The times are
    HHMM numbers in UTC, half-open, and may wrap midnight. `utc_days` are the upstream's names of
    days in lower case, cut to three letters (`mon`).
    """

    rates: Rates
    min_prompt_tokens: int | None = None
    utc_start: int | None = None
    utc_end: int | None = None
    utc_days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prices:
    """A model's base rates and their overrides."""

    base: Rates
    overrides: tuple[PriceOverride, ...] = ()


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Whether a model reasons: `mandatory` cannot be switched off, `default_enabled` can."""

    mandatory: bool = False
    default_enabled: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the Catalog. `prices` is None when the price is not known beforehand.

    `tokenizer` is the family by which `policy/tokens.py` reckons.
    """

    id: str
    name: str
    upstream: str
    context_length: int | None
    max_completion_tokens: int | None
    prices: Prices | None
    canonical_slug: str | None = None
    created: int | None = None
    expires: date | None = None
    supported_parameters: frozenset[str] = frozenset()
    reasoning: Reasoning | None = None
    tokenizer: str | None = None
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()

    @property
    def provider(self) -> str:
        """The maker's part of the id: what stands before the slash."""
        return self.id.partition("/")[0]

    @property
    def is_free(self) -> bool:
        """Whether the id names a `:free` variant, which has limits of its own."""
        return self.id.endswith(":free")

    @property
    def reasons_by_default(self) -> bool:
        """Whether hidden reasoning will eat output tokens unless somebody switches it off."""
        return self.reasoning is not None and (
            self.reasoning.mandatory or self.reasoning.default_enabled
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One provider that serves a model: `GET /models/{author}/{slug}/endpoints`.

    `uptime_percent` is 0 to 100 over 30 minutes; latencies are milliseconds to the first token,
    throughput tokens per second, both medians; None where the upstream says nothing.
    """

    provider: str
    rates: Rates | None
    context_length: int | None
    max_completion_tokens: int | None
    status: int | None
    uptime_percent: float | None
    latency_ms: float | None
    throughput_tps: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """When an upstream's listing was taken; `stale`: it could not be renewed when it was due."""

    fetched_at: datetime
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models of all upstreams. An upstream without a Snapshot is unknown, not empty."""

    models: Mapping[str, Model] = field(default_factory=dict)
    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)

    def __contains__(self, model_id: object) -> bool:
        """Whether the id is listed."""
        return model_id in self.models

    def __iter__(self) -> Iterator[Model]:
        """All models in the upstreams' order."""
        return iter(self.models.values())

    def __len__(self) -> int:
        """How many models are listed."""
        return len(self.models)

    def get(self, model_id: str) -> Model | None:
        """The model of that id, or None."""
        return self.models.get(model_id)

    def knows(self, upstream: str) -> bool:
        """Whether the upstream's listing is at hand, so that absence from it means something."""
        return upstream in self.snapshots
