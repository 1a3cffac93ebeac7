"""What is known of models at a glance: rows of `ready` and `tokens`, the doctor's findings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ultrai.domain.outcome import Cost
from ultrai.domain.plan import NotReadyReason


@dataclass(frozen=True, slots=True)
class TokenRow:
    """How many tokens a model is expected to make of texts.

    `estimates` are those of each text by its tokenizer family alone. `tokens` is their sum as
    corrected by what the model `counted` of earlier prompts that were `estimated`; both are 0 where
    it has counted none. `planned` is `tokens` times `margin`: what a window must hold.
    `is_measured`: the margin was measured with the family's exact tokenizer.
    """

    model: str
    tokenizer: str | None
    estimates: tuple[int, ...]
    tokens: int
    planned: int
    margin: float
    is_measured: bool
    context_length: int | None = None
    counted: int = 0
    estimated: int = 0

    @property
    def learned_percent(self) -> int | None:
        """What it counted, of what was estimated; None: it has counted nothing."""
        return round(100 * self.counted / self.estimated) if self.estimated else None

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "model": self.model,
            "tokenizer": self.tokenizer,
            "estimates": list(self.estimates),
            "tokens": self.tokens,
            "planned": self.planned,
            "margin": self.margin,
            "margin_is": "measured" if self.is_measured else "not measured",
            "context_length": self.context_length,
            "learned": {
                "counted": self.counted,
                "estimated": self.estimated,
                "percent": self.learned_percent,
            },
        }


@dataclass(frozen=True, slots=True)
class ReadinessRow:
    """One model of the cocktails. Prices are decimal strings in USD per million tokens.

    Latencies are our own, over recent Attempts; None: never asked. `until_s` is Unix seconds.
    """

    model: str
    upstream: str
    cocktails: tuple[str, ...]
    ready: bool
    reason: NotReadyReason | None = None
    message: str = ""
    until_s: float | None = None
    context_length: int | None = None
    prompt_usd_per_million: str | None = None
    completion_usd_per_million: str | None = None
    first_token_ms_p50: int | None = None
    first_token_ms_p95: int | None = None
    total_ms_p50: int | None = None
    total_ms_p95: int | None = None
    serves_instead: str | None = None

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "model": self.model,
            "upstream": self.upstream,
            "cocktails": list(self.cocktails),
            "ready": self.ready,
            "reason": None if self.reason is None else self.reason.value,
            "message": self.message,
            "until_s": self.until_s,
            "context_length": self.context_length,
            "prompt_usd_per_million": self.prompt_usd_per_million,
            "completion_usd_per_million": self.completion_usd_per_million,
            "first_token_ms": {"p50": self.first_token_ms_p50, "p95": self.first_token_ms_p95},
            "total_ms": {"p50": self.total_ms_p50, "p95": self.total_ms_p95},
            "serves_instead": self.serves_instead,
        }


class Problem(StrEnum):
    """What the doctor finds wrong with an id."""

    GONE = "gone"
    EXPIRING = "expiring"
    PRICE_CHANGED = "price_changed"
    WINDOW_SMALL = "window_small"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one id. `replacement` is what would serve instead, if anything would."""

    severity: str  # "ok", "warning" or "error"
    model: str
    cocktails: tuple[str, ...]
    problem: Problem | None
    message: str
    replacement: str | None = None

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "severity": self.severity,
            "model": self.model,
            "cocktails": list(self.cocktails),
            "problem": None if self.problem is None else self.problem.value,
            "message": self.message,
            "replacement": self.replacement,
        }


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that should be so before others depend on it; `advice` where it is not."""

    name: str
    severity: str  # "ok", "warning" or "error"
    message: str
    advice: str | None = None

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "name": self.name,
            "severity": self.severity,
            "message": self.message,
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a one-token request to a model came to."""

    model: str
    ok: bool
    message: str
    first_token_ms: int | None
    cost: Cost

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "model": self.model,
            "ok": self.ok,
            "message": self.message,
            "first_token_ms": self.first_token_ms,
            **self.cost.to_dict(),
        }
