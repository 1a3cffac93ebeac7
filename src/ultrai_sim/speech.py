"""What the simulated models say: made-up prose, the same for the same prompt, model and seed.

One piece of text is one token of the model's family. Text keeps some non-ASCII letters on
purpose, so that a client which splits UTF-8 in the wrong place is caught.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from ultrai_sim.question import Question
from ultrai_sim.tokens import split

TOPIC = re.compile(r"[^\W\d_]{4,}")
COMMON = re.compile(
    "about|after|again|also|answer|because|been|explain|from|have|into|like|more|please|simple|"
    "some|tell|terms|that|their|them|then|there|these|they|this|what|when|where|which|with|would|"
    "write|your",
    re.IGNORECASE,
)

OPENINGS = (
    "In short, {a} comes down to how {b} behaves.",
    "Think of {a} as a café where {b} is always on the menu.",
    "There are two ways to look at {a} — one of them starts with {b}.",
    "The honest answer about {a} is: it depends on {b}.",
)
MIDDLES = (
    "First, {a} changes as soon as {b} is measured.",
    "Most people meet {a} through {b}, and that is a good place to start.",
    "A naïve view of {a} misses why {b} matters.",
    "- **{b}** sets the limit; everything else follows.",
    "For example, when {b} doubles, {a} hardly moves (about 5 %).",
    "However, nobody has shown that {a} and {b} are independent.",
    "“Keep {a} small” is the usual advice, and it is sound.",
    "Compare the two: {a} is cheap and slow, {b} is dear and quick ✓.",
)
CLOSINGS = (
    "So if you remember one thing, let it be {b}.",
    "That is why {a} is worth the trouble.",
    "\n\nIn sum: {a} first, {b} second.",
)
THOUGHTS = (
    "The user asks about {a}.",
    "I should mention {b} before anything else.",
    "Is {a} really the point? Probably.",
    "Let me keep it short and check {b} once more.",
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for; ``arguments`` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one generation yields, piece by piece, before it is put on the wire."""

    pieces: tuple[str, ...] = ()
    thoughts: tuple[str, ...] = ()
    finish_reason: str = "stop"
    native_finish_reason: str = "stop"
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    hides_thoughts: bool = False

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)

    @property
    def reasoning(self) -> str | None:
        """The whole reasoning, None where there was none or it is hidden."""
        return "".join(self.thoughts) if self.thoughts and not self.hides_thoughts else None

    @property
    def said(self) -> str:
        """All that was generated: thoughts, text and calls."""
        calls = (call.name + call.arguments for call in self.tool_calls)
        return "".join([*self.thoughts, *self.pieces, *calls])

    @property
    def tokens(self) -> int:
        """Completion tokens, reasoning included."""
        return len(self.pieces) + len(self.thoughts) + 8 * len(self.tool_calls)


@dataclass(frozen=True, slots=True)
class Voice:
    """What a model's answers depend on, beside the question: how it counts, whether it thinks."""

    family: str
    reasons: bool


def draw(*parts: object) -> Random:
    """A source of chance that depends on these parts only."""
    digest = blake2b("\x1f".join(map(str, parts)).encode("utf-8", "replace"), digest_size=8)
    return Random(int.from_bytes(digest.digest()))


def compose(question: Question, *, source: Random, limit: int | None, voice: Voice) -> Answer:
    """Some paragraphs about the prompt's words, cut at ``limit`` tokens.

    A model that reasons thinks first, on the same budget: a small limit leaves it no text at all.
    """
    found = TOPIC.findall(question.prompt)
    words = [word for word in found if not COMMON.fullmatch(word)] or ["that"]
    thought = ""
    if voice.reasons:
        thought = _tell(THOUGHTS, 2 + source.randrange(4), words=words, source=source)
    told = [
        _tell(OPENINGS, 1, words=words, source=source),
        _tell(MIDDLES, 3 + source.randrange(8), words=words, source=source),
        _tell(CLOSINGS, 1, words=words, source=source),
    ]
    family = voice.family
    return cut(Answer(split(" ".join(told), family), split(thought, family)), limit)


def cut(answer: Answer, limit: int | None) -> Answer:
    """The answer as far as ``limit`` tokens go; finish reason ``length`` where that is not all."""
    if limit is None or len(answer.pieces) + len(answer.thoughts) <= limit:
        return answer
    thoughts = answer.thoughts[:limit]
    pieces = answer.pieces[: limit - len(thoughts)]
    return Answer(pieces, thoughts, "length", "length")


def _tell(patterns: tuple[str, ...], count: int, *, words: list[str], source: Random) -> str:
    return " ".join(
        source.choice(patterns).format(a=source.choice(words), b=source.choice(words))
        for _ in range(count)
    )
