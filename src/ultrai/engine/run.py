"""ONE QUERY THROUGH THE ROOMS: read this first.

A Run owns the tasks, the deadline, the budget and the Events of one Query asked of one Cocktail:

    plan -> reserve the envelope -> Slots in parallel { Candidate -> permit -> reserve -> send ->
    judge -> settle }* -> quorum -> Report

The Plan is made before (`planning.py`), each Slot runs in its own room (`slot.py`), each Attempt in
its own (`attempt.py`). Here is only what concerns them all: starting them together, closing those
that are still open when the deadline, the quorum or the user says so, stopping an upstream whose
key or credit is refused, and saying how it all ended.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from ultrai.domain.ask import Commit
from ultrai.domain.attempt import PriceCap
from ultrai.domain.budget import Budget, Payer
from ultrai.domain.catalog import Catalog, Model
from ultrai.domain.errors import StoreError
from ultrai.domain.event import EventType
from ultrai.domain.ledger import Shortage, SlotHold
from ultrai.domain.notice import NoticeCode
from ultrai.domain.outcome import Failure, FailureKind, Remedy
from ultrai.domain.plan import Plan
from ultrai.domain.query import Limits, Query
from ultrai.domain.report import Report, RunStatus
from ultrai.domain.stamp import stamp
from ultrai.engine.attempt import Bench, Rooms
from ultrai.engine.commitment import Commitment
from ultrai.engine.context import Contexts
from ultrai.engine.digest import Digest
from ultrai.engine.feed import Body, Feed
from ultrai.engine.recall import Memory
from ultrai.engine.slot import Ending, SlotRoom
from ultrai.engine.treasury import Envelope, describe
from ultrai.policy.fallback import advice_for

# How long Attempts without text may go on once their upstream was stopped: most are about to get
# the same refusal, and a refusal is cheaper to account for than a cancelled request.
STOP_GRACE_S = 2.0

KEPT_CHARACTERS = 65_536
"""Documents of no more than this together are kept with the Run, so that it can be resumed."""


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What is to be run: the Query, its Plan and limits, and the Catalog they were made from.

    `replan` makes the Plan anew for another `max_tokens`, or for the first few Slots only.
    `memory` None: nothing is recalled, and nothing kept.
    """

    query: Query
    contexts: Contexts
    plan: Plan
    limits: Limits
    catalog: Catalog
    find_model: Callable[[str], Model | None]
    replan: Callable[..., Plan]
    streaming: bool = True
    resumed_from: str | None = None
    commit: Commit = Commit.NONE
    memory: Memory | None = None


