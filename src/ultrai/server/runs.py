"""The native interface: start Runs, read their Reports and Events, cancel and retry.

Events go out as server-sent events whose id is their number, so that a browser that lost its
connection resumes by itself: it sends the last id in `Last-Event-ID`. Of a Run that is over, once
it was read to its end, 204 tells it to come no more.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ultrai.domain.access import TAG
from ultrai.domain.ask import Ask
from ultrai.domain.errors import NotFound, UsageError
from ultrai.domain.event import Event, EventType
from ultrai.domain.report import Report, RunStatus, SlotState
from ultrai.server.access import may_see
from ultrai.server.exchange import RUN_ID, Exchange
from ultrai.server.live import LiveRun, LiveRuns, Watch, behind, last_seq
from ultrai.server.parsing import run_ask_of
from ultrai.server.problems import Problem, Refused, bad_request
from ultrai.server.rendering import headers_of
from ultrai.server.repeats import HEADER, Repeats, digest_of
from ultrai.server.wire import encode

KEEP_ALIVE = b": ultrai is at work\n\n"
LAST_EVENT_ID = b"last-event-id"
Batches = AsyncGenerator[Sequence[Event], None]
_MOST_LISTED = 200
_LONGEST_INDEX = 4
_LONGEST_ID = 12
_USUAL_LISTED = 20


class Runs:
    """Answers what concerns Runs by their ids."""

    def __init__(self, runs: LiveRuns, repeats: Repeats) -> None:
        self._runs = runs
        self._repeats = repeats
        self._session = runs.session

    async def create(self, exchange: Exchange) -> None:
        """Start one; it goes on whoever listens."""
        body = await exchange.body()
        ask = run_ask_of(body, self._session.book)
        key, digest = exchange.header(HEADER), digest_of(exchange.path, body)
        starting = None
        if key is not None:
            starting = self._repeats.find(exchange.owner, key, digest=digest)
        if starting is None:
            starting = asyncio.get_running_loop().create_task(self._begin(exchange, ask))
            if key is not None:
                self._repeats.keep(exchange.owner, key, digest=digest, starting=starting)
        await _created(exchange, await asyncio.shield(starting))

    async def list(self, exchange: Exchange) -> None:
        """The stored ones, newest first, as `ultrai history --json` has them."""
        limit = exchange.whole("limit", _USUAL_LISTED, most=_MOST_LISTED)
        containing = exchange.query("q")
        rows = await self._session.runs(limit=limit, containing=containing)
        await exchange.answer_json(200, {"runs": [row.to_dict() for row in rows]})

    async def show(self, exchange: Exchange) -> None:
        """The Report as it stands."""
        await _answer(exchange, (await self._find(exchange)).report)

    async def cancel(self, exchange: Exchange) -> None:
        """End it; what arrived is kept."""
        live = (await self._find(exchange)).live
        if live is None or not live.cancel():
            raise _too_late("the run is over")
        await _answer(exchange, await live.report())

    async def cancel_slot(self, exchange: Exchange) -> None:
        """End one Slot; the others go on."""
        found = await self._find(exchange)
        index, live = _slot_of(exchange, found.report), found.live
        if live is None or live.handle is None or not live.handle.cancel_slot(index):
            raise _too_late(f"slot {index} has its result already")
        await _answer(exchange, live.now)

    async def retry_slot(self, exchange: Exchange) -> None:
        """Ask one Slot again: in its Run while that goes on, else in a new one."""
        found = await self._find(exchange)
        current, live = found.report, found.live
        index = _slot_of(exchange, current)
        state = current.slots[index].state
        if state is SlotState.ANSWERED:
            raise _too_late(f"slot {index} has its answer")
        if live is not None and live.handle is not None:
            if await live.handle.retry_slot(index):
                await _answer(exchange, live.now)
                return
            if state in (SlotState.PENDING, SlotState.RUNNING):
                raise _too_late(f"slot {index} is still at it")
            current = await live.report()
        if current.status is RunStatus.RUNNING:
            raise _too_late("the run goes on in another process")
        ask = Ask(resume=current.id, resume_slots=(index,))
        await _created(exchange, await self._begin(exchange, ask))

    async def events(self, exchange: Exchange) -> None:
        """Its Events, from the first or behind the one that the client has."""
        after = _last_id(exchange)
        found = await self._find(exchange)
        run_id, live = found.report.id, found.live
        if live is not None and live.events is not None:
            if live.handle is None and not behind(live.events, after):
                await exchange.answer(204, b"", headers=())
                return
            await self._send(exchange, live.follow(after), run_id=run_id)
        elif live is not None and live.handle is not None:
            await self._send(exchange, self._runs.joined(live, after), run_id=run_id)
        else:
            stored = behind(await self._session.events(run_id), after)
            if not stored:
                await exchange.answer(204, b"", headers=())
                return
            await self._send(exchange, _once(stored), run_id=run_id)

    async def _send(self, exchange: Exchange, batches: Batches, *, run_id: str) -> None:
        exchange.watch(lambda: None)
        await exchange.begin_stream([(RUN_ID, run_id.encode())])
        try:
            async with aclosing(batches):
                async for events in batches:
                    parts = [await self._frame(event) for event in events]
                    await exchange.write(b"".join(parts) or KEEP_ALIVE)
        finally:
            await exchange.unwatch()
        await exchange.end()

    async def _frame(self, event: Event) -> bytes:
        if event.type is EventType.REPORT and event.report is None:  # as it is stored
            event = replace(event, report=await self._session.report(event.run_id))
        head = f"id: {last_seq(event)}\nevent: {event.type.value}\ndata: ".encode()
        return b"%b%b\n\n" % (head, encode(event.to_dict()))

    async def _begin(self, exchange: Exchange, ask: Ask) -> LiveRun:
        return await self._runs.start(ask, key=exchange.key, detached=True, watch=Watch.KEPT)

    async def _find(self, exchange: Exchange) -> _Found:
        """The Run if it is this process's own, else its stored Report. Raises NotFound."""
        run_id = exchange.parameter("run_id")
        live = self._runs.find(run_id)
        unknown = NotFound(f"no run {run_id!r} is known", hint="give its whole id")
        if live is not None:
            if not may_see(exchange.key, live.owner):
                raise unknown
            return _Found(live, live.now)
        try:
            report = await self._session.report(run_id)
            first = (await self._session.events(report.id))[0] if exchange.key else None
        except UsageError:  # the beginning of several ids
            raise unknown from None
        if first is not None and not may_see(exchange.key, _owner(first)):
            raise unknown
        return _Found(None, report)


