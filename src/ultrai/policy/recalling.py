"""What may be answered from a cache, what may be kept in one, and by which key. Pure.

The key is over the request as it is really sent, so that whatever changes an answer changes the
key: upstream and its address, model, messages, sampling after unsupported parameters were dropped.
It is also over the tenant, so that nobody is told what was answered to somebody else's key.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from ultrai.domain.fitting import FitMode
from ultrai.domain.kept import KeptAnswer
from ultrai.domain.outcome import Answer
from ultrai.domain.plan import NotReadyReason, Plan, PlannedCandidate
from ultrai.domain.query import Message, Sampling

_VERSION = 1  # of the key's canonical form: another form must not meet keys of this one
_WHOLE = frozenset({"stop", "tool_calls"})

# What holds a model back from being asked does not hold back what it has said already.
_NO_OBSTACLE = frozenset(
    {NotReadyReason.COOLING_DOWN, NotReadyReason.QUOTA_EXHAUSTED, NotReadyReason.NO_KEY}
)


def request_key(
    model: str,
    messages: Sequence[Message],
    *,
    sampling: Sampling,
    upstream: str,
    tenant: str,
) -> str:
    """SHA-256, as hex, over the canonical form of a request. `tenant` names a key, never is one."""
    shape = {
        "v": _VERSION,
        "tenant": tenant,
        "upstream": upstream,
        "model": model,
        "messages": [message.to_dict() for message in messages],
        "sampling": _plain(sampling.to_dict()),
    }
    canonical = json.dumps(shape, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def is_keepable(answer: Answer) -> bool:
    """Whether it is whole: ended by the model itself, not cut, not filtered, not from a cache."""
    return (
        answer.finish_reason in _WHOLE
        and not answer.truncated
        and not answer.cached
        and bool(answer.text.strip() or answer.tool_calls)
    )


def is_fresh(kept: KeptAnswer, now: datetime, *, ttl_s: float) -> bool:
    """Whether it is young enough. One from the future is as old as it is far away."""
    return abs((now - kept.kept_at).total_seconds()) <= ttl_s


def recallable(plan: Plan) -> Mapping[int, PlannedCandidate]:
    """By Slot, the Candidate whose Answer would do, were it kept: the first as written.

    A model that could answer for two Slots is recalled for none: samples are not to be one.
    """
    first = {slot.index: slot.candidates[0] for slot in plan.slots if slot.candidates}
    models = Counter(candidate.model for candidate in first.values())
    return {
        index: candidate
        for index, candidate in first.items()
        if models[candidate.model] == 1 and _is_no_obstacle(candidate)
    }


def _plain(value: object) -> object:
    """The same, with every whole number written as one: 1.0 is 1."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _is_no_obstacle(candidate: PlannedCandidate) -> bool:
    if candidate.fit is not None and candidate.fit.mode is FitMode.SUMMARISE:
        return False  # what it is told is still to be written
    return candidate.not_ready is None or candidate.not_ready.reason in _NO_OBSTACLE
