"""Text completions: the answer to a ``prompt`` in the place of messages, as ``choices[].text``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ultrai_sim.reasoning_wire import shown_parts
from ultrai_sim.speech import Answer


def text_choice(
    text: str, finish: Mapping[str, Any] | None = None, *, reasoning: str | None = None
) -> dict[str, Any]:
    """The one choice of a body or a frame; ``finish`` None: not ended yet."""
    ended = finish or {"finish_reason": None, "native_finish_reason": None}
    return {"index": 0, "logprobs": None, **ended, "text": text, "reasoning": reasoning}


def text_choices(answer: Answer, size: int) -> Iterator[tuple[dict[str, Any], int]]:
    """The choices of a stream up to its end, ``size`` tokens in each, with their tokens."""
    for text, tokens in shown_parts(answer, size):
        yield text_choice("", reasoning=text), tokens
    unseen = 0 if answer.shown else len(answer.thoughts)
    for start in range(0, len(answer.pieces), size):
        part = answer.pieces[start : start + size]
        yield text_choice("".join(part)), len(part) + unseen
        unseen = 0
