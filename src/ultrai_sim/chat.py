"""POST /chat/completions: the order in which a request is checked, tried and answered.

Models are tried in turn (``model``, then ``models``), and the endpoints of each; whatever one model
meets leads to the next, but only what a provider did wrong leads to its next endpoint.

Two ways lead out. Without faults and latency an answer goes out in one write, from frames that were
rendered for the first request like it. Otherwise `performing` plays it step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ultrai_sim.admission import (
    Letter,
    Order,
    check_window,
    need_of,
    read_letter,
    route_order,
    take_endpoint,
    take_order,
)
from ultrai_sim.aim import Occasion
from ultrai_sim.catalogue import Model
from ultrai_sim.endpoints import Endpoint
from ultrai_sim.fallback import first_to_answer, told, with_earlier
from ultrai_sim.moderation import Said, looks, moderate
from ultrai_sim.performing import circumstances, perform
from ultrai_sim.refusals import Refusal
from ultrai_sim.rendering import (
    JSON_HEADERS,
    STREAM_HEADERS,
    envelope_of,
    render,
    rendering_of,
    style_of,
)
from ultrai_sim.response_cache import Kept, Wish, headers_of
from ultrai_sim.routing import by_partition
from ultrai_sim.settlement import FULL, settle
from ultrai_sim.speech import Answer
from ultrai_sim.striking import refuse_if_due
from ultrai_sim.wire import COMMENT, DONE
from ultrai_sim.world import SEEN, Rendered, SeenRequest, World


async def complete(request: web.Request, world: World) -> web.StreamResponse:
    """Answer one chat request, or raise the `Refusal` that it meets."""
    seen = request[SEEN]
    seen.outcome = "refused"
    letter = await read_letter(request, world)
    errors: list[dict[str, Any]] = []
    *others, last = _models_of(world, letter)
    for wanted in others:
        try:
            return await _ask_model(request, world, letter=letter, wanted=wanted)
        except Refusal as refusal:
            errors.append(told(refusal))
    try:
        return await _ask_model(request, world, letter=letter, wanted=last)
    except Refusal as refusal:
        raise with_earlier(refusal, errors) from None


def _models_of(world: World, letter: Letter) -> Sequence[str]:
    """The models to be tried, in the order that the request's wishes ask for."""
    if len(letter.models) == 1:
        return letter.models
    return by_partition(letter.body, [(name, world.listing.find(name)) for name in letter.models])


async def _ask_model(
    request: web.Request, world: World, *, letter: Letter, wanted: str
) -> web.StreamResponse:
    seen = request[SEEN]
    order = take_order(request, world, letter=letter, wanted=wanted)
    no_way: Refusal | None = None
    endpoints: Sequence[Endpoint] = ()
    try:
        endpoints = route_order(order, letter.body)
    except Refusal as refusal:  # told only to those who could pay
        no_way = refusal
    # The key's limit, then the account's credits.
    hold = order.account.reserve(order.key, need_of(order, endpoints), now=order.began)
    try:
        if no_way is not None:
            raise no_way
        take_endpoint(order, endpoints[0])
        check_window(order)
        # From here on a refusal bears the generation's id.
        seen.generation_id = order.generation_id
        if looks(world, order.model):
            question = order.question
            said = Said(question.prompt, question.asked, order.asked.id, order.provider)
            moderate(world, order.model, said=said)
        wish = world.response_cache.read_wish(
            request.headers, letter.body, secret=order.key.secret, route=request.path
        )
        if wish is None:
            return await _try_endpoints(request, world, order=order, endpoints=endpoints)
        return await _with_cache(request, world, order=order, endpoints=endpoints, wish=wish)
    finally:
        order.account.release(hold)
        letter.tries[:] = order.tries


async def _try_endpoints(
    request: web.Request, world: World, *, order: Order, endpoints: Sequence[Endpoint]
) -> web.StreamResponse:
    """The answer of the first endpoint that gives one; what the last one met instead."""

    async def ask(endpoint: Endpoint) -> web.StreamResponse:
        return await _try(request, world, order=order, endpoint=endpoint)

    permaslug = order.model.canonical or order.model.id
    return await first_to_answer(endpoints, ask, permaslug=permaslug, tries=order.tries)


async def _try(
    request: web.Request, world: World, *, order: Order, endpoint: Endpoint
) -> web.StreamResponse:
    """The answer of one endpoint, or what it meets there instead."""
    seen = request[SEEN]
    take_endpoint(order, endpoint)
    faults = world.book.due(_occasion(world, order), already=order.struck)
    # Once for the request, however many of its endpoints it strikes.
    seen.faults = tuple(dict.fromkeys((*seen.faults, *(fault.kind for fault in faults))))
    if faults:
        await refuse_if_due(faults, circumstances(world, order))
    if not faults and world.latency.is_zero and not world.paces:
        return _at_once(world, order, seen=seen)
    response = await perform(request, world, order=order, faults=faults)
    if faults:
        order.answer = None  # what went out may be another one
    return response


@dataclass(frozen=True, slots=True)
class Given:
    """Who gave an answer that is kept, and what it said."""

    asked: Model
    model: Model
    provider: str
    served_tier: str | None
    answer: Answer


async def _with_cache(
    request: web.Request,
    world: World,
    *,
    order: Order,
    endpoints: Sequence[Endpoint],
    wish: Wish,
) -> web.StreamResponse:
    """What was kept, at no cost; or a new answer, which is kept if it is given whole."""
    seen = request[SEEN]
    kept = world.response_cache.find(wish, order.began)
    order.cache_headers = headers_of(wish, kept, now=order.began)
    if kept is not None:
        return _again(world, order, kept=kept, seen=seen)
    response = await _try_endpoints(request, world, order=order, endpoints=endpoints)
    if seen.outcome == "complete" and order.answer is not None:
        given = Given(order.asked, order.model, order.provider, order.served_tier, order.answer)
        world.response_cache.keep(wish, order.generation_id, now=world.clock(), content=given)
    return response


def _again(world: World, order: Order, *, kept: Kept, seen: SeenRequest) -> web.Response:
    """Give an answer once more, as the same model and provider gave it, for nothing."""
    given: Given = kept.content
    order.asked, order.model, order.provider = given.asked, given.model, given.provider
    order.served_tier, order.source_id = given.served_tier, kept.generation_id
    rendered = render(given.answer, order, style=style_of(world, order))
    return _send(world, order, rendered=rendered, seen=seen)


def _occasion(world: World, order: Order) -> Occasion:
    return Occasion(
        model=order.asked.id,
        attempt=order.attempt,
        provider=order.provider,
        key=order.key.name,
        since_s=order.began - world.began,
    )


def _at_once(world: World, order: Order, *, seen: SeenRequest) -> web.Response:
    return _send(world, order, rendered=rendering_of(world, order), seen=seen)


def _send(world: World, order: Order, *, rendered: Rendered, seen: SeenRequest) -> web.Response:
    """A whole answer in one write."""
    envelope = envelope_of(order)
    if order.stream:
        head = envelope.head()
        body = COMMENT * world.comments + head.join([b"", *rendered.tails]) + DONE
        response = web.Response(body=body, headers=STREAM_HEADERS)
    else:
        body = envelope.opening() + rendered.body
        response = web.Response(body=body, headers=JSON_HEADERS)
    response.headers["X-Generation-Id"] = order.generation_id
    response.headers.update(order.cache_headers)
    response.enable_chunked_encoding()
    seen.outcome = "complete"
    settle(world, order, rendered=rendered, seen=seen, ending=FULL)
    return response
