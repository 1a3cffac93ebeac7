"""Which faults a world switches on: any kind of the simulator's vocabulary, with drawn options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from ultrai_sim import Fault
from ultrai_sim.faults import KINDS

STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 524, 529)
# These end every run that meets them on an upstream: rarely, or nothing else would be seen.
STOPPING = frozenset({401, 402})
STOPPING_KINDS = frozenset(
    {"credits_402", "key_limit_402", "key_limit_403", "budget_403", "echo_key"}
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
    "text": lambda source: source.choice(("", "no", "<html>no</html>", '{"error": "no"}', "{")),
    "content_type": lambda source: source.choice(("text/plain", "application/json", "text/html")),
}
# Without these a fault of the kind would cost more time than it tells, or always be the same.
_NEEDED = {
    "status": ("status",),
    "endless": ("every_s",),
    "huge_line": ("size",),
    "comments_only": ("every_s",),
    "gzip_bomb": ("size",),
    "drip": ("size", "every_s"),
    "comments_flood": ("size",),
    "body": ("text",),
}


def draw_faults(source: Random, ids: list[str]) -> tuple[Fault, ...]:
    """Some faults; in one world in six none."""
    if source.random() < 1 / 6:
        return ()
    stops = source.random() < 0.1
    candidates = [kind for kind in sorted(KINDS) if stops or kind not in STOPPING_KINDS]
    kinds = source.sample(candidates, source.randint(1, 6))
    return tuple(draw_fault(source, kind, ids) for kind in kinds)


def draw_fault(source: Random, kind: str, ids: list[str]) -> Fault:
    """A fault of that kind, for one model or for all, on some attempts or on all."""
    options: dict[str, Any] = {}
    for name in sorted(KINDS[kind]):
        needed = name in _NEEDED.get(kind, ())
        if name in _OPTIONS and (needed or source.random() < 0.5):
            options[name] = _OPTIONS[name](source)
    if options.get("status") in STOPPING and source.random() < 0.8:
        options["status"] = 503
    if kind == "redirect":
        options.pop("status", None)
    attempts = source.choice((None, (1,), (1, 2), (2,), (1, 2, 3, 4)))
    model = "*" if source.random() < 0.3 else source.choice(ids)
    if source.random() < 0.15:
        options["probability"] = source.choice((0.2, 0.5, 0.8))
    if source.random() < 0.15:
        options |= {"on_s": source.choice((1, 20)), "off_s": source.choice((1, 60))}
    if source.random() < 0.1:
        options["times"] = source.choice((1, 3))
    return Fault(kind=kind, model=model, attempts=attempts, **options)
