"""What a catalogue says about the embedded models, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ultrai.local.models import LOCAL_MODELS, LocalModel

# Those of llama.cpp's /v1/chat/completions that bear OpenRouter's names (its server's README).
# It silently ignores names that it does not know, so that only tried ones are listed.
SUPPORTED_PARAMETERS = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "max_tokens",
        "min_p",
        "presence_penalty",
        "response_format",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_p",
    }
)


@dataclass(frozen=True, slots=True)
class LocalListing:
    """One row: windows and limits in tokens, price in USD per token (it is zero)."""

    id: str
    name: str
    context_length: int
    max_completion_tokens: int
    price_usd: Decimal
    supported_parameters: frozenset[str]
    tokenizer: str


def local_listings() -> tuple[LocalListing, ...]:
    """One row for each known model, pulled or not."""
    return tuple(_listing(model) for model in LOCAL_MODELS)


def _listing(model: LocalModel) -> LocalListing:
    return LocalListing(
        id=model.id,
        name=f"{model.title}, {model.label}",
        context_length=model.context_length,
        max_completion_tokens=model.context_length,
        price_usd=Decimal(0),
        supported_parameters=SUPPORTED_PARAMETERS,
        tokenizer=model.tokenizer,
    )
