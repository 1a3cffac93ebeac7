"""POST /embeddings: read, make vectors, bill.

Vectors are numbers, or the base64 of little-endian floats. A request is billed by the tokens of
its input, and known to `/generation` like any other.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec
from aiohttp import web

from ultrai_sim.admission import read_body
from ultrai_sim.bill import BillLine
from ultrai_sim.charges import FOR_NOTHING, Charge, Need, charge, js_number, prices_at
from ultrai_sim.credentials import inference_key
from ultrai_sim.embedders import VectorOrder, read_vector_order
from ultrai_sim.generations import Caller, Generation
from ultrai_sim.guardrails import unguarded
from ultrai_sim.intake import Intake
from ultrai_sim.keys import Key
from ultrai_sim.moderation import Said, looks, moderate
from ultrai_sim.rendering import JSON_HEADERS
from ultrai_sim.response_cache import Kept, headers_of, zeroed
from ultrai_sim.tokens import NORMALISED
from ultrai_sim.vectors import shortened, vector_of
from ultrai_sim.world import SEEN, SeenRequest, World


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request for vectors that is answered, and at what cost; ``kept`` where a cache answers."""

    order: VectorOrder
    key: Key
    generation_id: str
    began: float
    cost: Charge
    kept: Kept | None

    @property
    def usage(self) -> dict[str, Any]:
        """The ``usage`` object."""
        usage = _usage(self.order, self.cost)
        return usage if self.kept is None else zeroed(usage)

    @property
    def source_id(self) -> str | None:
        """The generation whose answer is given again."""
        return None if self.kept is None else self.kept.generation_id


async def embed(request: web.Request, world: World) -> web.Response:
    """Answer one request for vectors, or raise the `Refusal` that it meets."""
    seen = request[SEEN]
    seen.outcome = "refused"
    key = inference_key(request, world)
    raw = await request.read()
    body = read_body(raw)
    world.requests.weigh(seen, raw)
    order = read_vector_order(body)
    model, now = order.embedder.model, world.clock()
    seen.model = model.id
    intake = Intake(order.text_tokens + order.image_tokens)
    prices = prices_at(model.pricing, intake.tokens, now=now)
    need = Need.of(prices, intake, max_tokens=0)
    world.money.release(world.money.reserve(key, need, now=now))
    unguarded(model, terms=world.money.terms)
    if looks(world, model):
        text = "\n".join(piece.text for piece in order.pieces)
        moderate(world, model, said=Said(text, text, model.id, model.provider))
    drawn = world.draw_id(model.id, blake2b(raw, digest_size=16).digest())
    seen.generation_id = f"gen-{int(now)}-{b64encode(drawn, b'aZ').decode()}"
    wish = world.response_cache.read_wish(
        request.headers, body, secret=key.secret, route=request.path
    )
    kept = None if wish is None else world.response_cache.find(wish, now)
    if wish is not None and kept is None:
        world.response_cache.keep(wish, seen.generation_id, now=now)
    fee = world.money.fee(model.provider, now=now)
    cost = charge(prices, intake, completion_tokens=0, fee=fee)
    if kept is not None:
        cost = FOR_NOTHING
    delivery = Delivery(order, key, seen.generation_id, now, cost, kept)
    answer = msgspec.json.encode(_answer(delivery))
    world.record(_generation(delivery, seen, available_at=now + world.generation_lag_s))
    seen.outcome = "complete"
    told = {} if wish is None else headers_of(wish, kept, now=now)
    headers = {**JSON_HEADERS, "X-Generation-Id": seen.generation_id, **told}
    return web.Response(body=answer, headers=headers)


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
        "provider": model.provider,
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
    )


def _line(delivery: Delivery) -> BillLine:
    model, cost = delivery.order.embedder.model, delivery.cost
    return BillLine(
        generation_id=delivery.generation_id,
        model=model.id,
        permaslug=model.canonical,
        provider=model.provider,
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
