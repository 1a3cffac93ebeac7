"""When a fault strikes: which model, provider and key, which attempt, what time, by what chance."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ultrai_sim.providers import is_named, slug_of

AIM_KEYS = (
    "route",
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

SPOKEN = ("chat", "embeddings")
"""The routes that a fault strikes which names none."""
PLAIN = ("models", "generation", "key", "credits")
ROUTES = (*SPOKEN, *PLAIN)
WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Occasion:
    """A request that a fault may hit.

    ``attempt`` counts from 1 for each model, or for each route that belongs to none. ``since_s`` is
    how long the world has been going; ``draw`` is from 0 to 1 and belongs to the request and the
    fault.
    """

    model: str
    attempt: int
    provider: str
    key: str = ""
    since_s: float = 0.0
    draw: float = 0.0
    route: str = "chat"


def is_model(pattern: str, model_id: str) -> bool:
    """Whether an id, or a pattern such as ``openai/*``, means this model."""
    if pattern in ("*", model_id):
        return True
    return not WILD.isdisjoint(pattern) and fnmatchcase(model_id, pattern)


def is_provider(pattern: str, provider: str) -> bool:
    """Whether a display name, a slug, or a pattern of either, means this provider."""
    if pattern == "*" or is_named(provider, pattern):
        return True
    low = pattern.lower()
    if WILD.isdisjoint(low):
        return False
    return any(fnmatchcase(name, low) for name in (provider.lower(), slug_of(provider)))


def is_route(wanted: str | None, route: str) -> bool:
    """Whether a fault strikes on a route; without one it does where models answer."""
    return route in SPOKEN if wanted is None else wanted == route


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


def wrong_aim(aim: Any) -> str | None:
    """Which keys of an aim contradict each other, in one line; None: none."""
    if aim.until_s is not None and aim.until_s <= (aim.from_s or 0.0):
        return f"'until_s' must be later than {aim.from_s or 0:g} s, where it begins"
    if aim.off_s is not None and aim.on_s is None:
        return "'off_s' needs 'on_s'"
    if aim.route in PLAIN and aim.route != "generation" and (aim.model, aim.provider) != ("*", "*"):
        return f"'model' and 'provider' do not go with the route {aim.route!r}"
    return None
