"""How long answers take when that varies: from one request to the next, from model to model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b
from math import exp, log
from statistics import NormalDist

from ultrai_sim.aim import is_model
from ultrai_sim.reading import MOST_SECONDS
from ultrai_sim.schedule import Latency

_NORMAL = NormalDist()
_Z95 = _NORMAL.inv_cdf(0.95)
_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Spread:
    """A lognormal duration in seconds, by its median and its 95th percentile."""

    p50: float
    p95: float

    def __post_init__(self) -> None:
        """Refuse what no spread could be."""
        if not 0 < self.p50 <= self.p95:
            message = f"expected 0 < p50 <= p95, not p50 = {self.p50} and p95 = {self.p95}"
            raise ValueError(message)

    def at(self, share: float) -> float:
        """The duration that this share of all (from 0 to 1) falls below."""
        sigma = (log(self.p95) - log(self.p50)) / _Z95
        drawn = log(self.p50) + sigma * _NORMAL.inv_cdf(min(max(share, _EDGE), 1 - _EDGE))
        return exp(min(drawn, log(MOST_SECONDS)))


@dataclass(frozen=True, slots=True)
class Pace:
    """Latencies with their spreads, for the models that a pattern means."""

    model: str = "*"
    base: Latency = field(default_factory=Latency)
    spreads: Mapping[str, Spread] = field(default_factory=dict)

    def latency(self, drawn: bytes) -> Latency:
        """The latencies of one request; the same bytes give the same."""
        if not self.spreads:
            return self.base
        values = {}
        for name, spread in self.spreads.items():
            digest = blake2b(drawn + name.encode(), digest_size=8).digest()
            values[name] = spread.at(int.from_bytes(digest, "big") / 2**64)
        return replace(self.base, **values)


SPREAD_KEYS = tuple(spec.name for spec in fields(Latency) if spec.name != "comment_every_s")


def pace_of(paces: tuple[Pace, ...], model_id: str) -> Pace | None:
    """The last one whose pattern means the model; None: none does."""
    return next((pace for pace in reversed(paces) if is_model(pace.model, model_id)), None)
