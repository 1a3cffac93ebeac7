"""The end of a request: what is billed, and what `/generation` will say about it.

A stream that was broken off is billed for what had been delivered where the provider honours a
cancellation. Where it does not, and always without streaming, the generation goes on without its
client: it is billed in full, and `/generation` knows of it only after the end that it would have
had. What ended in an error is free, and so is what brought neither a token nor a reason why.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from ultrai_sim.admission import Order
from ultrai_sim.bill import BillLine
from ultrai_sim.charges import Charge, charge
from ultrai_sim.generations import Caller, Generation
from ultrai_sim.intake import cache_discount
from ultrai_sim.providers import PROVIDERS
from ultrai_sim.schedule import Latency
from ultrai_sim.world import Rendered, SeenRequest, World

NOTHING = Decimal(0)
AT_ONCE = Latency()
NOTHING_COUNTED: dict[str, Any] = {
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "reasoning_tokens": 0,
    "cached_tokens": 0,
}
"""What the response cache gives again has no usage."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request ended.

    ``delivered`` tokens went out, None where all did. ``billed`` is false after an error.
    ``latency`` is what the provider took, ``first_s`` after how long its first token came.
    """

    delivered: int | None = None
    cancelled: bool = False
    billed: bool = True
    latency: Latency = AT_ONCE
    first_s: float = 0.0


FULL = Ending()


def settle(
    world: World, order: Order, *, rendered: Rendered, seen: SeenRequest, ending: Ending
) -> None:
    """Bill a request, and keep it for `/generation`; what began before a reset is forgotten."""
    if order.account is not world.money:
        return
    answer, now = rendered.answer, world.clock()
    stopped = ending.delivered is not None and stops_when_cancelled(order)
    tokens, cost, over = answer.tokens, rendered.charge, now
    reason: str | None = answer.finish_reason
    if stopped:
        tokens, reason = min(ending.delivered or 0, tokens), None
        cost = charge(order.prices, order.intake, completion_tokens=tokens, fee=order.fee)
    elif ending.delivered is not None:
        over = max(now, order.began + ending.latency.total_s(tokens))
    if not ending.billed:
        reason = "error"
    paid = cost if is_billed(tokens, reason) and order.source_id is None else None
    world.prompt_cache.remember(order.prefixes, now)
    line = _line(
        order, paid, tokens=tokens, thoughts=len(answer.thoughts), cancelled=ending.cancelled
    )
    world.record(
        Generation(
            line=line if order.source_id is None else replace(line, **NOTHING_COUNTED),
            finish_reason=reason,
            native_finish_reason=None if reason is None else answer.native_finish_reason,
            normalised=(0, 0) if order.source_id else _normalised(rendered, tokens),
            streamed=order.stream,
            caller=Caller(seen.headers, seen.raw),
            available_at=over + world.generation_lag_s,
            latency_s=ending.first_s,
            tries=tuple(order.tries),
            source_id=order.source_id,
            elapsed_s=over - order.began,
            router=order.asked.id if order.asked.tokenizer == "Router" else None,
            service_tier=order.served_tier,
            cache_discount=None if paid is None else _discount(order),
            output=rendered.told,
        )
    )


def _line(
    order: Order, paid: Charge | None, *, tokens: int, thoughts: int, cancelled: bool
) -> BillLine:
    """The bill's line for so many completion tokens; ``paid`` None: they are free."""
    return BillLine(
        generation_id=order.generation_id,
        model=order.asked.id,
        permaslug=order.model.canonical or order.model.id,
        provider=order.provider,
        key=order.key,
        created_at=order.began,
        prompt_tokens=order.prompt_tokens,
        completion_tokens=tokens,
        cost=NOTHING if paid is None else paid.exact,
        cost_wire="0" if paid is None else paid.wire,
        billed=paid is not None,
        cancelled=cancelled,
        reasoning_tokens=min(thoughts, tokens),
        cached_tokens=order.intake.cached,
        upstream=None if paid is None else paid.upstream,
    )


def stops_when_cancelled(order: Order) -> bool:
    """Whether a client that leaves also stops the generation and its bill."""
    return order.stream and PROVIDERS.get(order.provider, ("", False))[1]


def is_billed(tokens: int, reason: str | None) -> bool:
    """Whether OpenRouter charges for an answer: neither for errors nor for none at all."""
    return reason != "error" and bool(tokens or reason)


def _normalised(rendered: Rendered, tokens: int) -> tuple[int, int]:
    """The tokens of prompt and completion as one tokenizer counts them; a part of the latter."""
    prompt, completion = rendered.normalised
    return prompt, round(completion * tokens / max(rendered.answer.tokens, 1))


def _discount(order: Order) -> float | None:
    """What caching saved; None where nothing was cached."""
    return cache_discount(order.prices, order.intake) if order.prefixes else None
