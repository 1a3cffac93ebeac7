"""POST /chat/completions: the order in which a request is checked, tried and answered.

Two ways lead out. Without faults and latency an answer goes out in one write, from frames that
were rendered for the first request like it. Otherwise `performing` plays it step by step.
"""

from __future__ import annotations

from aiohttp import web

from ultrai_sim.admission import Order, route, take_order
from ultrai_sim.aim import Occasion
from ultrai_sim.performing import perform, refuse_if_due
from ultrai_sim.rendering import JSON_HEADERS, STREAM_HEADERS, envelope_of, rendering_of
from ultrai_sim.settlement import FULL, settle
from ultrai_sim.wire import COMMENT, DONE
from ultrai_sim.world import SEEN, SeenRequest, World


async def complete(request: web.Request, world: World) -> web.StreamResponse:
    """Answer one chat request, or raise the `Refusal` that it meets."""
    seen = request[SEEN]
    seen.outcome = "refused"
    # Key, JSON, messages, parameters, model, free tier.
    order = await take_order(request, world)
    # The key's limit, then the account's credits.
    hold = order.account.reserve(
        order.key,
        order.prices,
        prompt=order.prompt_tokens,
        max_tokens=order.ceiling,
        now=order.began,
    )
    try:
        # The endpoints that may serve; from here on a refusal bears the generation's id.
        route(order, seen.body)
        seen.generation_id = order.generation_id
        # Moderation and guardrails belong here, before a provider is tried.
        return await _try(request, world, order=order)
    finally:
        order.account.release(hold)


async def _try(request: web.Request, world: World, *, order: Order) -> web.StreamResponse:
    """The answer of the provider, or what it meets there instead."""
    seen = request[SEEN]
    faults = world.book.due(
        Occasion(
            model=order.asked.id,
            attempt=order.attempt,
            provider=order.provider,
            key=order.key.name,
            since_s=order.began - world.began,
        )
    )
    seen.faults = tuple(fault.kind for fault in faults)
    if faults:
        await refuse_if_due(world, order, faults=faults)
    elif world.latency.is_zero and not world.paces:
        return _at_once(world, order, seen=seen)
    return await perform(request, world, order=order, faults=faults)


def _at_once(world: World, order: Order, *, seen: SeenRequest) -> web.Response:
    rendered = rendering_of(world, order)
    envelope = envelope_of(order)
    if order.stream:
        head = envelope.head()
        body = COMMENT * world.comments + head.join([b"", *rendered.tails]) + DONE
        response = web.Response(body=body, headers=STREAM_HEADERS)
    else:
        body = envelope.opening() + rendered.body
        response = web.Response(body=body, headers=JSON_HEADERS)
    response.headers["X-Generation-Id"] = order.generation_id
    response.enable_chunked_encoding()
    seen.outcome = "complete"
    settle(world, order, rendered=rendered, seen=seen, ending=FULL)
    return response
