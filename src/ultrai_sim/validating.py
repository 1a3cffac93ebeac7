"""What a chat request may not say: numbers out of their range, messages of nobody.

Parameters that nobody knows are ignored, but those that OpenRouter's schema describes have to fit
it, whatever model is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultrai_sim.refusals import Refusal, refuse

ROLES = ("system", "developer", "user", "assistant", "tool")
RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "top_a": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "repetition_penalty": (0, 2),
    "top_logprobs": (0, 20),
}


def check_numbers(body: Mapping[str, Any]) -> None:
    """Refuse a sampling parameter that is no number of its range; null is none."""
    for name in RANGES.keys() & body.keys():
        value = body[name]
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _wrong(name, "expected number")
        least, most = RANGES[name]
        if value < least:
            raise refuse(400, f"{name}: Number must be greater than or equal to {least:g}")
        if value > most:
            raise refuse(400, f"{name}: Number must be less than or equal to {most:g}")


def check_messages(messages: Sequence[Any]) -> None:
    """Refuse a message that is none, or that nobody says."""
    for n, message in enumerate(messages):
        if not isinstance(message, dict):
            raise _wrong(f"messages.{n}", "expected object")
        if message.get("role") not in ROLES:
            raise _wrong(f"messages.{n}.role", f"expected one of {'|'.join(ROLES)}")


def _wrong(path: str, expected: str) -> Refusal:
    return refuse(400, f"{path}: Invalid input: {expected}")
