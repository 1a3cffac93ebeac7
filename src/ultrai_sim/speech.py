"""What one generation yields, piece by piece, before it is put on the wire.

One piece of text is one token of the model's family, so what a stream has delivered and what is
billed are counted in the same coin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from random import Random

from ultrai_sim.manners import PLAIN, Manner

TOKENS_OF_A_CALL = 8


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for; ``arguments`` is JSON text, ``fragments`` its tokens.

    ``naming`` is what the call costs beside its arguments.
    """

    id: str
    name: str
    arguments: str
    fragments: tuple[str, ...] = ()
    naming: int = TOKENS_OF_A_CALL

    @property
    def pieces(self) -> tuple[str, ...]:
        """The arguments token by token."""
        return self.fragments or ((self.arguments,) if self.arguments else ())

    @property
    def tokens(self) -> int:
        """Completion tokens, the naming included."""
        return self.naming + len(self.pieces)


@dataclass(frozen=True, slots=True)
class Citation:
    """A page that an answer rests on; ``start`` and ``end`` are places in its text."""

    url: str
    title: str
    content: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Thoughts, then text, then calls. ``summary`` is shown in the place of hidden thoughts.

    ``seal`` is the signature or the encrypted copy of the thoughts. ``rivals`` is how many other
    tokens are named beside each one, None where no probabilities were asked for.
    """

    pieces: tuple[str, ...] = ()
    thoughts: tuple[str, ...] = ()
    finish_reason: str = "stop"
    native_finish_reason: str = "stop"
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    hides_thoughts: bool = False
    summary: tuple[str, ...] | None = None
    seal: str = ""
    manner: Manner = PLAIN
    citations: tuple[Citation, ...] = ()
    rivals: int | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)

    @property
    def shown(self) -> tuple[str, ...]:
        """The thoughts that the client gets to see."""
        if self.hides_thoughts or not self.thoughts:
            return ()
        return self.thoughts if self.summary is None else self.summary

    @property
    def reasoning(self) -> str | None:
        """The reasoning that is shown, None where there is none."""
        return "".join(self.shown) or None

    @property
    def said(self) -> str:
        """All that was generated: thoughts, text and calls."""
        calls = (call.name + call.arguments for call in self.tool_calls)
        return "".join([*self.thoughts, *self.pieces, *calls])

    @property
    def tokens(self) -> int:
        """Completion tokens, reasoning included."""
        said = len(self.pieces) + len(self.thoughts)
        return said + sum(call.tokens for call in self.tool_calls) if self.tool_calls else said


def draw(*parts: object) -> Random:
    """A source of chance that depends on these parts only."""
    digest = blake2b("\x1f".join(map(str, parts)).encode("utf-8", "replace"), digest_size=8)
    return Random(int.from_bytes(digest.digest()))


def cut(answer: Answer, limit: int | None) -> Answer:
    """The answer as far as ``limit`` tokens go; finish reason ``length`` where that is not all."""
    if limit is None or answer.tokens <= limit:
        return answer
    thoughts = answer.thoughts[:limit]
    left = limit - len(thoughts)
    pieces = answer.pieces[:left]
    left -= len(pieces)
    return replace(
        answer,
        pieces=pieces,
        thoughts=thoughts,
        tool_calls=tuple(_cut_calls(answer.tool_calls, left)),
        finish_reason="length",
        native_finish_reason="length",
    )


def _cut_calls(calls: Iterable[ToolCall], left: int) -> Iterator[ToolCall]:
    """The calls as far as so many tokens go, the last one perhaps with broken arguments."""
    for call in calls:
        if not left:
            return
        naming = min(call.naming, left)
        fragments = call.pieces[: left - naming]
        made = replace(call, naming=naming, fragments=fragments, arguments="".join(fragments))
        left -= made.tokens
        yield made
