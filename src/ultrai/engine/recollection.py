"""The recollection room: makes an Attempt, or finds that it need not be made.

Theory of operation. Before the attempt room is entered, the Answer may be kept, or the same request
may be under way for another Run (`recall.py`). Either way nothing is sent: no Permit, no
reservation, no key. A kept Answer is told as if it were a stream, in one piece. What another's
Attempt came to is told the same way, be it an Answer or a Failure; a Failure then goes by the table
of remedies like one's own. What was refused by another Run's limits, or cancelled with it, says
nothing about this one: then it makes the Attempt itself.

It does not know other Candidates or what follows from a Failure.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ultrai.domain.event import EventType
from ultrai.domain.kept import KeptAnswer, Recalled
from ultrai.domain.notice import NoticeCode
from ultrai.domain.outcome import NO_USAGE, NOT_BILLED, Answer, Usage
from ultrai.domain.stamp import stamp
from ultrai.engine.attempt import AttemptRoom
from ultrai.engine.bench import Bench, Made, Try
from ultrai.engine.feed import Body
from ultrai.engine.recall import Memory, Recall
from ultrai.policy.recalling import is_keepable


class RecollectionRoom:
    """One Slot's way to its Attempts."""

    def __init__(self, bench: Bench, room: AttemptRoom) -> None:
        self._bench = bench
        self._room = room
        self._has_uncounted = False

    async def make(self, attempt: Try, *, alone: bool) -> Made:
        """What came of the Attempt. `alone`: what others were answered is of no use."""
        memory = self._bench.memory
        if memory is None or alone:
            return await self._room.make(attempt)
        known = memory.known.get(attempt.slot)
        if known is not None:
            return self._replay(attempt, known)
        key = self._key(memory, attempt)
        if not memory.reads:
            made = await self._room.make(attempt)
            kept = self._worth_keeping(made)
            if kept is not None:
                memory.recall.keep(key, kept)
            return made
        began_s = asyncio.get_running_loop().time()
        landed = await memory.recall.board(key)
        if landed is not None:
            return self._share(attempt, landed, began_s=began_s)
        return await self._fly(memory, key, attempt=attempt)

    async def _fly(self, memory: Memory, key: str, *, attempt: Try) -> Made:
        recall = memory.recall
        landing: Made | None = None
        try:
            kept = await recall.claim(key)
            self._note_problem(memory)
            if kept is not None:
                landing = Made(kept.answer, None, kept.usage, kept.cost, 0)
                return self._replay(attempt, kept)
            made = await self._send(recall, key, attempt=attempt)
            landing = None if made.refused else made
            return made
        finally:
            recall.land(key, landing)

    async def _send(self, recall: Recall, key: str, *, attempt: Try) -> Made:
        if attempt.is_retry and self._has_uncounted:
            # Many may have decided to retry what one of them now does: that is one retry.
            self._bench.rooms.retries.count_retry()
        self._has_uncounted = False
        made: Made | None = None
        try:
            made = await self._room.make(attempt)
            return made
        finally:
            recall.release(key, None if made is None else self._worth_keeping(made))

    def _worth_keeping(self, made: Made) -> KeptAnswer | None:
        if made.answer is None or not is_keepable(made.answer):
            return None
        return KeptAnswer(made.answer, made.usage, made.cost, self._bench.rooms.clock.now())

    def _key(self, memory: Memory, attempt: Try) -> str:
        request = self._room.request(attempt)
        return memory.recall.key_of(request, attempt.candidate.upstream, tenant=memory.tenant)

    def _replay(self, attempt: Try, kept: KeptAnswer) -> Made:
        age_s = max(0.0, (self._bench.rooms.clock.now() - kept.kept_at).total_seconds())
        return self._tell(
            attempt,
            kept.answer,
            usage=kept.usage,
            recalled=Recalled(shared=False, age_s=age_s, saved_nanos=kept.cost.nanos),
        )

    def _share(self, attempt: Try, landed: Made, *, began_s: float) -> Made:
        waited_s = asyncio.get_running_loop().time() - began_s
        recalled = Recalled(shared=True, age_s=0.0, saved_nanos=landed.cost.nanos)
        if landed.answer is not None:
            made = self._tell(attempt, landed.answer, usage=landed.usage, recalled=recalled)
        else:
            self._has_uncounted = True
            self._room.announce(attempt, self._bench.rooms.clock.now(), at_most_nanos=0)
            made = Made(None, landed.failure, NO_USAGE, NOT_BILLED, 0, recalled=recalled)
        return replace(made, elapsed_ms=int(waited_s * 1000))

    def _tell(self, attempt: Try, answer: Answer, *, usage: Usage, recalled: Recalled) -> Made:
        """Publish it as a stream of one piece. `usage` is what the Answer took when it was made."""
        now = self._bench.rooms.clock.now()
        self._room.announce(attempt, now, at_most_nanos=0)
        self._publish(attempt, EventType.FIRST_TOKEN)
        if answer.reasoning:
            self._publish(attempt, EventType.REASONING_DELTA, text=answer.reasoning)
        if answer.text:
            self._bench.commitment.text_arrived(attempt.slot)
            self._publish(attempt, EventType.TEXT_DELTA, text=answer.text)
        return Made(
            answer=replace(answer, cached=True, received_at=stamp(now)),
            failure=None,
            usage=usage,
            cost=NOT_BILLED,
            elapsed_ms=0,
            text_begun=True,
            recalled=recalled,
        )

    def _publish(self, attempt: Try, type_: EventType, *, text: str | None = None) -> None:
        body = Body(text=text)
        self._bench.feed.publish(type_, body, slot=attempt.slot, attempt=attempt.number)

    def _note_problem(self, memory: Memory) -> None:
        problem = memory.recall.take_problem()
        if problem is not None:
            self._bench.feed.notice(NoticeCode.CACHE_FAILED, problem)
