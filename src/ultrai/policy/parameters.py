"""Which parameters of a request a model takes, by what the catalogue says of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

# Two spellings of one thing: a model that lists either takes both.
_OTHER_NAMES = {
    "reasoning_effort": "reasoning",
    "include_reasoning": "reasoning",
    "reasoning": "include_reasoning",
}


def unsupported(wanted: Iterable[str], supported: Collection[str]) -> tuple[str, ...]:
    """Those of the wanted parameters that the model does not take.

    A model of which nothing is listed is taken to support all.
    """
    if not supported:
        return ()
    return tuple(
        name for name in wanted if name not in supported and _OTHER_NAMES.get(name) not in supported
    )
