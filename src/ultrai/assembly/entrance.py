"""`ultrai.open()` and `ultrai.ask()`: how a program comes in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

from ultrai.assembly.asking import Documents
from ultrai.assembly.clock import SystemClock
from ultrai.assembly.facade import UltrAI
from ultrai.assembly.opening import Pieces
from ultrai.domain.query import Message
from ultrai.domain.report import Report
from ultrai.engine.ports import Clock
from ultrai.settings.load import load
from ultrai.settings.model import Settings

if TYPE_CHECKING:
    import aiohttp

Result = TypeVar("Result")


class AskOptions(TypedDict, total=False):
    """The keywords of `UltrAI.ask`."""

    cocktail: str | None
    models: Sequence[str]
    backups: Mapping[str, Sequence[str]] | None
    system: str | None
    documents: Documents
    fit: str | None
    pins: Sequence[str]
    max_tokens: int
    temperature: float | None
    seed: int | None
    synthesis: str | None
    quorum: int | None
    deadline_s: float | None
    max_cost_usd: str | Decimal | None
    strict: bool
    cache: bool
    streaming: bool | None


def open(
    settings: Settings | None = None,
    *,
    transport: aiohttp.ClientSession | None = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    wire_log: Callable[[str], None] | None = None,
) -> UltrAI:
    """An `UltrAI` to be used as an async context manager.

    `settings` None: read from files and the environment (raises SettingsError). `transport` is the
    HTTP session to use; its owner closes it. `wire_log` takes one masked line for each step on the
    wire.
    """
    pieces = Pieces(
        clock=clock or SystemClock(),
        chance=(rng or random.Random()).random,
        session=transport,
        wire_log=wire_log,
    )
    return UltrAI(load() if settings is None else settings, pieces)


def ask(prompt: str | Sequence[Message], **options: Unpack[AskOptions]) -> Report:
    """Ask once and wait: for scripts and notebooks. The keywords are those of `UltrAI.ask`."""

    async def once() -> Report:
        async with open() as ultrai:
            return await ultrai.ask(prompt, **options)

    return _run(once())


def _run(main: Coroutine[object, object, Result]) -> Result:
    """On a loop of its own; in a thread where this one already runs a loop, as notebooks do."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, main).result()
