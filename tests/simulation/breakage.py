"""Which faults a world switches on: any kind of the simulator's vocabulary, with drawn options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from ultrai_sim import Fault
from ultrai_sim.faults import KINDS, SAID

STATUSES = (
    400,
    401,
    402,
    403,
    404,
    405,
    408,
    409,
    410,
    412,
    413,
    422,
    429,
    499,
    500,
    502,
    503,
    504,
    524,
    529,
)
# These end every run that meets them on an upstream: rarely, or nothing else would be seen.
STOPPING = frozenset({401, 402})
STOPPING_KINDS = frozenset(
    {"credits_402", "key_limit_402", "key_limit_403", "budget_403", "echo_key", "balance_402"}
)

# What an option may be. Sizes and paces are such that a world stays cheap, not that it is kind.
_OPTIONS: Mapping[str, Callable[[Random], Any]] = {
    "status": lambda source: source.choice(STATUSES),
    "retry_after": lambda source: source.choice((0, 1, 3, 30, "soon", "-5", "1e9")),
    "retry_after_date_s": lambda source: source.choice((2, 40, -10)),
    "seconds": lambda source: source.choice((0.5, 20, 70, 400)),
    "head_s": lambda source: source.choice((0, 2)),
    "first_token_s": lambda source: source.choice((0, 5)),
    "per_token_s": lambda source: source.choice((0, 0.2)),
    "comments": lambda source: source.random() < 0.5,
    "every_s": lambda source: source.choice((0.5, 5)),
    "after": lambda source: source.choice((0, 1, 2, 5)),
    "how": lambda source: source.choice(("clean", "incomplete")),
    "dialect": lambda source: source.choice(("2025", "2026")),
    "size": lambda source: source.choice((1, 5, 3000)),
    "tokens": lambda source: source.choice((1, 70, 150)),
    "at": lambda source: source.choice(("head", "start", "usage", "done")),
    "code": lambda source: source.choice((13, "502", "null", "overloaded")),
    "headers": lambda source: source.choice(_HEADERS),
    "metadata": lambda source: source.choice(_METADATA),
    "availability": lambda source: source.choice(({}, {"retryable": "perhaps", "code": 7})),
    "text": lambda source: source.choice(("", "no", "<html>no</html>", '{"error": "no"}', "{")),
    "content_type": lambda source: source.choice(("text/plain", "application/json", "text/html")),
}
_WINDOWS: Sequence[Mapping[str, float]] = (
    {"from_s": 2},
    {"until_s": 30},
    {"from_s": 1, "until_s": 90},
)
# Those who are there, and one who is not: a fault that is aimed past everybody must do nothing.
_PARTIES: Sequence[Mapping[str, str]] = (
    {"provider": "Open*"},
    {"provider": "nobody"},
    {"key": "*"},
    {"key": "nobody"},
)
_HEADERS: Sequence[Mapping[str, str]] = (
    {},
    {"X-RateLimit-Reset": "soon"},
    {"Retry-After-Ms": "300"},
    {"X-Generation-Id": "gen-of-somebody-else"},
)
_METADATA: Sequence[Mapping[str, Any]] = (
    {},
    {"error_type": "rate_limit_exceeded"},
    {"error_type": 7, "provider_name": None, "raw": {"error": {"message": ["deep"]}}},
    {"headers": {"X-RateLimit-Reset": "1e999"}, "retry_after_seconds": "NaN"},
)
# Without these a fault of the kind would cost more time than it tells, or always be the same.
_NEEDED = {
    "status": ("status",),
    "endless": ("every_s",),
    "huge_line": ("size",),
    "comments_only": ("every_s",),
    "gzip_bomb": ("size",),
    "drip": ("size", "every_s"),
    "drip_head": ("size", "every_s"),
    "comments_flood": ("size",),
    "body": ("text",),
}


def draw_faults(source: Random, ids: list[str]) -> tuple[Fault, ...]:
    """Some faults; in one world in six none."""
    if source.random() < 1 / 6:
        return ()
    stops = source.random() < 0.25
    candidates = [kind for kind in sorted(KINDS) if stops or kind not in STOPPING_KINDS]
    kinds = source.sample(candidates, source.randint(1, 6))
    return tuple(draw_fault(source, kind, ids) for kind in kinds)


def draw_fault(source: Random, kind: str, ids: list[str]) -> Fault:
    """A fault of that kind, for one model or for all, on some attempts or on all."""
    return Fault(kind=kind, **draw_options(source, kind), **draw_aim(source, ids))


def draw_options(source: Random, kind: str) -> dict[str, Any]:
    """What a fault of that kind needs, and half of what else it may be told."""
    options: dict[str, Any] = {}
    for name in sorted(KINDS[kind]):
        needed = name in _NEEDED.get(kind, ())
        if name in _OPTIONS and (needed or source.random() < 0.5):
            options[name] = _OPTIONS[name](source)
    if options.get("status") in STOPPING and source.random() < 0.8:
        options["status"] = 503
    if kind == "redirect":
        options.pop("status", None)
    if "at" in options:
        options.pop("after", None)
    return options


# Where UltrAI asks for something else than an answer, and so often what is worth a fault.
ASIDE = ("models", "generation", "key")


def draw_fault_aside(source: Random) -> Fault:
    """A fault of any kind that may be there, beside the chats."""
    kinds = [kind for kind in sorted(KINDS) if kind not in SAID]
    options: dict[str, Any] = {"attempts": source.choice((None, (1,), (1, 2), (2, 3)))}
    if source.random() < 0.2:
        options["probability"] = source.choice((0.2, 0.8))
    kind = source.choice(kinds)
    return Fault(kind=kind, route=source.choice(ASIDE), **draw_options(source, kind), **options)


def draw_aim(source: Random, ids: list[str]) -> dict[str, Any]:
    """Whom and when it hits."""
    aim: dict[str, Any] = {
        "attempts": source.choice((None, (1,), (1, 2), (2,), (1, 2, 3, 4))),
        "model": "*" if source.random() < 0.3 else source.choice(ids),
    }
    if source.random() < 0.15:
        aim["probability"] = source.choice((0.2, 0.5, 0.8))
    if source.random() < 0.15:
        aim |= {"on_s": source.choice((1, 20)), "off_s": source.choice((1, 60))}
    if source.random() < 0.1:
        aim["times"] = source.choice((1, 3))
    if source.random() < 0.1:
        aim |= source.choice(_WINDOWS)
    if source.random() < 0.1:
        aim |= source.choice(_PARTIES)
    return aim
