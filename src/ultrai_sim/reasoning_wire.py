"""Reasoning on the wire: deltas of a stream and the details of a message, in the maker's format.

Thoughts are ``reasoning.text``, or a ``reasoning.summary`` where a maker keeps them back. Behind
them comes what seals them: Anthropic's signature belongs to the text's own detail, an encrypted
copy is a ``reasoning.encrypted`` of its own. All have index 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from ultrai_sim.speech import Answer


def details_of(answer: Answer) -> list[dict[str, Any]]:
    """The ``reasoning_details`` of a message; for an answer that shows its reasoning."""
    whole = _shown(answer, "".join(answer.shown))
    if not answer.seal:
        return [whole]
    if answer.manner.seal == "signature":
        text, body = whole.pop("text"), whole
        return [{"type": body.pop("type"), "text": text, "signature": answer.seal, **body}]
    return [whole, _encrypted(answer)]


def reasoning_deltas(answer: Answer, size: int) -> Iterator[tuple[dict[str, Any], int]]:
    """The deltas that bring the reasoning, with the tokens they stand for."""
    for text, tokens in shown_parts(answer, size):
        yield {"reasoning": text, "reasoning_details": [_shown(answer, text)]}, tokens
    if answer.shown and answer.seal:
        yield {"reasoning": None, "reasoning_details": [_sealing(answer)]}, 0


def shown_parts(answer: Answer, size: int) -> Iterator[tuple[str, int]]:
    """The reasoning that is shown, ``size`` tokens at a time, with the tokens it stands for.

    A summary stands for all the thoughts behind it.
    """
    shown, paid = answer.shown, 0
    for start in range(0, len(shown), size):
        due = len(answer.thoughts) * min(start + size, len(shown)) // len(shown)
        yield "".join(shown[start : start + size]), due - paid
        paid = due


def _shown(answer: Answer, text: str) -> dict[str, Any]:
    kind = "text" if answer.summary is None else "summary"
    return {"type": f"reasoning.{kind}", kind: text, "format": answer.manner.format, "index": 0}


def _sealing(answer: Answer) -> dict[str, Any]:
    if answer.manner.seal == "signature":
        return {
            "type": "reasoning.text",
            "signature": answer.seal,
            "format": answer.manner.format,
            "index": 0,
        }
    return _encrypted(answer)


def _encrypted(answer: Answer) -> dict[str, Any]:
    """An encrypted copy; Gemini ties it to the call it led to, the others name it themselves."""
    named = {}
    if answer.manner.summarises:
        named["id"] = f"rs_{blake2b(answer.seal.encode(), digest_size=25).hexdigest()}"
    elif answer.tool_calls:
        named["id"] = answer.tool_calls[0].id
    return {
        "type": "reasoning.encrypted",
        "data": answer.seal,
        **named,
        "format": answer.manner.format,
        "index": 0,
    }
