"""The Query: the immutable question that every Slot of a Cocktail is asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Literal

from ultrai.domain.value import value

Role = Literal["system", "user", "assistant"]

DEFAULT_MAX_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation."""

    role: Role
    content: str

    def to_dict(self) -> dict[str, str]:
        """The wire shape, the same for OpenAI's format and for the Report."""
        return {"role": self.role, "content": self.content}


@value
class Sampling:
    """How an answer is drawn. `max_tokens` counts output tokens and is always sent."""

    max_tokens: int = DEFAULT_MAX_TOKENS
    temperature: float | None = None
    seed: int | None = None

    def to_dict(self) -> dict[str, object]:
        """Only what is set."""
        present: dict[str, object] = {"max_tokens": self.max_tokens}
        if self.temperature is not None:
            present["temperature"] = self.temperature
        if self.seed is not None:
            present["seed"] = self.seed
        return present


@dataclass(frozen=True, slots=True)
class Query:
    """The question: messages and sampling. Its fingerprint is its identity for a cache."""

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical JSON form, as hex."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def prompt(self) -> str:
        """The last user message: what a history shows."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return ""

    def with_tokens(self, max_tokens: int) -> Query:
        """The same Query with another `max_tokens`."""
        if max_tokens == self.sampling.max_tokens:
            return self
        return replace(self, sampling=replace(self.sampling, max_tokens=max_tokens))

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        return {"messages": [m.to_dict() for m in self.messages], **self.sampling.to_dict()}


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds one Run: answers wanted, seconds, nanodollars."""

    deadline_s: float
    quorum: int | None = None
    max_cost_nanos: int | None = None
    strict: bool = False