class Run:
    """One execution. `execute` once; everything else may be called while it runs."""

    def __init__(
        self,
        order: RunOrder,
        rooms: Rooms,
        *,
        feed: Feed,
        payer: Payer,
        dearest: Callable[[str], Awaitable[PriceCap | None]],
    ) -> None:
        self.order = order
        self.feed = feed
        self.claims: Counter[str] = Counter()
        self._rooms = rooms
        self._dearest = dearest
        self._payer = payer
        self._stopped: dict[str, Failure] = {}
        self._envelope = Envelope(
            order.limits.max_cost_nanos, rooms.ledger, payer=payer, now=self._now
        )
        self._unrecorded: StoreError | None = None
        self._exceeded: Sequence[Budget] = ()
        self._status: RunStatus | None = None
        self._quorum_reached = False
        self._timers: list[asyncio.TimerHandle] = []
        self._group: asyncio.TaskGroup | None = None
        bench = Bench(
            rooms=rooms,
            feed=feed,
            query=order.query,
            contexts=order.contexts,
            envelope=self._envelope,
            find_model=order.find_model,
            is_stopped=self._stopped.get,
            deadline_s=feed.began_s + order.limits.deadline_s,
            streaming=order.streaming,
            commitment=Commitment(order.commit),
            memory=order.memory,
        )
        self._slots = [
            SlotRoom(planned, bench, panel=self, strict=order.limits.strict)
            for planned in order.plan.slots
        ]
        summary = order.plan.summary
        self._digest = None if summary is None else Digest(summary, bench, panel=self)

    async def reserve(self, holds: Sequence[SlotHold]) -> Shortage | None:
        """Hold what the Slots may cost, before anything is sent; the Budget that says no.

        Where every Answer is known there is nothing to hold. Raises StoreError where the Ledger
        cannot be written and a hard Budget holds.
        """
        memory = self.order.memory
        if memory is not None and all(hold.slot in memory.known for hold in holds):
            return None
        granted = await self._envelope.open(holds)
        if isinstance(granted, Shortage):
            return granted
        if isinstance(granted, StoreError):
            self._unrecorded = granted
        else:
            self._exceeded = granted.exceeded
        return None

    async def execute(self) -> Report:
        """Run to the end and return the Report; Failures are in it, only bugs are raised."""
        self._open()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if self._digest is not None:
                    self._digest.task = group.create_task(self._digest.run())
                for slot in self._slots:
                    slot.task = group.create_task(slot.run())
        except BaseException as error:
            self._status = RunStatus.INTERRUPTED
            for slot in self._slots:
                slot.settle()
            self._envelope.close()
            self.feed.finish_at_once(self._final_facts())
            if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
                raise error.exceptions[0] from None
            raise
        finally:
            for timer in self._timers:
                timer.cancel()
        for slot in self._slots:
            slot.settle()  # one that was closed between its start and its first step
        self._note_quorum()
        self._envelope.close()
        return await self.feed.finish(self._final_facts())

    def stop_waiting(self) -> None:
        """Go on with what is there: open Slots are cancelled, the Run is degraded."""
        if any(slot.is_open for slot in self._slots):
            self.feed.notice(NoticeCode.STOPPED_WAITING, "open slots were not waited for")
            self._close_open(Ending.STOPPED_WAITING)

    def cancel(self) -> None:
        """End now; what arrived is kept, the Run is interrupted."""
        if any(slot.is_open for slot in self._slots):
            self._status = RunStatus.INTERRUPTED
            self._close_open(Ending.INTERRUPTED)

    def cancel_slot(self, index: int) -> bool:
        """End one Slot; the others go on. False: it has its result already."""
        slot = self._slots[index]
        is_open = slot.is_open
        slot.close(Ending.CANCELLED)
        return is_open

    async def retry_slot(self, index: int) -> bool:
        """Ask a Slot again that was given up, while others are still at it; False: too late.

        It begins with its first Candidate; deadline and budget are the Run's.
        """
        given_up = self._slots[index]
        if given_up.is_open or given_up.answered or self._group is None:
            return False
        if given_up.task is not None and not given_up.task.done():
            await asyncio.wait([given_up.task])
        open_ = any(slot.is_open for slot in self._slots)
        if self._slots[index] is not given_up or self._status is not None or not open_:
            return False
        slot = self._slots[index] = given_up.again()
        slot.claim_first(backups=True)
        slot.task = self._group.create_task(slot.run())
        return True

    def slot_done(self, slot: SlotRoom) -> None:
        """A Slot has its result: perhaps that was the last Answer that is needed."""
        if self._digest is not None and not any(each.is_open for each in self._slots):
            self._digest.close()  # nobody is left to read it
        quorum = self.order.limits.quorum
        if not slot.answered or quorum is None or self._quorum_reached:
            return
        if sum(each.answered for each in self._slots) >= quorum:
            self._quorum_reached = True
            if any(each.is_open for each in self._slots if each is not slot):
                here = "1 answer is" if quorum == 1 else f"{quorum} answers are"
                self.feed.notice(NoticeCode.QUORUM_REACHED, f"{here} here; the rest is cancelled")
                self._close_open(Ending.QUORUM)

    def stop_upstream(self, name: str, failure: Failure) -> None:
        """Start nothing more on this upstream; Attempts whose text has begun may finish."""
        if name in self._stopped:
            return
        # Its advice "you can afford M tokens" was for one request, not for those it stops.
        failure = replace(failure, affordable_tokens=None)
        self._stopped[name] = failure
        self.feed.notice(
            NoticeCode.UPSTREAM_STOPPED,
            f"nothing more is asked of {name}: {failure.message}",
        )
        for room in self._rooms_at_work:
            room.upstream_stopped(name)
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(STOP_GRACE_S, self._close_silent, name, failure))

    async def dearer_cap(self, model_id: str) -> PriceCap | None:
        """The price of the model's dearest provider, from the upstream's list of them."""
        return await self._dearest(model_id)

    def _open(self) -> None:
        order = self.order
        limits = order.limits
        facts: dict[str, object] = {
            "cocktail": order.plan.cocktail,
            "created_at": stamp(self._rooms.clock.now()),
            "query": order.query.to_dict(),
            "deadline_s": limits.deadline_s,
            "quorum": limits.quorum,
        }
        if self._payer.tags:
            facts["tags"] = dict(self._payer.tags)
        texts = [document.text for document in order.query.documents]
        if texts and sum(map(len, texts)) <= KEPT_CHARACTERS:
            facts["texts"] = texts
        if order.resumed_from is not None:
            facts["resumed_from"] = order.resumed_from
        self.feed.publish(EventType.RUN_STARTED, Body(facts=facts))
        self.feed.publish(EventType.PLANNED, Body(facts=order.plan.to_facts()))
        for notice in order.plan.notices:
            self.feed.publish(EventType.NOTICE, Body(notice=notice), slot=notice.slot)
        self._note_money()
        for backups in (False, True):
            for slot in self._slots:
                slot.claim_first(backups=backups)
        deadline_s = self.feed.began_s + limits.deadline_s
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_at(deadline_s, self._deadline_passed))

    def _note_money(self) -> None:
        if self._unrecorded is not None:
            self.feed.notice(
                NoticeCode.LEDGER_FAILED,
                f"what this run costs is not in the ledger: {self._unrecorded}",
            )
        for budget in self._exceeded:
            self.feed.notice(
                NoticeCode.BUDGET_EXCEEDED, f"this run may exceed the {describe(budget)}"
            )

    def _now(self) -> str:
        return stamp(self._rooms.clock.now())

    def _deadline_passed(self) -> None:
        failure = Failure(
            FailureKind.DEADLINE,
            f"no answer within the run's deadline of {self.order.limits.deadline_s:g} s",
            remedy=Remedy.GIVE_UP_SLOT,
            advice=advice_for(FailureKind.DEADLINE),
        )
        self._close_open(Ending.DEADLINE, failure)

    def _close_silent(self, name: str, failure: Failure) -> None:
        for room in self._rooms_at_work:
            room.drop_silent(name, failure)

    @property
    def _rooms_at_work(self) -> Sequence[SlotRoom | Digest]:
        return self._slots if self._digest is None else [*self._slots, self._digest]

    def _close_open(self, ending: Ending, failure: Failure | None = None) -> None:
        if self._digest is not None:
            self._digest.close()
        for slot in self._slots:
            if slot.is_open:
                slot.close(ending, failure)

    def _note_quorum(self) -> None:
        quorum = self.order.limits.quorum
        answered = sum(slot.answered for slot in self._slots)
        if quorum is not None and answered < quorum and self._status is None:
            self.feed.notice(
                NoticeCode.QUORUM_MISSED, f"{answered} of the {quorum} answers asked for arrived"
            )

    def _final_facts(self) -> dict[str, object]:
        status = self._status or self._judged()
        return {
            "status": status.value,
            "finished_at": stamp(self._rooms.clock.now()),
            "elapsed_ms": self.feed.elapsed_ms,
        }

    def _judged(self) -> RunStatus:
        answered = sum(slot.answered for slot in self._slots)
        quorum = self.order.limits.quorum
        wanted = len(self._slots) if quorum is None else quorum
        if answered >= wanted:
            return RunStatus.COMPLETE
        if answered:
            return RunStatus.DEGRADED
        failures = [slot.failure for slot in self.feed.report().slots]
        refused = all(f is not None and f.kind is FailureKind.REFUSED_BY_BUDGET for f in failures)
        return RunStatus.REFUSED if refused and failures else RunStatus.FAILED
