"""Faults of the first stage that are refusals of OpenRouter's own, each with its real body."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ultrai_sim import refusals
from ultrai_sim.faults import Fault
from ultrai_sim.refusals import Refusal
from ultrai_sim.tampering import Circumstances

DAY_S = 86_400
SHARED_POOL_S = 5.0
DATA_POLICY = (
    "No endpoints found matching your data policy (Free model training). "
    "Configure: https://openrouter.ai/settings/privacy"
)


def _credits(_: Fault, __: Circumstances) -> Refusal:
    return refusals.insufficient_credit()


def _key_limit_402(_: Fault, __: Circumstances) -> Refusal:
    return refusals.key_limit_exceeded(status=402)


def _key_limit_403(_: Fault, __: Circumstances) -> Refusal:
    return refusals.key_limit_exceeded("daily")


def _budget(_: Fault, around: Circumstances) -> Refusal:
    return refusals.budget_exceeded(10, 10.02, resets_at=(around.now // DAY_S + 1) * DAY_S)


def _moderation(_: Fault, around: Circumstances) -> Refusal:
    return refusals.moderated(around.model_id, around.provider, flagged=around.prompt)


def _guardrail(_: Fault, __: Circumstances) -> Refusal:
    return refusals.blocked_by_guardrail(["prompt-injection"])


def _shared_pool(fault: Fault, around: Circumstances) -> Refusal:
    wait = SHARED_POOL_S if fault.retry_after is None else fault.retry_after
    return refusals.shared_pool(around.model_id, around.provider, retry_after=wait)


def _unknown_model(_: Fault, around: Circumstances) -> Refusal:
    return refusals.unknown_model(around.model_id)


def _context(_: Fault, around: Circumstances) -> Refusal:
    return refusals.too_long(4096, prompt=5000, output=around.max_tokens, provider=around.provider)


def _retired(_: Fault, around: Circumstances) -> Refusal:
    return refusals.retired_model(around.model_id)


def _data_policy(_: Fault, __: Circumstances) -> Refusal:
    return refusals.no_route(
        DATA_POLICY, [("Initial Endpoints", 1)], failed="Filter by Data Policy"
    )


def _no_provider(_: Fault, __: Circumstances) -> Refusal:
    return refusals.refuse(503)


def _body(fault: Fault, _: Circumstances) -> Refusal:
    return Refusal(
        fault.status or 502,
        (fault.text or "").encode("utf-8", "replace"),
        content_type=fault.content_type or "application/json",
    )


def _balance(_: Fault, __: Circumstances) -> Refusal:
    return refusals.balance_too_low()


def _zod(_: Fault, __: Circumstances) -> Refusal:
    return refusals.zod_error("invalid_type", ["messages"], message="expected array")


DENIALS: Mapping[str, Callable[[Fault, Circumstances], Refusal]] = {
    "credits_402": _credits,
    "key_limit_402": _key_limit_402,
    "key_limit_403": _key_limit_403,
    "budget_403": _budget,
    "moderation_403": _moderation,
    "guardrail_403": _guardrail,
    "shared_pool_429": _shared_pool,
    "unknown_model_400": _unknown_model,
    "context_400": _context,
    "retired_404": _retired,
    "data_policy_404": _data_policy,
    "no_provider_503": _no_provider,
    "body": _body,
    "balance_402": _balance,
    "zod_400": _zod,
}
