"""The attempt room: one request for one Candidate, from Permit to settlement.

Theory of operation. Permit, then reservation, then the request, then judgement, then settlement;
each Attempt that was started ends in exactly one `Made`, also when it is cancelled from outside.
The room says what happened and what it cost; what follows from it is the slot room's concern.

It does not know other Candidates, retries or remedies.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from functools import partial

from ultrai.domain.attempt import AttemptRequest, PriceCap
from ultrai.domain.catalog import Rates
from ultrai.domain.event import EventType
from ultrai.domain.money import format_usd
from ultrai.domain.outcome import (
    NO_USAGE,
    NOT_BILLED,
    Cost,
    CostState,
    Failure,
    FailureKind,
    Phase,
    Received,
)
from ultrai.domain.stamp import stamp
from ultrai.engine.bench import Bench, Made, Rooms, Try
from ultrai.engine.feed import Body
from ultrai.engine.gate import Entry, Refusal
from ultrai.engine.remarks import cost_messages
from ultrai.engine.settlement import cost_of
from ultrai.engine.treasury import Bill, Claim
from ultrai.engine.witness import Witness
from ultrai.policy.pricing import bound_nanos, price_cap, rates_nanos

__all__ = ["AttemptRoom", "Bench", "Made", "Rooms", "Try"]

# What a cancelled Attempt brought home.
_CANCELLED = Received()


class AttemptRoom:
    """Makes Attempts of one Slot, one after another."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.witness: Witness | None = None
        self.closing: Failure | None = None  # what a cancellation means, if it means a Failure

    async def make(self, attempt: Try) -> Made:
        """Make one Attempt. Cancelled from outside, it is settled before the cancel goes on."""
        rooms = self._bench.rooms
        candidate = attempt.candidate
        entry = Entry(
            model=candidate.model,
            upstream=candidate.upstream,
            owner=self._bench.feed.run_id,
            is_free=":free" in candidate.model,
        )
        refusal = await rooms.gate.enter(entry, patience_s=attempt.patience_s)
        if refusal is not None:
            return self._not_sent(attempt, self._refused(refusal, entry))
        try:
            refused = await self._refusal(attempt, entry)
            if refused is not None:
                return self._not_sent(attempt, refused)
            made = await self._send(attempt)
            self._pause(made.failure, entry)
            return made
        finally:
            rooms.gate.leave()

    async def _refusal(self, attempt: Try, entry: Entry) -> Failure | None:
        """Why nothing may be sent although a Permit is given; None: go."""
        stopped = self._bench.is_stopped(entry.upstream)
        if stopped is not None:
            return stopped
        quota = self._bench.rooms.quota
        if entry.is_free and not quota.take():
            return Failure(
                FailureKind.QUOTA_EXHAUSTED,
                f"the day's requests to free models are used up; {entry.model} was not asked",
                resets_at_ms=int(quota.resets_s() * 1000),
            )
        envelope = self._bench.envelope
        claim = Claim(
            slot=attempt.slot,
            number=attempt.number,
            model=entry.model,
            upstream=entry.upstream,
            bound_nanos=self._bound(attempt),
        )
        refused = await envelope.reserve(claim)
        if refused is not None:
            return Failure(FailureKind.REFUSED_BY_BUDGET, f"{refused}; nothing was sent")
        stopped = self._bench.is_stopped(entry.upstream)
        if stopped is not None:  # while the ledger was written
            envelope.not_sent(attempt.slot, attempt.number)
        return stopped

    def _pause(self, failure: Failure | None, entry: Entry) -> None:
        """A 429 pauses the model for everyone, before the Permit goes to the next in line."""
        if failure is None or failure.kind is not FailureKind.RATE_LIMITED:
            return
        rooms = self._bench.rooms
        pause_s = failure.retry_after_s
        if pause_s is None:
            pause_s = rooms.tuning.backoff.wait_s(1, chance=rooms.chance())
        rooms.gate.pause(entry.model, asyncio.get_running_loop().time() + pause_s)

    def bound_of(self, model_id: str, max_tokens: int) -> int | None:
        """The most one Attempt on this model can cost, in nanodollars; None: not known."""
        model = self._bench.find_model(model_id)
        if model is None or model.prices is None:
            return None
        return bound_nanos(
            model.prices,
            prompt_tokens=self._bench.contexts.bound_of(model_id),
            max_tokens=max_tokens,
            headroom=self._bench.rooms.tuning.price_headroom,
        )

    def bound_under(self, cap: PriceCap, max_tokens: int, *, model_id: str) -> int:
        """The same under a price cap that goes out with the Attempt."""
        million = 1_000_000
        rates = Rates(cap.prompt / million, cap.completion / million, cap.request)
        prompt_tokens = self._bench.contexts.bound_of(model_id)
        return rates_nanos(rates, prompt_tokens=prompt_tokens, completion_tokens=max_tokens)

    async def _send(self, attempt: Try) -> Made:
        bench = self._bench
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        started_at = bench.rooms.clock.now()
        if not attempt.is_retry:
            bench.rooms.retries.count_first_try()
        self.announce(attempt, started_at)
        witness = self.witness = Witness(
            bench.feed,
            attempt.slot,
            attempt=attempt.number,
            identify=partial(bench.envelope.identify, slot=attempt.slot, number=attempt.number),
            commit=bench.commitment.text_arrived,
        )
        upstream = bench.rooms.upstreams(attempt.candidate.upstream)
        try:
            received = await upstream.send(self.request(attempt), witness)
        except asyncio.CancelledError:
            self._settle_cancelled(attempt, witness, started_s=started_s)
            raise
        finally:
            self.witness = None
        elapsed_ms = int((loop.time() - started_s) * 1000)
        cost = self._cost(attempt, received, moment=started_at)
        self._settle(attempt, received, cost=cost, witness=witness)
        self._remember(attempt, received, witness=witness, times=(started_s, elapsed_ms))
        answer = received.answer
        if answer is not None:
            answer = replace(answer, received_at=stamp(bench.rooms.clock.now()))
        return Made(
            answer=answer,
            failure=received.failure,
            usage=received.usage,
            cost=cost,
            elapsed_ms=elapsed_ms,
            generation_id=received.generation_id or witness.generation_id,
            text_begun=witness.first_token_s is not None,
        )

    def announce(
        self, attempt: Try, started_at: datetime, *, at_most_nanos: int | None = None
    ) -> None:
        """Publish that the Attempt begins. `at_most_nanos` None: it may cost what was planned."""
        facts: dict[str, object] = {
            "model": attempt.candidate.model,
            "started_at": stamp(started_at),
            "fallback": attempt.fallback,
            **self._bench.contexts.facts_of(attempt.candidate),
        }
        bound = at_most_nanos
        if bound is None and attempt.max_tokens == attempt.candidate.max_tokens:
            bound = attempt.candidate.bound_nanos
        if bound is not None:
            # What a process that is killed now must be taken to have spent.
            facts["cost_usd_at_most"] = format_usd(bound)
        self._bench.feed.publish(
            EventType.ATTEMPT_STARTED, Body(facts=facts), slot=attempt.slot, attempt=attempt.number
        )

    def request(self, attempt: Try) -> AttemptRequest:
        """What is sent for it."""
        bench = self._bench
        candidate = attempt.candidate
        cap = attempt.price_cap
        if cap is None and bench.envelope.is_capped:
            cap = self._cap_of(candidate.model)
        tuning = bench.rooms.tuning
        return AttemptRequest(
            model=candidate.model,
            messages=bench.contexts.messages_of(candidate.model),
            sampling=bench.query.sampling.fitted(attempt.max_tokens, without=candidate.dropped),
            stream=bench.streaming,
            price_cap=cap,
            timers=tuning.timers_for(
                reasons=candidate.reasons,
                is_local=candidate.upstream in tuning.free_upstreams,
                whole_s=attempt.whole_s,
            ),
        )

    def _cap_of(self, model_id: str) -> PriceCap | None:
        model = self._bench.find_model(model_id)
        if model is None or model.prices is None:
            return None
        return price_cap(
            model.prices,
            prompt_tokens=self._bench.contexts.bound_of(model_id),
            headroom=self._bench.rooms.tuning.price_headroom,
        )

    def _cost(self, attempt: Try, received: Received, *, moment: datetime) -> Cost:
        candidate = attempt.candidate
        return cost_of(
            received,
            self._bench.find_model(candidate.model),
            moment=moment,
            is_free=candidate.upstream in self._bench.rooms.tuning.free_upstreams,
            bound_nanos=lambda: self._bound(attempt),
        )

    def _settle(
        self, attempt: Try, received: Received, *, cost: Cost, witness: Witness | None
    ) -> None:
        """Take the cost from the envelope: the upstream's figure, or the most it may have been."""
        generation_id = received.generation_id
        if generation_id is None and witness is not None:
            generation_id = witness.generation_id
        bound = self._bound(attempt)
        outcome = "cancelled" if received is _CANCELLED else "failure"
        answer = received.answer
        self._bench.envelope.settle(
            attempt.slot,
            attempt.number,
            bill=Bill(
                outcome=outcome if answer is None else "answer",
                cost=cost,
                posted_nanos=(cost.nanos if cost.state.is_known else bound) or 0,
                usage=received.usage,
                generation_id=generation_id,
                provider=None if answer is None else answer.provider,
            ),
        )
        promised = bound if self._bench.envelope.is_capped else None
        model = attempt.candidate.model
        for code, words in cost_messages(model, received, cost=cost, bound=promised):
            self._bench.feed.notice(code, words, slot=attempt.slot)

    def _bound(self, attempt: Try) -> int | None:
        """The most the Attempt can cost; None: no price is known."""
        candidate = attempt.candidate
        if attempt.bound_nanos is not None:
            return attempt.bound_nanos
        if candidate.upstream in self._bench.rooms.tuning.free_upstreams:
            return 0
        if attempt.max_tokens == candidate.max_tokens and candidate.bound_nanos is not None:
            return candidate.bound_nanos
        return self.bound_of(attempt.candidate.model, attempt.max_tokens)

    def _settle_cancelled(self, attempt: Try, witness: Witness, *, started_s: float) -> None:
        free = attempt.candidate.upstream in self._bench.rooms.tuning.free_upstreams
        cost = NOT_BILLED if free else Cost(self._bound(attempt), CostState.ESTIMATED)
        self._settle(attempt, _CANCELLED, cost=cost, witness=witness)
        elapsed_ms = int((asyncio.get_running_loop().time() - started_s) * 1000)
        failure = self.closing
        if failure is not None and witness.first_token_s is not None:
            failure = replace(failure, phase=Phase.MID_STREAM)
        self._bench.feed.publish(
            EventType.ATTEMPT_FAILED,
            Body(
                failure=failure,
                cost=cost,
                facts={
                    "model": attempt.candidate.model,
                    "outcome": "cancelled" if failure is None else "failure",
                    "elapsed_ms": elapsed_ms,
                    "generation_id": witness.generation_id,
                },
            ),
            slot=attempt.slot,
            attempt=attempt.number,
        )
        if failure is not None and failure.phase is Phase.MID_STREAM:
            self._bench.feed.publish(
                EventType.ATTEMPT_WITHDRAWN, slot=attempt.slot, attempt=attempt.number
            )

    def _remember(
        self, attempt: Try, received: Received, *, witness: Witness, times: tuple[float, int]
    ) -> None:
        """Keep what an Answer took and counted; what a Failure says, the slot judges."""
        if received.failure is not None:
            return
        started_s, elapsed_ms = times
        begun_s, health = witness.first_token_s, self._bench.rooms.health
        first_ms = None if begun_s is None else int((begun_s - started_s) * 1000)
        model_id, native = attempt.candidate.model, received.usage.prompt_tokens
        health.answered(model_id, first_token_ms=first_ms, total_ms=elapsed_ms)
        if native and (model := self._bench.find_model(model_id)) is not None:
            estimate = self._bench.contexts.estimate_of(model_id, model.tokenizer)
            health.counted(model_id, native, estimate=estimate)

    def _refused(self, refusal: Refusal, entry: Entry) -> Failure:
        if refusal is Refusal.QUEUE_FULL:
            return Failure(FailureKind.DEADLINE, "the own queue of requests is full")
        wait_s = round(self._bench.rooms.gate.wait_s(entry), 1)
        return Failure(
            FailureKind.RATE_LIMITED,
            f"{entry.model} may not start for another {wait_s:g} s; nothing was sent",
            retry_after_s=wait_s,
        )

    def _not_sent(self, attempt: Try, failure: Failure) -> Made:
        self.announce(attempt, self._bench.rooms.clock.now())
        return Made(None, failure, NO_USAGE, NOT_BILLED, 0, refused=True)
