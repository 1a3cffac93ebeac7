"""The Query: the immutable question that every Slot of a Cocktail is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ultrai.domain.document import Document
from ultrai.domain.value import value

Role = Literal["system", "user", "assistant", "tool"]

DEFAULT_MAX_TOKENS = 1000
_NOTHING: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation.

    `extra` are further keys of the wire, passed on as they are: a tool's call and its result.
    `counted` is text that a model reads with the message although it stands elsewhere in the
    request: what its tools are.
    """

    role: Role
    content: str
    extra: Mapping[str, object] = field(default_factory=lambda: _NOTHING, hash=False)
    counted: str = ""

    @property
    def read(self) -> str:
        """All the text of it that a model counts."""
        if not self.extra and not self.counted:
            return self.content
        return self.content + self.counted + json.dumps(self.extra, ensure_ascii=False)

    def to_dict(self) -> dict[str, object]:
        """The wire shape, the same for OpenAI's format and for the Report."""
        return {"role": self.role, "content": self.content, **self.extra}


@value
class Sampling:
    """How an answer is drawn. `max_tokens` counts output tokens and is always sent.

    `extra` are further parameters of the wire by name, passed on as they are: `top_p`, `stop`.
    """

    max_tokens: int = DEFAULT_MAX_TOKENS
    temperature: float | None = None
    seed: int | None = None
    extra: Mapping[str, object] = field(default_factory=lambda: _NOTHING, hash=False)

    @property
    def optional(self) -> tuple[str, ...]:
        """The names of what is set beside `max_tokens`: a model may not support them."""
        own = (("temperature", self.temperature), ("seed", self.seed))
        return (*(name for name, value in own if value is not None), *self.extra)

    def fitted(self, max_tokens: int, *, without: Collection[str]) -> Sampling:
        """The same with another `max_tokens`, and without these parameters."""
        return Sampling(
            max_tokens=max_tokens,
            temperature=None if "temperature" in without else self.temperature,
            seed=None if "seed" in without else self.seed,
            extra={name: value for name, value in self.extra.items() if name not in without},
        )

    def to_dict(self) -> dict[str, object]:
        """Only what is set."""
        present: dict[str, object] = {"max_tokens": self.max_tokens}
        if self.temperature is not None:
            present["temperature"] = self.temperature
        if self.seed is not None:
            present["seed"] = self.seed
        present.update(self.extra)
        return present


@dataclass(frozen=True, slots=True)
class Query:
    """The question: messages and sampling, and the documents that it is about.

    Its fingerprint is its identity for a cache.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    documents: tuple[Document, ...] = ()

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
        """The JSON shape of the contract; of documents, which texts they were."""
        shape = {"messages": [m.to_dict() for m in self.messages], **self.sampling.to_dict()}
        if self.documents:
            shape["documents"] = [document.to_dict() for document in self.documents]
        return shape


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds one Run: answers wanted, seconds, nanodollars."""

    deadline_s: float
    quorum: int | None = None
    max_cost_nanos: int | None = None
    strict: bool = False
