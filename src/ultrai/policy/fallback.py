"""FailureKind -> Remedy: one total table, and the decision that reads it.

Theory of operation. Every kind has one `Rule`: how often the same model may be asked again, what
follows when that is used up, and what a person can do. `decide` looks at the rule and at the
Situation of the Slot and says what happens now. Text that has begun changes everything: its tokens
are billed, so the next Candidate comes at once, and the same model gets one more chance only when
no other is left.

This module does not know what a Slot is, who the next Candidate would be, or what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ultrai.domain.outcome import Failure, FailureKind, Phase, Remedy
from ultrai.policy.backoff import Backoff


class Retries(Enum):
    """How often the same model may be asked again before any text has come."""

    NONE = "none"
    ONCE = "once"
    UP_TO_MAX = "up to max_attempts"
    ONCE_CHANGED = "once, with other max_tokens"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: retries, what follows them, and the advice that ends the failure's line."""

    retries: Retries
    then: Remedy
    advice: str


_NEXT = Remedy.NEXT_CANDIDATE
_STOP = Remedy.STOP_UPSTREAM

RULES: Mapping[FailureKind, Rule] = {
    FailureKind.AUTH: Rule(
        Retries.NONE, _STOP, "renew the key and set OPENROUTER_API_KEY to the new one"
    ),
    FailureKind.INSUFFICIENT_CREDIT: Rule(
        Retries.ONCE_CHANGED, _STOP, "add credit, or lower --max-tokens"
    ),
    FailureKind.KEY_LIMIT: Rule(
        Retries.NONE, _STOP, "raise the key's limit or wait until it resets"
    ),
    FailureKind.IN_FLIGHT_BUDGET: Rule(
        Retries.UP_TO_MAX, _NEXT, "let running requests settle, or add credit"
    ),
    FailureKind.CONTEXT_TOO_LONG: Rule(
        Retries.NONE,
        _NEXT,
        "give long text as a file (-f): each model gets what it holds; or name a larger one",
    ),
    FailureKind.MODEL_UNAVAILABLE: Rule(
        Retries.NONE, _NEXT, "run `ultrai doctor` to see what serves instead"
    ),
    FailureKind.BAD_REQUEST: Rule(
        Retries.NONE, _NEXT, "check the parameter that the message names"
    ),
    FailureKind.MODERATED: Rule(Retries.NONE, _NEXT, "rephrase the prompt"),
    FailureKind.FORBIDDEN: Rule(
        Retries.NONE, _NEXT, "check what the key and its account are allowed to use"
    ),
    FailureKind.RATE_LIMITED: Rule(
        Retries.UP_TO_MAX, _NEXT, "come back when the limit has passed, or lower the pace"
    ),
    FailureKind.QUOTA_EXHAUSTED: Rule(
        Retries.NONE, _NEXT, "wait for the daily reset, or use the paid variant"
    ),
    FailureKind.UPSTREAM_ERROR: Rule(
        Retries.UP_TO_MAX, _NEXT, "try again later, or name another model"
    ),
    FailureKind.OVERLOADED: Rule(
        Retries.UP_TO_MAX, _NEXT, "try again later, or name another model"
    ),
    FailureKind.TIMEOUT: Rule(
        Retries.UP_TO_MAX, _NEXT, "raise the timeout, or name a faster model"
    ),
    FailureKind.NETWORK: Rule(
        Retries.UP_TO_MAX, _NEXT, "check the connection, the proxy and OPENROUTER_BASE_URL"
    ),
    FailureKind.NO_PROVIDER: Rule(
        Retries.ONCE, _NEXT, "name another model: no provider serves this one now"
    ),
    FailureKind.CUT_STREAM: Rule(
        Retries.NONE, _NEXT, "try again; what had arrived is kept in the report"
    ),
    FailureKind.BAD_RESPONSE: Rule(
        Retries.UP_TO_MAX, _NEXT, "check OPENROUTER_BASE_URL and any proxy on the way"
    ),
    FailureKind.EMPTY_ANSWER: Rule(
        Retries.ONCE_CHANGED, _NEXT, "raise --max-tokens: the model used them up before any text"
    ),
    FailureKind.REFUSED_BY_BUDGET: Rule(
        Retries.NONE, Remedy.GIVE_UP_SLOT, "raise --max-cost, or lower --max-tokens"
    ),
    FailureKind.DEADLINE: Rule(
        Retries.NONE, Remedy.GIVE_UP_SLOT, "raise --deadline, or choose a faster cocktail"
    ),
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What `decide` must know of the Slot. Durations are seconds.

    `attempts` counts those on this model, the failed one included; `changed` says that one of them
    was already a retry with other max_tokens; `may_retry` is the process-wide retry budget;
    `attempt_s` is how long the failed Attempt took, `max_tokens` what it asked for;
    `raised_tokens` is the larger max_tokens that a retry could have, None when there is none;
    `chance` is a draw from [0, 1).
    """

    attempts: int
    max_attempts: int
    others_left: bool
    time_left_s: float
    max_wait_s: float
    chance: float
    may_retry: bool = True
    changed: bool = False
    attempt_s: float = 0.0
    max_tokens: int = 1_000_000
    max_tokens_floor: int = 1
    raised_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens now. `wait_s` and `max_tokens` belong to a retry; None: unchanged."""

    remedy: Remedy
    wait_s: float = 0.0
    max_tokens: int | None = None


def advice_for(kind: FailureKind) -> str:
    """What a person can do about a failure of this kind."""
    return RULES[kind].advice


def decide(failure: Failure, situation: Situation, *, backoff: Backoff) -> Decision:
    """The remedy for this failure in this situation."""
    rule = RULES[failure.kind]
    if failure.phase is Phase.MID_STREAM and rule.then is _NEXT:
        return _after_text(failure, situation)
    if rule.retries is Retries.ONCE_CHANGED:
        changed = _changed_tokens(failure, situation)
        if changed is not None:
            return Decision(Remedy.RETRY, max_tokens=changed)
    elif _may_ask_again(rule, situation):
        wait_s = backoff.wait_s(
            situation.attempts, chance=situation.chance, retry_after_s=failure.retry_after_s
        )
        if _is_worth_waiting(failure, situation, wait_s=wait_s):
            return Decision(Remedy.RETRY, wait_s=wait_s)
    return _onward(rule, situation)


def _after_text(failure: Failure, situation: Situation) -> Decision:
    last_chance = (
        not situation.others_left
        and situation.attempts < min(2, situation.max_attempts)
        and RULES[failure.kind].retries is not Retries.ONCE_CHANGED
    )
    may_again = RULES[failure.kind].retries is not Retries.NONE or (
        failure.kind is FailureKind.CUT_STREAM
    )
    if last_chance and may_again and situation.may_retry:
        return Decision(Remedy.RETRY)
    return _onward(RULES[failure.kind], situation)


def _may_ask_again(rule: Rule, situation: Situation) -> bool:
    if rule.retries is Retries.NONE or not situation.may_retry:
        return False
    allowed = situation.max_attempts
    if rule.retries is Retries.ONCE:
        allowed = min(allowed, 2)
    return situation.attempts < allowed


def _is_worth_waiting(failure: Failure, situation: Situation, *, wait_s: float) -> bool:
    if failure.retry_after_s is not None and failure.retry_after_s > situation.max_wait_s:
        return False
    if wait_s >= situation.time_left_s:
        return False
    # A model that lets every timer run out must leave time for those who would answer.
    slow = failure.kind is FailureKind.TIMEOUT and situation.others_left
    return not (slow and situation.time_left_s < 2 * situation.attempt_s)


def _changed_tokens(failure: Failure, situation: Situation) -> int | None:
    if situation.changed or situation.attempts >= situation.max_attempts:
        return None
    if failure.kind is FailureKind.EMPTY_ANSWER:
        return situation.raised_tokens
    affordable = failure.affordable_tokens
    if affordable is None or affordable >= situation.max_tokens:
        return None
    if affordable >= situation.max_tokens_floor:
        return affordable
    return None


def _onward(rule: Rule, situation: Situation) -> Decision:
    if rule.then is _NEXT and not situation.others_left:
        return Decision(Remedy.GIVE_UP_SLOT)
    return Decision(rule.then)
