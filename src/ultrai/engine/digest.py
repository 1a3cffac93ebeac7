"""The digest: documents summarised for the Slots whose models cannot hold them, part by part.

Theory of operation. Every request is a Slot of its own behind those of the Run: it has its Backups,
its retries, its reservation in the Run's envelope, its place in the ledger. Its Events stand in the
Run's feed as `summary` Events. The parts of one level are asked together, a few at a time; the next
level merges what they said. A part that nobody summarised is replaced by its own most telling
sentences, and a Notice says so: then the Slots can go on. They wait for all of it.

It does not know who reads the summaries.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ultrai.domain.ask import Commit
from ultrai.domain.attempt import PriceCap
from ultrai.domain.event import Event, EventType
from ultrai.domain.ledger import FIRST_SUMMARY_SLOT
from ultrai.domain.notice import NoticeCode
from ultrai.domain.outcome import Failure
from ultrai.domain.plan import PlannedPart, PlannedSummary
from ultrai.domain.query import Query, Sampling
from ultrai.domain.report import SlotState
from ultrai.engine.attempt import Bench
from ultrai.engine.commitment import Commitment
from ultrai.engine.context import Contexts
from ultrai.engine.feed import Body, Feed
from ultrai.engine.slot import Panel, SlotRoom
from ultrai.policy.chunking import kind_of
from ultrai.policy.compressing import compress
from ultrai.policy.digesting import SUMMARY_TOKENS, Part, clipped, merged, request_of

AT_ONCE = 16  # requests: the Slots that need no summary must not wait behind hundreds

_TOLD = (
    EventType.SLOT_STARTED,
    EventType.ATTEMPT_STARTED,
    EventType.ATTEMPT_FAILED,
    EventType.SLOT_ANSWERED,
    EventType.SLOT_FAILED,
)
_NOTHING = Body()


class Digest:
    """The summary of one Run's documents."""

    def __init__(self, summary: PlannedSummary, bench: Bench, *, panel: Panel) -> None:
        self.task: asyncio.Task[None] | None = None
        self.claims: Counter[str] = Counter()
        self._summary = summary
        self._bench = bench
        self._panel = panel
        self._aside = _Aside(bench.feed)
        self._rooms: list[SlotRoom] = []
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._missing = 0

    async def run(self) -> None:
        """Write it; when this returns, every model that was promised a summary has it."""
        contexts, summary = self._bench.contexts, self._summary
        drawn = contexts.outline(part_tokens=summary.part_tokens, most_tokens=summary.most_tokens)
        facts = {"slots": [part.to_facts() for part in summary.parts]}
        self._aside.publish(EventType.PLANNED, Body(facts=facts))
        levels: list[Sequence[Part]] = []
        try:
            for number in range(len(drawn.levels)):
                parts = merged(levels[-1]) if levels else drawn.parts
                planned = [part for part in summary.parts if part.level == number]
                if levels and contexts.suffices(levels[-1]):
                    self._skip(planned)
                else:
                    levels.append(await self._level(parts, planned))
        finally:
            self._end()
        if self._missing:
            what = "1 part" if self._missing == 1 else f"{self._missing} parts"
            message = f"{what} could not be summarised; own sentences stand for the summary"
            self._bench.feed.notice(NoticeCode.SUMMARY_INCOMPLETE, message)
        contexts.put_digest(levels)

    def close(self) -> None:
        """End it where it stands."""
        if self.task is not None:
            self.task.cancel()

    def upstream_stopped(self, name: str) -> None:
        """Wake from waits for retries that will never be made."""
        for room in self._rooms:
            room.upstream_stopped(name)

    def drop_silent(self, name: str, failure: Failure) -> None:
        """End requests on that upstream that have shown no text."""
        for room in self._rooms:
            room.drop_silent(name, failure)

    async def dearer_cap(self, model_id: str) -> PriceCap | None:
        """The Run's."""
        return await self._panel.dearer_cap(model_id)

    def stop_upstream(self, name: str, failure: Failure) -> None:
        """It concerns the whole Run."""
        self._panel.stop_upstream(name, failure)

    def slot_done(self, slot: SlotRoom) -> None:
        """A request has ended; nobody counts them."""

    async def _level(self, parts: Sequence[Part], planned: Sequence[PlannedPart]) -> list[Part]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._part(part, plan))
                for part, plan in zip(parts, planned, strict=True)
            ]
        return [task.result() for task in tasks]

    def _skip(self, planned: Sequence[PlannedPart]) -> None:
        """Summaries came out shorter than they might have: these need not be merged."""
        for part in planned:
            self._tell_end(part, SlotState.SKIPPED)

    def _end(self) -> None:
        """Give back what was held for parts that were never begun, and say that they were not."""
        for part in self._summary.parts:
            self._bench.envelope.close_slot(part.slot.index)
            if part.slot.index not in self._aside.ended:
                self._tell_end(part, SlotState.CANCELLED)

    def _tell_end(self, part: PlannedPart, state: SlotState) -> None:
        body = Body(facts={"state": state.value})
        self._aside.publish(EventType.SLOT_FAILED, body, slot=part.slot.index)

    async def _part(self, part: Part, planned: PlannedPart) -> Part:
        """The part with its summary in place of its text."""
        async with self._turns:
            task = self._bench.contexts.query.prompt
            messages = request_of(part, planned.name, task=task, is_merge=planned.level > 0)
            sampling = Sampling(max_tokens=planned.slot.candidates[0].max_tokens)
            query = Query(messages, sampling)
            bench = replace(
                self._bench,
                feed=self._aside,
                query=query,
                contexts=Contexts(query),
                commitment=Commitment(Commit.NONE),
            )
            room = SlotRoom(planned.slot, bench, panel=self, strict=False)
            self._rooms.append(room)
            room.task = asyncio.current_task()
            try:
                await room.run()
            finally:
                self._rooms.remove(room)
        text = self._aside.texts.get(planned.slot.index, "")
        return replace(part, text=clipped(text) or self._own_sentences(part, planned))

    def _own_sentences(self, part: Part, planned: PlannedPart) -> str:
        self._missing += 1
        return clipped(
            compress(
                part.text,
                question=self._bench.contexts.query.prompt,
                most_tokens=SUMMARY_TOKENS,
                kind=kind_of(planned.name, part.text),
            ).text
        )


