"""An event loop whose time jumps: waiting costs nothing, and order is exact.

When every task waits, the clock jumps to the next timer. A loop on which nothing is scheduled and
nothing is ready would wait for ever: that is reported as the deadlock it is. Sockets have no place
on it (see `network`), and what is meant for a thread is done at once, by whoever asks.
"""

from __future__ import annotations

import asyncio
import selectors
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

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

    # The stubs give it a different shape in every Python version.
    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do it now, on this thread: a thread's time is not virtual."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the future
            future.set_exception(error)
        return future


def run_in_virtual_time(main: Coroutine[object, object, Result]) -> Result:
    """Run to the end on a fresh loop and return the result."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, _own_interrupts():
        return runner.run(main)


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Let Ctrl-C break in at once.

    A Runner that finds the default handler sets its own, and `signal` shows that one, with its
    task and all that this holds, in an error that it swallows: as slow as what is held is large.
    """
    before = signal.getsignal(signal.SIGINT)
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    signal.default_int_handler(number, frame)
