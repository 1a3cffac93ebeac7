"""Runs the engine from the command line: the event loop, the ticks of the view, the signals.

Ctrl-C is a ladder. Before anything was sent: the command ends. Once while a Run goes on: no more
waiting, what is there counts (a second later, or nobody could press twice: a Run without open Slots
is over at once). Twice, or SIGTERM: the Run is cancelled, what arrived is printed and stored. Three
times: the system's own way, at once.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Protocol, Self, TypeVar

from ultrai.cli.terminal import ReaderGone
from ultrai.domain.event import Event
from ultrai.domain.report import Report

_TICK_S = 0.06
SECOND_STEP_S = 1.0
_MS_PER_S = 1000

T = TypeVar("T")


class Handle(Protocol):
    """A Run that goes on, as the facade gives it out."""

    def events(self) -> AsyncIterator[Event]:
        """Every Event from the first."""
        ...

    async def report(self) -> Report:
        """The Report, when the Run has ended."""
        ...

    def stop_waiting(self) -> None:
        """Go on with what is there."""
        ...

    def cancel(self) -> None:
        """End now; what arrived is kept."""
        ...


class Audience(Protocol):
    """Who is shown the Run."""

    def apply(self, event: Event) -> None:
        """Take in one Event."""
        ...

    def tick(self, elapsed_ms: int) -> None:
        """Time has passed."""
        ...

    def remark(self, text: str) -> None:
        """A line for the person."""
        ...


def run_async(main: Coroutine[object, object, T]) -> T:
    """Run `main` to its end, on uvloop where it is installed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


async def follow(handle: Handle, audience: Audience, *, ladder: Ladder) -> Report:
    """Show a Run from its first Event to its last and return its Report.

    Raises ReaderGone, after the Run was cancelled and stored, when nobody reads the output.
    """
    began_s = asyncio.get_running_loop().time()
    ticker = asyncio.create_task(_tick(audience, began_s))
    ladder.attach(handle, audience)
    try:
        async for event in handle.events():
            audience.apply(event)
        return await handle.report()
    except ReaderGone:
        handle.cancel()
        await handle.report()
        raise
    finally:
        ticker.cancel()
        with suppress(asyncio.CancelledError, ReaderGone):
            await ticker


async def _tick(audience: Audience, began_s: float) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_TICK_S)
        audience.tick(int((loop.time() - began_s) * _MS_PER_S))


class Ladder:
    """What the interrupt key does, step by step. Use as a context manager inside the loop."""

    def __init__(self) -> None:
        self.interrupted = False
        self._steps = 0
        self._handle: Handle | None = None
        self._audience: Audience | None = None
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._restore: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        """Listen from now on; the current task is cancelled while there is no Run."""
        self._task = asyncio.current_task()
        self._listen(signal.SIGINT, self._interrupt)
        self._listen(signal.SIGTERM, self._terminate)
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        if self._timer is not None:
            self._timer.cancel()
        for restore in self._restore:
            restore()

    def attach(self, handle: Handle, audience: Audience) -> None:
        """From now on there is a Run to be stopped."""
        self._handle = handle
        self._audience = audience

    def _interrupt(self) -> None:
        self._steps += 1
        if self._handle is None or self._audience is None:
            self._abandon()
        elif self._steps == 1:
            self._audience.remark(
                "not waiting any longer: going on with what is there (Ctrl-C again cancels)"
            )
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SECOND_STEP_S, self._handle.stop_waiting)
        else:
            self._terminate()

    def _terminate(self) -> None:
        if self._handle is None or self._audience is None:
            self._abandon()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._audience.remark("cancelled: what had arrived is printed and stored")
        self._handle.cancel()
        # A third time shall end the process even if something hangs.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def _abandon(self) -> None:
        self.interrupted = True
        if self._task is not None:
            self._task.cancel()

    def _listen(self, number: signal.Signals, react: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            loop.add_signal_handler(number, react)
        except NotImplementedError:  # Windows: the handler runs outside the loop
            before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(react))
            self._restore.append(lambda: signal.signal(number, before))
        else:
            self._restore.append(lambda: loop.remove_signal_handler(number))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
