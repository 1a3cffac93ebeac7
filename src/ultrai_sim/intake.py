"""The prompt as it is billed: how many of its tokens are of which kind, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any, Literal

Search = Literal["native", "orchestrated"]

NOTHING = Decimal(0)
PRICE_OF_A_SEARCH = Decimal("0.007")
"""In USD, where OpenRouter searches for a model that cannot."""
PRICES_OF_TOOLS: Mapping[str, Decimal] = {
    "openrouter:advisor": Decimal("0.0144"),
    "openrouter:fusion": Decimal("0.12"),
    "openrouter:image_generation": Decimal("0.04"),
    "openrouter:subagent": Decimal("0.0081"),
}
"""In USD, what the models behind a tool cost that OpenRouter runs; the others cost nothing."""


@dataclass(frozen=True, slots=True)
class Intake:
    """All tokens of a prompt, and how many of them were read from a cache or written to one.

    ``kept_s`` is for how long what was written stays. ``search`` is who searched the web, if
    anybody did, ``served`` the other tools that OpenRouter ran.
    """

    tokens: int
    cached: int = 0
    written: int = 0
    audio: int = 0
    video: int = 0
    kept_s: float = 0.0
    search: Search | None = None
    served: tuple[str, ...] = ()

    @property
    def orchestrated(self) -> bool:
        """Whether OpenRouter ran a tool for the model."""
        return self.search == "orchestrated" or bool(self.served)


def price_of(prices: Mapping[str, Any], name: str, *, instead: str = "") -> Decimal:
    """A price in USD, or the other one where it is not named; never below nothing."""
    return _price(str(prices.get(name, prices.get(instead, "0"))))


@cache
def _price(text: str) -> Decimal:
    return max(Decimal(text), NOTHING)


def prompt_parts(prices: Mapping[str, Any], intake: Intake) -> list[tuple[Decimal, int]]:
    """The prompt as prices and how many tokens are paid at each."""
    an_hour = 3600.0
    write = "input_cache_write_1h" if intake.kept_s >= an_hour else "input_cache_write"
    fresh = intake.tokens - intake.cached - intake.written
    # What was heard may have been cached too, with all that stood before it.
    heard = min(intake.audio, fresh)
    again = min(intake.audio - heard, intake.cached)
    read = "input_cache_read" if "input_cache_read" in prices else "prompt"
    parts = [
        (price_of(prices, "prompt"), fresh - heard),
        (price_of(prices, read), intake.cached - again),
        (price_of(prices, write, instead="prompt"), intake.written),
    ]
    if intake.audio:
        parts.append((price_of(prices, "audio", instead="prompt"), heard))
        parts.append((price_of(prices, "input_audio_cache", instead=read), again))
    return parts


def tools_price(prices: Mapping[str, Any], intake: Intake) -> Decimal:
    """What searches and other tools cost, in USD; a search by the model has the model's price."""
    served = sum((PRICES_OF_TOOLS.get(kind, NOTHING) for kind in intake.served), NOTHING)
    if intake.search is None:
        return served
    native = intake.search == "native"
    return served + (price_of(prices, "web_search") if native else PRICE_OF_A_SEARCH)


def cache_discount(prices: Mapping[str, Any], intake: Intake) -> float | None:
    """What caching saved, below zero where writing cost more; None where nothing was cached."""
    if not intake.cached and not intake.written:
        return None
    plain = replace(intake, cached=0, written=0)
    return float(_sum(prices, plain) - _sum(prices, intake))


def _sum(prices: Mapping[str, Any], intake: Intake) -> Decimal:
    return sum((price * tokens for price, tokens in prompt_parts(prices, intake)), NOTHING)