@dataclass(frozen=True, slots=True)
class _Found:
    """A Run by its id: as it stands, and where it is this process's own."""

    live: LiveRun | None
    report: Report


def _owner(first: Event) -> object:
    """Whose Run it is, by its first Event."""
    tags = first.facts.get("tags")
    return tags.get(TAG) if isinstance(tags, Mapping) else None


async def _once(events: Sequence[Event]) -> Batches:
    yield events


async def _created(exchange: Exchange, live: LiveRun) -> None:
    report = live.now
    location = (b"location", f"/v1/runs/{report.id}".encode())
    headers = [*headers_of(report), location]
    await exchange.answer_json(201, report.to_dict(), headers=headers)


async def _answer(exchange: Exchange, report: Report) -> None:
    await exchange.answer_json(200, report.to_dict(), headers=headers_of(report))


def _too_late(message: str) -> Refused:
    return Refused(Problem(409, "too_late", message))


def _slot_of(exchange: Exchange, report: Report) -> int:
    written = exchange.parameter("slot")
    index = (
        int(written)
        if written.isascii() and written.isdecimal() and len(written) <= _LONGEST_INDEX
        else -1
    )
    if not 0 <= index < len(report.slots):
        raise NotFound(f"run {report.id} has no slot {written!r}")
    return index


def _last_id(exchange: Exchange) -> int:
    written = exchange.header(LAST_EVENT_ID) or exchange.query("last_event_id") or ""
    if not written:
        return -1
    if not (written.isascii() and written.isdecimal() and len(written) <= _LONGEST_ID):
        raise bad_request("Last-Event-ID is no number", param="Last-Event-ID")
    return int(written)
