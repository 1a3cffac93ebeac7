"""Text completions: the answer to a ``prompt`` in the place of messages, as ``choices[].text``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ultrai_sim.speech import Answer


def text_choice(
    text: str, finish: Mapping[str, Any] | None = None, *, reasoning: str | None = None
) -> dict[str, Any]:
    """The one choice of a body or a frame; ``finish`` None: not ended yet."""
    ended = finish or {"finish_reason": None, "native_finish_reason": None}
    return {"index": 0, "logprobs": None, **ended, "text": text, "reasoning": reasoning}


def text_choices(answer: Answer, size: int) -> Iterator[tuple[dict[str, Any], int]]:
    """The choices of a stream up to its end, ``size`` tokens in each, with their tokens."""
    shown, paid = answer.shown, 0
    for start in range(0, len(shown), size):
        due = len(answer.thoughts) * min(start + size, len(shown)) // len(shown)
        yield text_choice("", reasoning="".join(shown[start : start + size])), due - paid
        paid = due
    unseen = 0 if shown else len(answer.thoughts)
    for start in range(0, len(answer.pieces), size):
        part = answer.pieces[start : start + size]
        yield text_choice("".join(part)), len(part) + unseen
        unseen = 0
