"""Ask a cocktail of language models at once.

A Report says who answered, who failed and why, and what it cost to the nanodollar.

    import ultrai

    report = ultrai.ask("Explain quantum computing in simple terms.", cocktail="PREMIUM")

    async with ultrai.open() as u:
        async for event in u.stream("…", cocktail="SPEEDY"):
            ...

Importing this package loads nothing heavy; what a name needs is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ultrai.assembly.entrance import ask, open
    from ultrai.assembly.facade import UltrAI
    from ultrai.domain.cocktail import Cocktail, Slot
    from ultrai.domain.errors import UltraiError
    from ultrai.domain.event import Event
    from ultrai.domain.notice import Notice
    from ultrai.domain.outcome import Answer, Failure
    from ultrai.domain.plan import Plan
    from ultrai.domain.query import Query
    from ultrai.domain.report import Report
    from ultrai.settings.model import Settings

__version__ = "0.1.0"

_HOMES = {
    "Answer": "ultrai.domain.outcome",
    "Cocktail": "ultrai.domain.cocktail",
    "Event": "ultrai.domain.event",
    "Failure": "ultrai.domain.outcome",
    "Notice": "ultrai.domain.notice",
    "Plan": "ultrai.domain.plan",
    "Query": "ultrai.domain.query",
    "Report": "ultrai.domain.report",
    "Settings": "ultrai.settings.model",
    "Slot": "ultrai.domain.cocktail",
    "UltrAI": "ultrai.assembly.facade",
    "UltraiError": "ultrai.domain.errors",
    "ask": "ultrai.assembly.entrance",
    "open": "ultrai.assembly.entrance",
}

__all__ = [
    "Answer",
    "Cocktail",
    "Event",
    "Failure",
    "Notice",
    "Plan",
    "Query",
    "Report",
    "Settings",
    "Slot",
    "UltrAI",
    "UltraiError",
    "__version__",
    "ask",
    "open",
]


def __getattr__(name: str) -> object:
    """Load a public name from its home."""
    home = _HOMES.get(name)
    if home is None:
        message = f"module 'ultrai' has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
