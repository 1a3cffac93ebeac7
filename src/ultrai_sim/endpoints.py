"""Endpoints: a model at one provider, with its own price, precision and manners.

The first provider of a model serves at the listed price. What the others ask, and how each treats
data, follows from the names, so that it is the same in every world; a row's ``endpoints`` say
otherwise where they are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from ultrai_sim.catalogue import Model
from ultrai_sim.providers import is_named, slug_of

FACTORS = (Decimal("1.1"), Decimal("1.25"), Decimal("1.5"), Decimal(2))
QUANTIZATIONS = ("fp8", "bf16", "fp4", "fp16")
TRAINERS = frozenset({"DeepSeek", "Chutes", "Alibaba", "Nvidia", "Dots Studio"})
MILLION = 1_000_000
PERCENTILES = ("p50", "p75", "p90", "p99")


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One provider of one model. ``first_ms`` and ``pace`` (tokens/s) are its usual ones.

    ``trains``: it may keep prompts and train on them; ``zdr``: it keeps nothing at all.
    """

    provider: str
    pricing: Mapping[str, Any]
    quantization: str | None
    trains: bool
    zdr: bool
    first_ms: int
    pace: int

    @property
    def latencies_ms(self) -> Mapping[str, float]:
        """Until the first token, by percentile."""
        return _spread(self.first_ms, 1)

    @property
    def throughputs(self) -> Mapping[str, float]:
        """Tokens a second, by percentile; the slower ones are the higher."""
        return _spread(self.pace, -1)

    @property
    def slug(self) -> str:
        """What it is called in preferences."""
        return slug_of(self.provider)

    def usd_per_million(self, name: str) -> Decimal:
        """One of its prices per million tokens; what it does not list is free."""
        return Decimal(str(self.pricing.get(name, "0"))) * MILLION

    def is_named(self, names: Any) -> bool:
        """Whether one of the names means its provider."""
        return any(is_named(self.provider, str(name)) for name in names)


def _spread(middle: int, direction: int) -> dict[str, float]:
    step = direction * middle / 5
    return {name: middle + n * step for n, name in enumerate(PERCENTILES)}


def endpoints_of(model: Model) -> Sequence[Endpoint]:
    """All of them, the first to serve in front; worked out once for each row."""
    kept = _KEPT.get(id(model))
    if kept is None:
        kept = (
            model,
            tuple(
                _endpoint(model, provider, rank=rank)
                for rank, provider in enumerate(model.providers)
            ),
        )
        if len(_KEPT) >= MOST_ROWS_KEPT:
            _KEPT.clear()
        _KEPT[id(model)] = kept
    return kept[1]


# By identity, since rows have no hash. It holds the rows too, so that no other gets their place.
_KEPT: dict[int, tuple[Model, tuple[Endpoint, ...]]] = {}
MOST_ROWS_KEPT = 1024


def _endpoint(model: Model, provider: str, *, rank: int) -> Endpoint:
    digest = blake2b(f"{model.id}|{provider}".encode(), digest_size=4).digest()
    pricing = model.pricing if not rank else _dearer(model.pricing, FACTORS[digest[2] % 4])
    return Endpoint(
        provider=provider,
        pricing=pricing,
        quantization=QUANTIZATIONS[digest[2] // 4 % 4] if digest[2] % 2 else None,
        trains=model.is_free or provider in TRAINERS,
        zdr=not model.is_free and provider not in TRAINERS and digest[3] % 3 == 0,
        # Made-up but repeatable: the same model and provider always measure the same.
        first_ms=200 + digest[0] * 8,
        pace=20 + digest[1] // 2,
    )


def _dearer(pricing: Mapping[str, Any], factor: Decimal) -> Mapping[str, Any]:
    return {
        name: price if name == "overrides" else format((Decimal(str(price)) * factor), "f")
        for name, price in pricing.items()
    }
