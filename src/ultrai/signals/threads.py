"""Blocking libraries on threads that never keep the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

_Result = TypeVar("_Result")


async def on_a_thread(work: Callable[[], _Result], *, name: str) -> _Result:
    """What `work` returns or raises. Nobody waits for a thread that hangs, also not at the end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Result] = loop.create_future()

    def tell(result: _Result) -> None:
        if not done.done():
            done.set_result(result)

    def fail(error: Exception) -> None:
        if not done.done():
            done.set_exception(error)

    def run() -> None:
        with suppress(RuntimeError):  # the loop has been closed
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
                loop.call_soon_threadsafe(fail, error)
            else:
                loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
