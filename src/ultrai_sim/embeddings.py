"""POST /embeddings: read, make vectors, bill.

Vectors are numbers, or the base64 of little-endian floats. A request is billed by the tokens of
its input, and known to `/generation` like any other. Its wishes about providers are followed, and
faults strike at it as they do at chats.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec
from aiohttp import web

from ultrai_sim.account import Account
from ultrai_sim.admission import read_body
from ultrai_sim.aim import Occasion
from ultrai_sim.bill import BillLine
from ultrai_sim.charges import FOR_NOTHING, Charge, Need, charge, js_number, prices_at
from ultrai_sim.credentials import inference_key
from ultrai_sim.embedders import VectorOrder, read_vector_order
from ultrai_sim.endpoints import Endpoint
from ultrai_sim.fallback import first_to_answer
from ultrai_sim.faults import Fault
from ultrai_sim.generations import Caller, Generation, Try
from ultrai_sim.guardrails import unguarded
from ultrai_sim.intake import Intake
from ultrai_sim.keys import Key
from ultrai_sim.moderation import Said, looks, moderate
from ultrai_sim.refusals import Refusal
from ultrai_sim.rendering import JSON_HEADERS
from ultrai_sim.response_cache import Kept, Wish, headers_of, zeroed
from ultrai_sim.routing import route
from ultrai_sim.striking import Plain, circumstances_of, refuse_if_due
from ultrai_sim.terms import AccountTerms
from ultrai_sim.tokens import NORMALISED
from ultrai_sim.vectors import shortened, vector_of
from ultrai_sim.world import SEEN, SeenRequest, World


@dataclass(slots=True)
class Delivery:
    """A request for vectors that may be answered; ``kept`` where a cache answers.

    ``endpoint`` is the one that is asked now, ``cost`` what it takes. ``tries`` failed before.
    """

    order: VectorOrder
    account: Account
    key: Key
    generation_id: str
    began: float
    endpoint: Endpoint
    authorization: str
    cost: Charge = FOR_NOTHING
    kept: Kept | None = None
    tries: list[Try] = field(default_factory=list)
    struck: set[int] = field(default_factory=set)

    @property
    def usage(self) -> dict[str, Any]:
        """The ``usage`` object."""
        usage = _usage(self.order, self.cost)
        return usage if self.kept is None else zeroed(usage)

    @property
    def source_id(self) -> str | None:
        """The generation whose answer is given again."""
        return None if self.kept is None else self.kept.generation_id


async def embed(request: web.Request, world: World) -> web.StreamResponse:
    """Answer one request for vectors, or raise the `Refusal` that it meets."""
    seen = request[SEEN]
    seen.outcome = "refused"
    key = inference_key(request, world)
    raw = await request.read()
    body = read_body(raw)
    world.requests.weigh(seen, raw)
    order = read_vector_order(body)
    model, now = order.embedder.model, world.clock()
    seen.model, seen.attempt = model.id, world.book.count(model.id)
    endpoints, no_way = _ways(body, order, terms=world.money.terms)
    hold = world.money.reserve(key, _need(order, endpoints, now=now), now=now)
    account = world.money
    try:
        if no_way is not None:
            raise no_way
        if looks(world, model):
            text = "\n".join(piece.text for piece in order.pieces)
            provider = endpoints[0].provider
            moderate(world, model, said=Said(text, text, model.id, provider))
        drawn = world.draw_id(model.id, blake2b(raw, digest_size=16).digest())
        seen.generation_id = f"gen-{int(now)}-{b64encode(drawn, b'aZ').decode()}"
        authorization = request.headers["Authorization"]
        delivery = Delivery(
            order, account, key, seen.generation_id, now, endpoints[0], authorization
        )
        wish = world.response_cache.read_wish(
            request.headers, body, secret=key.secret, route=request.path
        )
        return await _deliver(request, world, delivery=delivery, endpoints=endpoints, wish=wish)
    finally:
        account.release(hold)


def _ways(
    body: Mapping[str, Any], order: VectorOrder, *, terms: AccountTerms
) -> tuple[Sequence[Endpoint], Refusal | None]:
    """The endpoints that may serve, or the refusal of a request that none may."""
    model = order.embedder.model
    try:
        return route(body, model, asked=model.id, endpoints=unguarded(model, terms=terms)), None
    except Refusal as refusal:  # told only to those who could pay
        return (), refusal


def _need(order: VectorOrder, endpoints: Sequence[Endpoint], *, now: float) -> Need:
    """What the dearest of the endpoints takes; the listed price of none."""
    intake = _intake(order)
    lists = [endpoint.pricing for endpoint in endpoints] or [order.embedder.model.pricing]
    prices = (prices_at(pricing, intake.tokens, now=now) for pricing in lists)
    needs = [Need.of(each, intake, max_tokens=0) for each in prices]
    return max(needs, key=lambda need: need.worst)


def _intake(order: VectorOrder) -> Intake:
    return Intake(order.text_tokens + order.image_tokens)


async def _deliver(
    request: web.Request,
    world: World,
    *,
    delivery: Delivery,
    endpoints: Sequence[Endpoint],
    wish: Wish | None,
) -> web.StreamResponse:
    """What was kept, or what the first endpoint that can answers."""
    now, model = delivery.began, delivery.order.embedder.model
    kept = None if wish is None else world.response_cache.find(wish, now)
    told = {} if wish is None else headers_of(wish, kept, now=now)
    headers = {**JSON_HEADERS, "X-Generation-Id": delivery.generation_id, **told}
    delivery.kept = kept
    if kept is not None:
        return await _send(request, world, delivery=delivery, headers=headers, faults=())

    async def ask(endpoint: Endpoint) -> web.StreamResponse:
        delivery.endpoint = endpoint
        faults = _due(request, world, delivery=delivery)
        occasion = _occasion(world, delivery, seen=request[SEEN])
        around = circumstances_of(world, occasion, authorization=delivery.authorization)
        await refuse_if_due(faults, around)
        intake = _intake(delivery.order)
        fee = world.money.fee(endpoint.provider, now=now)
        prices = prices_at(endpoint.pricing, intake.tokens, now=now)
        delivery.cost = charge(prices, intake, completion_tokens=0, fee=fee)
        return await _send(request, world, delivery=delivery, headers=headers, faults=faults)

    permaslug = model.canonical or model.id
    response = await first_to_answer(endpoints, ask, permaslug=permaslug, tries=delivery.tries)
    if wish is not None and request[SEEN].outcome == "complete":
        world.response_cache.keep(wish, delivery.generation_id, now=now)
    return response


def _occasion(world: World, delivery: Delivery, *, seen: SeenRequest) -> Occasion:
    return Occasion(
        model=delivery.order.embedder.model.id,
        attempt=seen.attempt or 0,
        provider=delivery.endpoint.provider,
        key=delivery.key.name,
        since_s=delivery.began - world.began,
        route="embeddings",
    )


def _due(request: web.Request, world: World, *, delivery: Delivery) -> list[Fault]:
    """The faults that strike at the endpoint that is asked now."""
    seen = request[SEEN]
    faults = world.book.due(_occasion(world, delivery, seen=seen), already=delivery.struck)
    seen.faults = tuple(dict.fromkeys((*seen.faults, *(fault.kind for fault in faults))))
    return faults


async def _send(
    request: web.Request,
    world: World,
    *,
    delivery: Delivery,
    headers: Mapping[str, str],
    faults: Sequence[Fault],
) -> web.StreamResponse:
    """The vectors, as the faults have it; billed at the end, whether or not they arrived."""
    seen = request[SEEN]
    body = msgspec.json.encode(_answer(delivery))
    seen.outcome = "complete"
    if not faults:
        _record(world, delivery, seen=seen)
        return web.Response(body=body, headers=headers)
    plain = Plain(body, headers, faults, usage=delivery.usage)
    try:
        return await plain.play(request, world)
    finally:
        if plain.billed:
            _record(world, delivery, seen=seen)


def _record(world: World, delivery: Delivery, *, seen: SeenRequest) -> None:
    """Bill it, and keep it for `/generation`; what began before a reset is forgotten."""
    if delivery.account is world.money:
        available_at = world.clock() + world.generation_lag_s
        world.record(_generation(delivery, seen, available_at=available_at))


def _answer(delivery: Delivery) -> dict[str, Any]:
    order = delivery.order
    model = order.embedder.model
    made = (
        vector_of(piece.text, salt=model.id, size=order.embedder.size) for piece in order.pieces
    )
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "embedding": _printed(vector, order), "index": index}
            for index, vector in enumerate(made)
        ],
        "model": model.answers_as,
        "usage": delivery.usage,
        "provider": delivery.endpoint.provider,
        "id": delivery.generation_id,
    }


def _printed(vector: list[float], order: VectorOrder) -> list[float] | str:
    vector = shortened(vector, order.size)
    if not order.packed:
        return vector
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return b64encode(floats.tobytes()).decode()


def _usage(order: VectorOrder, cost: Charge) -> dict[str, Any]:
    """The tokens and their cost; by kind where there is more than one."""
    text, images = order.text_tokens, order.image_tokens
    listed = msgspec.Raw(js_number(cost.total).encode())
    usage: dict[str, Any] = {
        "prompt_tokens": text + images,
        "total_tokens": text + images,
        "cost": msgspec.Raw(cost.wire.encode()),
        "is_byok": cost.is_byok,
        "cost_details": {
            "upstream_inference_cost": listed,
            "upstream_inference_prompt_cost": listed,
            "upstream_inference_completions_cost": 0,
        },
    }
    if text and images:
        usage["prompt_tokens_details"] = {"text_tokens": text, "image_tokens": images}
    return usage


def _generation(delivery: Delivery, seen: SeenRequest, *, available_at: float) -> Generation:
    order = delivery.order
    normalised = sum(piece.count(NORMALISED) for piece in order.pieces) + order.image_tokens
    return Generation(
        line=_line(delivery),
        finish_reason=None,
        native_finish_reason=None,
        normalised=(normalised if delivery.kept is None else 0, 0),
        streamed=False,
        caller=Caller(seen.headers, seen.raw),
        available_at=available_at,
        api_type="embeddings",
        source_id=delivery.source_id,
        tries=tuple(delivery.tries),
    )


def _line(delivery: Delivery) -> BillLine:
    model, cost = delivery.order.embedder.model, delivery.cost
    return BillLine(
        generation_id=delivery.generation_id,
        model=model.id,
        permaslug=model.canonical,
        provider=delivery.endpoint.provider,
        key=delivery.key,
        created_at=delivery.began,
        prompt_tokens=delivery.usage["prompt_tokens"],
        completion_tokens=0,
        cost=cost.exact,
        cost_wire=cost.wire,
        billed=delivery.kept is None,
        cancelled=False,
        upstream=cost.upstream,
    )
