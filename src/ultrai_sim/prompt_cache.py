"""Prompt caching: which prefix of a prompt its provider has seen before, and may read cheaply.

Two kinds are real. Claude caches up to what is marked with `cache_control` (with one at the top
level: up to the end) and is paid for writing. The others cache by themselves, in steps of 128
tokens; OpenAI's models are paid for writing too where their prices say so. Nothing below 1,024
tokens is cached, and nothing by a model that names no price for reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import msgspec

from ultrai_sim.catalogue import Model
from ultrai_sim.intake import Intake
from ultrai_sim.manners import maker_of
from ultrai_sim.question import Question, text_of_message
from ultrai_sim.tokens import FAMILIES, count

LEAST_TOKENS = 1024
STEP = 128
AUTOMATIC_S = 600.0
MARKED_S: Mapping[Any, float] = {"5m": 300.0, "1h": 3600.0}
MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prompt up to the end of one message, and for how long it is kept; None: it is not."""

    key: bytes
    tokens: int
    kept_s: float | None


def prefixes_of(question: Question, model: Model, *, provider: str) -> list[Prefix]:
    """The prefixes of a prompt that are long enough, shortest first."""
    return [prefix for prefix in _prefixes(question, model, provider=provider) if prefix.tokens]


def _prefixes(question: Question, model: Model, *, provider: str) -> Iterator[Prefix]:
    family = model.family
    marked = is_marked(model)
    key = blake2b(f"{provider} {model.id} {question.tools_text}".encode(), digest_size=16).digest()
    tokens = count(question.tools_text, family) + FAMILIES[family].per_request
    last = len(question.said) - 1
    for n, message in enumerate(question.said):
        key = blake2b(key + msgspec.json.encode(_bare(message)), digest_size=16).digest()
        tokens += count(text_of_message(message), family) + FAMILIES[family].per_message
        if tokens >= LEAST_TOKENS:
            own = question.cache_control if n == last else None
            yield Prefix(key, tokens, _mark(message, own) if marked else AUTOMATIC_S)


def is_marked(model: Model) -> bool:
    """Whether a model caches what is marked, and not by itself."""
    return maker_of(model.id) == "anthropic"


@dataclass(slots=True)
class PromptCache:
    """Until when each prefix is remembered."""

    until: dict[bytes, float] = field(default_factory=dict)

    def look_up(
        self, intake: Intake, prefixes: Sequence[Prefix], *, model: Model, now: float
    ) -> Intake:
        """The intake, with what is read from the cache and what will be written to it."""
        known = (prefix.tokens for prefix in prefixes if self.until.get(prefix.key, 0.0) > now)
        cached = min(max(known, default=0), intake.tokens)
        if is_marked(model):
            ends = [prefix for prefix in prefixes if prefix.kept_s is not None]
            if not ends:
                return intake
            written = max(min(ends[-1].tokens, intake.tokens) - cached, 0)
            return replace(intake, cached=cached, written=written, kept_s=ends[-1].kept_s or 0.0)
        cached = cached // STEP * STEP
        pays = maker_of(model.id) == "openai" and "input_cache_write" in model.pricing
        written = (intake.tokens - cached) // STEP * STEP if pays else 0
        return replace(intake, cached=cached, written=written)

    def remember(self, prefixes: Sequence[Prefix], now: float) -> None:
        """A prompt was read: the prefixes that are kept are known from now on."""
        for prefix in prefixes:
            if prefix.kept_s is not None:
                self.until.pop(prefix.key, None)
                self.until[prefix.key] = now + prefix.kept_s
        while len(self.until) > MOST_KEPT:
            del self.until[next(iter(self.until))]


def _bare(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message without its marks: they may move from one request to the next."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    parts = [
        {key: value for key, value in part.items() if key != "cache_control"}
        if isinstance(part, dict)
        else part
        for part in content
    ]
    return {**message, "content": parts}


def _mark(message: Mapping[str, Any], own: Any) -> float | None:
    """For how long a message's end is to be kept; None where it is not marked."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    marks = [own, *(part.get("cache_control") for part in parts if isinstance(part, dict))]
    ttls = [mark.get("ttl", "5m") for mark in marks if isinstance(mark, dict)]
    return MARKED_S.get(ttls[-1], MARKED_S["5m"]) if ttls else None
