"""An event loop whose time jumps: waiting costs nothing, and order is exact.

When every task waits, the clock jumps to the next timer. A loop on which nothing is scheduled and
nothing is ready would wait for ever: that is reported as the deadlock it is. Threads and sockets
have no place on it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

Result = TypeVar("Result")
START_S = 1000.0


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: moves the loop's clock on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Jump to the next timer; nothing is ever readable."""
        if timeout is None:
            message = "deadlock on virtual time: every task waits and no timer is set"
            raise RuntimeError(message)
        if timeout > 0:
            self.now_s += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop on virtual time that starts at 1000 s."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds."""
        return self._jumping.now_s


def run_in_virtual_time(main: Coroutine[object, object, Result]) -> Result:
    """Run to the end on a fresh loop and return the result."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
