"""Hears the stream of one Attempt and tells the feed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ultrai.domain.event import EventType
from ultrai.engine.feed import Body, Feed


class Witness:
    """Hears the stream of one Attempt and tells the feed; an `Observer`."""

    __slots__ = (
        "_attempt",
        "_commit",
        "_feed",
        "_identify",
        "_slot",
        "first_token_s",
        "generation_id",
    )

    def __init__(
        self,
        feed: Feed,
        slot: int,
        *,
        attempt: int,
        identify: Callable[[str], None],
        commit: Callable[[int], None],
    ) -> None:
        self._feed = feed
        self._slot = slot
        self._commit = commit
        self._attempt = attempt
        self._identify = identify
        self.first_token_s: float | None = None
        self.generation_id: str | None = None

    def head_arrived(self, generation_id: str | None) -> None:
        """A 200 is here."""
        self.generation_id = generation_id
        if generation_id is not None:
            self._identify(generation_id)

    def delta_arrived(self, text: str, reasoning: str) -> None:
        """Text or reasoning, or both, of one read."""
        if self.first_token_s is None:
            self.first_token_s = asyncio.get_running_loop().time()
            self._publish(EventType.FIRST_TOKEN, Body())
        if reasoning:
            self._publish(EventType.REASONING_DELTA, Body(text=reasoning))
        if text:
            self._commit(self._slot)
            self._publish(EventType.TEXT_DELTA, Body(text=text))

    def _publish(self, type_: EventType, body: Body) -> None:
        self._feed.publish(type_, body, slot=self._slot, attempt=self._attempt)
