"""The words of Notices that both a Plan and a Slot may have to write."""

from __future__ import annotations

from ultrai.domain.notice import NoticeCode
from ultrai.domain.plan import PlannedCandidate


def superseded_message(retired: str, heir: str) -> str:
    """The words of the Notice about a successor."""
    return f"{retired} is no longer listed; {heir} takes its place"


def tokens_message(candidate: PlannedCandidate, asked: int) -> tuple[NoticeCode, str] | None:
    """The Notice about a `max_tokens` other than was asked for; None where it is as asked."""
    model, given = candidate.model, candidate.max_tokens
    if given < asked:
        message = f"{model} gives at most {given} tokens here, not {asked}"
        return NoticeCode.MAX_TOKENS_REDUCED, message
    if given > asked:
        message = f"{model} reasons before it answers: max_tokens is {given} instead of {asked}"
        return NoticeCode.REASONING_HEADROOM, message
    return None
