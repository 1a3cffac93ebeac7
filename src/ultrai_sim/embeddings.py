"""POST /embeddings: read, make vectors, bill.

Vectors are numbers, or the base64 of little-endian floats. A request is billed by the tokens of
its input, and known to `/generation` like any other.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from hashlib import blake2b
from typing import Any

import msgspec
from aiohttp import web

from ultrai_sim.admission import read_body
from ultrai_sim.bill import BillLine
from ultrai_sim.charges import Charge, Need, charge, js_number, prices_at
from ultrai_sim.credentials import inference_key
from ultrai_sim.embedders import VectorOrder, read_vector_order
from ultrai_sim.generations import Caller, Generation
from ultrai_sim.intake import Intake
from ultrai_sim.rendering import JSON_HEADERS
from ultrai_sim.tokens import NORMALISED
from ultrai_sim.vectors import shortened, vector_of
from ultrai_sim.world import SEEN, SeenRequest, World


async def embed(request: web.Request, world: World) -> web.Response:
    """Answer one request for vectors, or raise the `Refusal` that it meets."""
    seen = request[SEEN]
    seen.outcome = "refused"
    key = inference_key(request, world)
    raw = await request.read()
    seen.body = read_body(raw)
    order = read_vector_order(seen.body)
    model, now = order.embedder.model, world.clock()
    seen.model = model.id
    tokens = order.text_tokens + order.image_tokens
    prices = prices_at(model.pricing, tokens, now=now)
    need = Need.of(prices, Intake(tokens), max_tokens=0)
    world.money.release(world.money.reserve(key, need, now=now))
    drawn = world.draw_id(model.id, blake2b(raw, digest_size=16).digest())
    seen.generation_id = f"gen-{int(now)}-{b64encode(drawn, b'aZ').decode()}"
    fee = world.money.fee(model.provider, now=now)
    cost = charge(prices, Intake(tokens), completion_tokens=0, fee=fee)
    body = msgspec.json.encode(_answer(order, cost, generation_id=seen.generation_id))
    line = BillLine(
        generation_id=seen.generation_id,
        model=model.id,
        permaslug=model.canonical,
        provider=model.provider,
        key=key,
        created_at=now,
        prompt_tokens=tokens,
        completion_tokens=0,
        cost=cost.exact,
        cost_wire=cost.wire,
        billed=True,
        cancelled=False,
        upstream=cost.upstream,
    )
    world.record(_generation(line, order, seen=seen, available_at=now + world.generation_lag_s))
    seen.outcome = "complete"
    return web.Response(body=body, headers={**JSON_HEADERS, "X-Generation-Id": seen.generation_id})


def _answer(order: VectorOrder, cost: Charge, *, generation_id: str) -> dict[str, Any]:
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
        "usage": _usage(order, cost),
        "provider": model.provider,
        "id": generation_id,
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


def _generation(
    line: BillLine, order: VectorOrder, *, seen: SeenRequest, available_at: float
) -> Generation:
    normalised = sum(piece.count(NORMALISED) for piece in order.pieces) + order.image_tokens
    return Generation(
        line=line,
        finish_reason=None,
        native_finish_reason=None,
        normalised=(normalised, 0),
        streamed=False,
        caller=Caller(seen.headers, seen.body),
        available_at=available_at,
        api_type="embeddings",
    )
