"""Finds, before a Run begins, the Slots whose Answer is known: they need no key and no money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ultrai.domain.access import TAG
from ultrai.domain.attempt import AttemptRequest
from ultrai.domain.budget import Payer
from ultrai.domain.notice import NoticeCode
from ultrai.domain.plan import Plan, PlannedCandidate
from ultrai.engine.recall import Memory
from ultrai.engine.run import RunOrder
from ultrai.engine.totalling import cost_of
from ultrai.policy.recalling import recallable


async def recalled(order: RunOrder, memory: Memory) -> RunOrder:
    """The order with that memory, in whose Plan the known Slots are answered for nothing."""
    if not memory.reads:
        return replace(order, memory=memory)
    candidates = recallable(order.plan)
    keys = {index: _key(order, each, memory=memory) for index, each in candidates.items()}
    found = await memory.recall.find(tuple(keys.values()))
    known = {index: found[key] for index, key in keys.items() if key in found}
    if not known:
        return replace(order, memory=memory)
    answered = {index: candidates[index] for index in known}
    return _answered(order, replace(memory, known=known), answered=answered)


def tenant_of(payer: Payer) -> str:
    """Who is told what was answered: the same key to the upstream, and to our own server."""
    return f"{payer.key or ''} {(payer.tags or {}).get(TAG, '')}"


def _answered(
    order: RunOrder, memory: Memory, *, answered: Mapping[int, PlannedCandidate]
) -> RunOrder:
    replan = order.replan

    def planned(max_tokens: int, *, slots: int | None = None) -> Plan:
        return with_kept(replan(max_tokens, slots=slots), answered)

    return replace(order, plan=with_kept(order.plan, answered), replan=planned, memory=memory)


def with_kept(plan: Plan, known: Mapping[int, PlannedCandidate]) -> Plan:
    """The Plan where the Slots in `known` are answered already: by that Candidate, for nothing."""
    slots = tuple(
        replace(slot, candidates=(_for_nothing(known[slot.index]),))
        if slot.index in known
        else slot
        for slot in plan.slots
    )
    notices = tuple(
        notice
        for notice in plan.notices
        if notice.slot not in known or notice.code is not NoticeCode.MODEL_NOT_READY
    )
    cost_nanos = cost_of(slots, plan.summary)
    return replace(plan, slots=slots, cost_nanos=cost_nanos, notices=notices)


def _for_nothing(candidate: PlannedCandidate) -> PlannedCandidate:
    return replace(
        candidate,
        not_ready=None,
        low_nanos=0,
        expected_nanos=0,
        bound_nanos=0,
        expected_ms=0,
    )


def _key(order: RunOrder, candidate: PlannedCandidate, *, memory: Memory) -> str:
    sampling = order.query.sampling
    request = AttemptRequest(
        model=candidate.model,
        messages=order.contexts.messages_of(candidate.model),
        sampling=sampling.fitted(candidate.max_tokens, without=candidate.dropped),
    )
    return memory.recall.key_of(request, candidate.upstream, tenant=memory.tenant)