class _Aside(Feed):
    """Tells what happens to the requests in the feed of their Run, without their growing texts."""

    def __init__(self, main: Feed) -> None:
        super().__init__(main.run_id, time_s=asyncio.get_running_loop().time, log=None)
        self._main = main
        self.texts: dict[int, str] = {}
        self.ended: set[int] = set()

    def publish(
        self,
        type_: EventType,
        body: Body = _NOTHING,
        *,
        slot: int | None = None,
        attempt: int | None = None,
    ) -> Event:
        """As a `summary` Event, where it is one of those that are told."""
        facts: Mapping[str, object] = {**body.facts, "of": type_.value}
        if type_ is EventType.PLANNED:
            return self._main.publish(EventType.SUMMARY, replace(body, facts=facts))
        if slot is not None and type_ in (EventType.SLOT_ANSWERED, EventType.SLOT_FAILED):
            self.ended.add(slot)
        if type_ in _TOLD and slot is not None:
            facts = {**facts, "part": slot - FIRST_SUMMARY_SLOT}
            told = replace(body, facts=facts)
            return self._main.publish(EventType.SUMMARY, told, attempt=attempt)
        if body.notice is not None and body.notice.code is NoticeCode.COST_ABOVE_BOUND:
            return self._main.publish(type_, Body(notice=replace(body.notice, slot=None)))
        return Event(-1, self.run_id, self._main.elapsed_ms, type_)

    async def publish_committed(
        self, type_: EventType, body: Body, *, slot: int, attempt: int
    ) -> None:
        """An Answer is the summary; nobody waits for it to be stored."""
        if body.answer is not None:
            self.texts[slot] = body.answer.text
        self.publish(type_, body, slot=slot, attempt=attempt)
