"""Finding a past run: by its id, by a beginning of it that no other run has, or as `last`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ultrai.cli.running import run_async
from ultrai.cli.session import open_session
from ultrai.domain.errors import NotFound

if TYPE_CHECKING:
    from ultrai.assembly.facade import UltrAI
    from ultrai.cli.wishes import Wishes
    from ultrai.domain.event import Event
    from ultrai.domain.report import Report

LAST = "last"


def read_report(wishes: Wishes, run: str) -> Report:
    """The Report of that run. Raises NotFound."""
    return run_async(_report(wishes, run))


def read_events(wishes: Wishes, run: str) -> Sequence[Event]:
    """Its Events; the last one bears the Report. Raises NotFound."""
    return run_async(_events(wishes, run))


async def run_id_of(session: UltrAI, run: str) -> str:
    """The id that `run` stands for: itself, unless it is `last`. Raises NotFound."""
    if run.strip().lower() != LAST:
        return run.strip()
    newest = await session.runs(limit=1)
    if not newest:
        raise NotFound("there are no runs yet", hint="'ultrai ask' makes one")
    return newest[0].id


async def _report(wishes: Wishes, run: str) -> Report:
    async with open_session(wishes) as session:
        return await session.report(await run_id_of(session, run))


async def _events(wishes: Wishes, run: str) -> Sequence[Event]:
    async with open_session(wishes) as session:
        run_id = await run_id_of(session, run)
        events = list(await session.events(run_id))
        if events and events[-1].type.value == "report":
            events[-1] = replace(events[-1], report=await session.report(run_id))
        return events
