"""How a Slot tells its story: the Events and Notices of one Slot, and nothing else.

It does not decide anything; the slot room does.
"""

from __future__ import annotations

from dataclasses import replace

from ultrai.domain.event import EventType
from ultrai.domain.money import format_usd
from ultrai.domain.notice import NoticeCode
from ultrai.domain.outcome import Failure, FailureKind, Remedy
from ultrai.domain.plan import NotReadyReason, PlannedCandidate, PlannedSlot
from ultrai.domain.report import SlotState
from ultrai.engine.attempt import Made
from ultrai.engine.feed import Body, Feed
from ultrai.engine.remarks import (
    fit_message,
    recalled_message,
    superseded_message,
    tokens_message,
)
from ultrai.policy.fallback import advice_for
from ultrai.policy.lineup import Turn

# What a Slot failed of when all its Candidates were unusable for the same reason.
_KIND_OF_REASON = {
    NotReadyReason.WINDOW_TOO_SMALL: FailureKind.CONTEXT_TOO_LONG,
    NotReadyReason.QUOTA_EXHAUSTED: FailureKind.QUOTA_EXHAUSTED,
}


class SlotTale:
    """Writes what happens in one Slot to its Run's feed."""

    def __init__(self, feed: Feed, planned: PlannedSlot, *, asked_tokens: int) -> None:
        self._feed = feed
        self._asked_tokens = asked_tokens
        self._planned = planned
        self._index = planned.index

    def started(self) -> None:
        """The Slot begins."""
        facts = {
            "primary": self._planned.primary,
            "candidates": [c.model for c in self._planned.candidates],
        }
        self._feed.publish(EventType.SLOT_STARTED, Body(facts=facts), slot=self._index)

    def turn(self, turn: Turn) -> None:
        """A Candidate's turn comes, and something about it is not as one would wish."""
        model = turn.candidate.model
        if turn.shared:
            self._notice(
                NoticeCode.DIVERSITY_LOST,
                f"{model} also serves another slot: no other ready candidate is left here",
            )
        if turn.cooling:
            self._notice(
                NoticeCode.CIRCUIT_OPEN,
                f"{model} is asked although it failed repeatedly: no other candidate is ready",
            )
        if turn.candidate.role == "backup":
            self._backup(turn.candidate)

    def _backup(self, backup: PlannedCandidate) -> None:
        """What the Plan has said of the Candidates asked first, said of a Backup when it is."""
        if backup.replaces is not None:
            message = superseded_message(backup.replaces, backup.model)
            self._notice(NoticeCode.MODEL_SUPERSEDED, message)
        if backup.dropped:
            names = ", ".join(backup.dropped)
            self._notice(NoticeCode.PARAMETER_DROPPED, f"{backup.model} does not support {names}")
        for told in (fit_message(backup), tokens_message(backup, self._asked_tokens)):
            if told is not None:
                self._notice(*told)

    def tokens_changed(self, model: str, before: int, *, after: int) -> None:
        """The same model is asked again with other max_tokens."""
        if after < before:
            code, why = NoticeCode.MAX_TOKENS_REDUCED, "the credit affords no more"
        else:
            code, why = NoticeCode.MAX_TOKENS_RAISED, "the first try yielded no text"
        self._notice(
            code, f"{model} is asked again with max_tokens {after} instead of {before}: {why}"
        )

    def cap_raised(self, model: str) -> None:
        """The same model is asked again under a higher price cap."""
        self._notice(
            NoticeCode.PRICE_CAP_RAISED,
            f"no provider serves {model} at the listed price; it is asked again at the price of "
            "its dearest one",
        )

    def attempt_failed(self, number: int, model: str, *, made: Made, wait_s: float) -> None:
        """An Attempt ended in a Failure; what was shown of it is withdrawn."""
        assert made.failure is not None
        failure = made.failure
        advised = replace(failure, advice=failure.advice or advice_for(failure.kind))
        facts = {
            "model": model,
            "outcome": "failure",
            "elapsed_ms": made.elapsed_ms,
            "generation_id": made.generation_id,
            "wait_s": round(wait_s, 3),
        }
        body = Body(failure=advised, usage=made.usage, cost=made.cost, facts=facts)
        self._feed.publish(EventType.ATTEMPT_FAILED, body, slot=self._index, attempt=number)
        if made.text_begun:
            self._feed.publish(EventType.ATTEMPT_WITHDRAWN, slot=self._index, attempt=number)

    async def answered(self, number: int, candidate: PlannedCandidate, *, made: Made) -> None:
        """The Slot has its Answer."""
        answer = made.answer
        assert answer is not None
        fallback = candidate.role == "backup"
        if fallback:
            self._notice(
                NoticeCode.FALLBACK_USED, f"{candidate.model} answers for {self._planned.primary}"
            )
        if answer.truncated:
            self._notice(
                NoticeCode.ANSWER_TRUNCATED,
                f"the answer of {candidate.model} was cut by the token limit",
            )
        if not made.cost.state.is_known:
            self._notice(
                NoticeCode.COST_ESTIMATED,
                f"{candidate.model} sent no figure of its cost; it is estimated",
            )
        facts = {
            "answered_by": candidate.model,
            "fallback": fallback,
            "elapsed_ms": made.elapsed_ms,
            "generation_id": made.generation_id,
        }
        if made.recalled is not None:
            self._notice(*recalled_message(candidate.model, made.recalled))
            saved_nanos = made.recalled.saved_nanos
            facts["saved_usd"] = None if saved_nanos is None else format_usd(saved_nanos)
        body = Body(answer=answer, usage=made.usage, cost=made.cost, facts=facts)
        await self._feed.publish_committed(
            EventType.SLOT_ANSWERED, body, slot=self._index, attempt=number
        )

    def failed(self, failure: Failure) -> None:
        """The Slot is given up."""
        self._ended(SlotState.FAILED, failure)

    def cancelled(self) -> None:
        """The Slot was closed before it had a result."""
        self._ended(SlotState.CANCELLED, None)

    def nobody(self) -> Failure:
        """The Failure of a Slot none of whose Candidates is usable."""
        verdicts = [c.not_ready.message for c in self._planned.candidates if c.not_ready]
        why = "; ".join(verdicts) or "it has no candidates"
        reasons = {c.not_ready.reason for c in self._planned.candidates if c.not_ready}
        kind = FailureKind.MODEL_UNAVAILABLE
        if len(reasons) == 1:
            kind = _KIND_OF_REASON.get(reasons.pop(), kind)
        return Failure(
            kind,
            f"no candidate of this slot is usable: {why}",
            remedy=Remedy.GIVE_UP_SLOT,
            advice=advice_for(kind),
        )

    def _ended(self, state: SlotState, failure: Failure | None) -> None:
        body = Body(failure=failure, facts={"state": state.value})
        self._feed.publish(EventType.SLOT_FAILED, body, slot=self._index)

    def _notice(self, code: NoticeCode, message: str) -> None:
        self._feed.notice(code, message, slot=self._index)
