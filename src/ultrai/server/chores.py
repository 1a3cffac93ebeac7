"""What a server does beside its requests: the catalogue, costs that are open, alerts that wait."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

from ultrai.assembly.facade import UltrAI
from ultrai.domain.errors import UltraiError
from ultrai.server.front import LOG

RECONCILE_EVERY_S = 60.0
ALERT_EVERY_S = 60.0


async def do_chores(session: UltrAI) -> None:
    """All of them, until cancelled. What one cannot do is logged, and tried again later."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_tried(lambda: _warm(session)))
        group.create_task(_again(lambda: _reconcile(session), RECONCILE_EVERY_S))
        if session.settings.alerts is not None:
            group.create_task(_again(lambda: _alert(session), ALERT_EVERY_S))


async def _again(chore: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        await _tried(chore)
        await asyncio.sleep(every_s)


async def _tried(chore: Callable[[], Awaitable[None]]) -> None:
    try:
        await chore()
    except UltraiError as error:
        LOG.warning("%s", error)


async def _warm(session: UltrAI) -> None:
    """Fetch the catalogue before somebody waits for it."""
    try:
        if not len(await session.catalog(keyless=False)):
            LOG.warning("no model can be asked: set OPENROUTER_API_KEY, or run `ultrai local pull`")
    finally:
        # What is loaded by now stays: the collector need not walk over it again and again.
        gc.collect()
        gc.freeze()


async def _reconcile(session: UltrAI) -> None:
    """Ask for costs until none is open."""
    async for each in (await session.reconciliation()).run(watch=True):
        LOG.debug("%s: %s", each.attempt.place, each.finding.value)


async def _alert(session: UltrAI) -> None:
    """Look at budgets and keys also while nobody asks anything."""
    (await session.alarm()).wake()
