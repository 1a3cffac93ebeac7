"""One timer for all the silences of an Attempt.

Theory of operation. A stage says how long it may last at all, and how long any silence in it may
be; news of bytes or text only assign a float. A single timer of the event loop is armed for the
moment that is due; when it fires and the moment has moved, it is armed again, else the guarded
block is cancelled and ends in `TimerExpired`. As in `asyncio.timeout`, a cancellation from outside
goes through: it is told from our own by the task's count of cancellation requests.

A loop that was blocked finds its timer overdue while bytes already wait in the socket; so the
timer looks a second time, a few turns of the loop later, before it believes in silence.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

_SECOND_LOOK_S: Final = 0.005


class TimerExpired(Exception):
    """A silence lasted too long; `str` says which, and how long was allowed."""


class Watchdog:
    """Guards one block of the current task. Moments are those of the loop's clock, in seconds."""

    __slots__ = (
        "_cancelling",
        "_expired",
        "_handle",
        "_is_over",
        "_looked_twice",
        "_loop",
        "_silence_s",
        "_stage",
        "_stage_due_s",
        "_stage_s",
        "_task",
        "alive_s",
    )

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a Watchdog guards a task"
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._cancelling = task.cancelling()
        self._handle: asyncio.TimerHandle | None = None
        self._stage = ""
        self._stage_s = 0.0
        self._stage_due_s = 0.0
        self._silence_s: float | None = None
        self._expired: str | None = None
        self._looked_twice = False
        self._is_over = False
        self.alive_s = self._loop.time()

    def now_s(self) -> float:
        """The loop's clock; assign it to `alive_s` when bytes have come."""
        return self._loop.time()

    def enter(self, stage: str, limit_s: float, *, silence_s: float | None = None) -> None:
        """A stage begins: it must bring its news within `limit_s`, and bytes every `silence_s`."""
        self._stage = stage
        self._stage_s = limit_s
        self._silence_s = silence_s
        self.alive_s = now_s = self._loop.time()
        self._stage_due_s = now_s + limit_s
        self._arm(self._due_s())

    def renew(self, now_s: float) -> None:
        """The news has come: the stage's limit counts anew from here."""
        self._stage_due_s = now_s + self._stage_s

    def __enter__(self) -> Self:
        """Begin to guard."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop guarding. Raises TimerExpired in place of the cancellation that is our own."""
        self._is_over = True
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._expired is None:
            return
        ours = self._task.uncancel() <= self._cancelling
        if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimerExpired(self._expired) from None

    def _due_s(self) -> float:
        if self._silence_s is None:
            return self._stage_due_s
        return min(self._stage_due_s, self.alive_s + self._silence_s)

    def _arm(self, due_s: float) -> None:
        if self._is_over:
            return  # a stage that others announce late must not cancel what the task does next
        if self._handle is not None:
            if self._handle.when() <= due_s:
                return
            self._handle.cancel()
        self._handle = self._loop.call_at(due_s, self._look)

    def _look(self) -> None:
        self._handle = None
        due_s = self._due_s()
        if self._loop.time() < due_s:
            self._looked_twice = False
            self._arm(due_s)
        elif not self._looked_twice:
            self._looked_twice = True
            self._handle = self._loop.call_later(_SECOND_LOOK_S, self._look)
        else:
            self._expire()

    def _expire(self) -> None:
        if self._loop.time() >= self._stage_due_s:
            self._expired = f"no {self._stage} within {self._stage_s:g} s"
        else:
            self._expired = f"nothing at all came for {self._silence_s:g} s"
        self._task.cancel()
