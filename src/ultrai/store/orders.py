"""Steps of the ledger on their way to the writer, and back to whoever waits for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress

from ultrai.domain.errors import StoreError
from ultrai.domain.ledger import Grant, Shortage, Step

_LOG = logging.getLogger("ultrai.ledger")

Outcome = Grant | Shortage | None


class Order:
    """Steps that belong to one transaction. Without a `future` nobody waits for them."""

    __slots__ = ("error", "future", "loop", "outcomes", "steps")

    def __init__(
        self, steps: Sequence[Step], loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.steps = tuple(steps)
        self.loop = loop
        self.future: asyncio.Future[Sequence[Outcome]] | None = None
        self.outcomes: Sequence[Outcome] = ()
        self.error: StoreError | None = None
        if loop is not None:
            self.future = loop.create_future()


def answer(orders: Iterable[Order], *, inline: bool) -> None:
    """Tell whoever waits; from the writer's thread, once per event loop. Else the log is told."""
    waiting: dict[asyncio.AbstractEventLoop, list[Order]] = {}
    for order in orders:
        if order.loop is not None:
            waiting.setdefault(order.loop, []).append(order)
        elif order.error is not None:
            names = ", ".join(type(step).__name__ for step in order.steps)
            _LOG.error("%s of a run was not recorded: %s. %s", names, order.error, order.error.hint)
    for loop, those in waiting.items():
        if inline:
            _resolve(those)
            continue
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(_resolve, those)


def _resolve(orders: Iterable[Order]) -> None:
    for order in orders:
        future = order.future
        if future is None or future.done():
            continue
        if order.error is not None:
            future.set_exception(order.error)
        else:
            future.set_result(order.outcomes)
