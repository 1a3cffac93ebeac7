"""Opens the answer cache for commands that look into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ultrai.assembly.clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    from ultrai.settings.model import Settings
    from ultrai.store.answer_shelf import AnswerShelf
    from ultrai.store.valkey_shelf import ValkeyShelf


def cache_path(settings: Settings) -> Path:
    """Where the cache's file is."""
    return settings.home / "answers.db"


def open_shelf(settings: Settings) -> AnswerShelf | ValkeyShelf:
    """The cache as a person looks at it; the caller closes it."""
    from ultrai.store.answer_shelf import AnswerShelf

    if settings.valkey_url is not None:
        from ultrai.store.valkey_shelf import ValkeyShelf

        return ValkeyShelf(settings.valkey_url)
    return AnswerShelf(cache_path(settings))


def now_s() -> float:
    """Unix time."""
    return SystemClock().now().timestamp()
