"""When a fault strikes: which model, provider and key, which attempt, what time, by what chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from ultrai_sim.providers import is_named, slug_of

AIM_KEYS = (
    "model",
    "provider",
    "key",
    "attempts",
    "probability",
    "from_s",
    "until_s",
    "on_s",
    "off_s",
    "times",
)


@dataclass(frozen=True, slots=True)
class Occasion:
    """A request that a fault may hit. ``attempt`` counts from 1 for each model.

    ``since_s`` is how long the world has been going; ``draw`` is from 0 to 1 and belongs to the
    request and the fault.
    """

    model: str
    attempt: int
    provider: str
    key: str = ""
    since_s: float = 0.0
    draw: float = 0.0


def is_model(pattern: str, model_id: str) -> bool:
    """Whether an id, or a pattern such as ``openai/*``, means this model."""
    return pattern in ("*", model_id) or ("*" in pattern and fnmatchcase(model_id, pattern))


def is_provider(pattern: str, provider: str) -> bool:
    """Whether a display name, a slug, or a pattern of either, means this provider."""
    if pattern == "*" or is_named(provider, pattern):
        return True
    low = pattern.lower()
    return "*" in low and any(fnmatchcase(n, low) for n in (provider.lower(), slug_of(provider)))


def is_time(aim: Any, since_s: float) -> bool:
    """Whether the moment lies in the fault's window, and in an "on" part of its flapping."""
    if aim.from_s is not None and since_s < aim.from_s:
        return False
    if aim.until_s is not None and since_s >= aim.until_s:
        return False
    if aim.on_s is None:
        return True
    phase = (since_s - (aim.from_s or 0.0)) % (aim.on_s + (aim.off_s or 0.0))
    return bool(phase < aim.on_s)


def wrong_aim(values: Mapping[str, Any]) -> str | None:
    """What is wrong with the numbers of an aim, in one line; None: nothing."""
    attempts = values.get("attempts")
    if attempts is not None:
        whole = [isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in attempts]
        if not whole or not all(whole):
            return f"'attempts' must be whole numbers from 1, at least one, not {list(attempts)!r}"
    probability = values.get("probability")
    if probability is not None and not 0 <= probability <= 1:
        return f"'probability' lies between 0 and 1, not {probability!r}"
    times = values.get("times")
    if times is not None and times < 1:
        return f"'times' must be 1 or more, not {times!r}"
    for name, value in values.items():
        if name.endswith(("_s", "seconds")) and isinstance(value, int | float):
            least = -float("inf") if name == "retry_after_date_s" else 0
            if not isfinite(value) or value < least:
                return f"{name!r} must be a number of seconds, 0 or more, not {value!r}"
    return None if values.get("off_s") is None or values.get("on_s") else "'off_s' needs 'on_s'"
