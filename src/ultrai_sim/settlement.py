"""The end of a request: what is billed, and what `/generation` will say about it.

A stream that was broken off is billed for what had been delivered where the provider honours a
cancellation, and in full where it does not; without streaming always in full. What ended in an
error is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ultrai_sim.accounting import BillLine, charge, js_number, prices_at
from ultrai_sim.admission import Order
from ultrai_sim.clock import iso
from ultrai_sim.intake import cache_discount
from ultrai_sim.providers import PROVIDERS
from ultrai_sim.world import Generation, Rendered, World


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request ended: the client left, or an error made it free."""

    cancelled: bool = False
    billed: bool = True


FULL = Ending()
# Fields of `/generation` that are null here.
NEVER_KNOWN = (
    "app_id data_region external_user http_referer moderation_latency "
    "native_tokens_completion_images num_fetches num_input_audio_prompt "
    "num_media_completion num_media_prompt num_search_results preset_id request_id router "
    "service_tier session_id user_agent web_search_engine workspace_id"
)


def settle(
    world: World, order: Order, *, rendered: Rendered, delivered: int | None, ending: Ending
) -> None:
    """Bill a request; ``delivered`` tokens went out, None where all did."""
    answer, cost = rendered.answer, rendered.charge
    tokens = answer.tokens
    billed = ending.billed
    if delivered is not None and order.stream and PROVIDERS.get(order.provider, ("", False))[1]:
        tokens = min(delivered, tokens)
        cost = charge(order.model, order.intake, completion_tokens=tokens)
        billed = billed and tokens > 0
    line = BillLine(
        generation_id=order.generation_id,
        model=order.asked.id,
        key=order.key,
        prompt_tokens=order.prompt_tokens,
        completion_tokens=tokens,
        cost_usd=format(cost.exact if billed else Decimal(0), "f"),
        cost_wire=js_number(cost.total) if billed else "0",
        billed=billed,
        cancelled=ending.cancelled,
    )
    whole = delivered is None and ending.billed
    world.prompt_cache.remember(order.prefixes, world.clock())
    world.record(_generation(world, line, order=order, rendered=rendered, whole=whole))


def _generation(
    world: World, line: BillLine, *, order: Order, rendered: Rendered, whole: bool
) -> Generation:
    answer, said, now = rendered.answer, rendered.normalised, world.clock()
    tokens = line.completion_tokens
    return Generation(
        line=line,
        model=order.model.canonical or order.model.id,
        provider=order.provider,
        finish_reason=answer.finish_reason if whole else None,
        native_finish_reason=answer.native_finish_reason if whole else None,
        reasoning_tokens=min(len(answer.thoughts), tokens),
        cached_tokens=order.intake.cached,
        cache_discount=_discount(order) if line.billed else None,
        normalised=(said[0], round(said[1] * tokens / max(answer.tokens, 1))),
        streamed=order.stream,
        created_at=order.created,
        elapsed_s=max(now - order.created, 0.0),
        available_at=now + world.generation_lag_s,
    )


def _discount(order: Order) -> float | None:
    """What caching saved; None where nothing was cached."""
    if not order.prefixes:
        return None
    return cache_discount(prices_at(order.model, order.prompt_tokens), order.intake)


def generation_body(generation: Generation) -> dict[str, Any]:
    """The answer of `/generation`."""
    line = generation.line
    cost = float(line.cost_wire)
    elapsed_ms = int(generation.elapsed_s * 1000)
    return {
        "data": {
            "id": line.generation_id,
            "upstream_id": None,
            "total_cost": cost,
            "usage": cost,
            "cache_discount": generation.cache_discount,
            "upstream_inference_cost": 0,
            "created_at": iso(generation.created_at),
            "model": generation.model,
            "provider_name": generation.provider,
            "api_type": generation.api_type,
            "origin": "",
            "streamed": generation.streamed,
            "cancelled": line.cancelled,
            "is_byok": False,
            "finish_reason": generation.finish_reason,
            "native_finish_reason": generation.native_finish_reason,
            "latency": elapsed_ms,
            "generation_time": elapsed_ms,
            "tokens_prompt": generation.normalised[0],
            "tokens_completion": generation.normalised[1],
            "native_tokens_prompt": line.prompt_tokens,
            "native_tokens_completion": line.completion_tokens,
            "native_tokens_reasoning": generation.reasoning_tokens,
            "native_tokens_cached": generation.cached_tokens,
            "provider_responses": [
                {
                    "status": 200,
                    "endpoint_id": None,
                    "id": line.generation_id,
                    "is_byok": False,
                    "latency": elapsed_ms,
                    "model_permaslug": generation.model,
                    "provider_name": generation.provider,
                }
            ],
            **dict.fromkeys(NEVER_KNOWN.split()),
        }
    }
