"""The catalogue's routes: models, endpoints, providers. Only one's own list needs a key."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from ultrai_sim import refusals
from ultrai_sim.catalogue import Model
from ultrai_sim.credentials import inference_key
from ultrai_sim.embedders import embedders_body
from ultrai_sim.listing import endpoints_body, model_row, providers_body, zdr_body
from ultrai_sim.replies import OPEN_HEADERS, json_response
from ultrai_sim.world import WORLD, World

CACHED_LISTING = "public, max-age=120, stale-while-revalidate=3600, stale-if-error=3600"
SLUG = r"{author:[^/]+}/{slug:[^/]+}"


def catalogue_routes(prefix: str) -> list[web.RouteDef]:
    """The routes, under a prefix."""
    return [
        web.get(f"{prefix}/models", _models),
        web.get(f"{prefix}/models/user", _user_models),
        web.get(f"{prefix}/models/count", _count),
        web.get(f"{prefix}/models/{SLUG}/endpoints", _endpoints),
        web.get(f"{prefix}/model/{SLUG}", _model),
        web.get(f"{prefix}/providers", _providers),
        web.get(f"{prefix}/endpoints/zdr", _zdr),
        web.get(f"{prefix}/embeddings/models", _embedders),
    ]


async def _models(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    body = world.bodies.get(request.query_string)
    if body is None:
        body = msgspec.json.encode(_listing(request, world))
        world.bodies[request.query_string] = body
    headers = {**OPEN_HEADERS, "Cache-Control": CACHED_LISTING, "Content-Type": "application/json"}
    return web.Response(body=body, headers=headers)


async def _user_models(request: web.Request) -> web.StreamResponse:
    inference_key(request, request.app[WORLD])
    return await _models(request)


def _listing(request: web.Request, world: World) -> dict[str, Any]:
    query = request.query
    wanted = set(filter(None, query.get("supported_parameters", "").split(",")))
    words = query.get("q", "").lower()
    models = [
        model
        for model in world.listing.listed()
        if wanted <= set(model.parameters) and words in f"{model.id} {model.name}".lower()
    ]
    rows = [model_row(model, world.listing) for model in models]
    total = len(rows)
    if "offset" in query or "limit" in query:
        offset, limit = _whole(query.get("offset", "0"), 0), _whole(query.get("limit", "500"), 1)
        rows = rows[offset : offset + min(limit, 1000)]
    return {"data": rows, "total_count": total, "links": {"next": None}}


def _whole(text: str, least: int) -> int:
    if text.isdecimal() and int(text) >= least:
        return int(text)
    raise refusals.zod_error("too_small", ["limit"], message=f"expected number >= {least}")


async def _count(request: web.Request) -> web.StreamResponse:
    return json_response({"data": {"count": len(request.app[WORLD].listing.listed())}})


def _named_model(request: web.Request) -> Model:
    world = request.app[WORLD]
    model_id = f"{request.match_info['author']}/{request.match_info['slug']}"
    listed = world.listing.listed()
    model = world.listing.find(model_id)
    if model is None:
        model = next((other for other in listed if other.canonical == model_id), None)
    if model is None or model.retired:
        raise refusals.refuse(404, f"Model {model_id} not found", anonymous=True)
    return model


async def _endpoints(request: web.Request) -> web.StreamResponse:
    measured = "Authorization" in request.headers
    return json_response(endpoints_body(_named_model(request), measured=measured))


async def _model(request: web.Request) -> web.StreamResponse:
    return json_response({"data": model_row(_named_model(request), request.app[WORLD].listing)})


async def _providers(_: web.Request) -> web.StreamResponse:
    return json_response(providers_body())


async def _zdr(request: web.Request) -> web.StreamResponse:
    return json_response(zdr_body(request.app[WORLD].listing))


async def _embedders(_: web.Request) -> web.StreamResponse:
    return json_response(embedders_body(), Cache_Control=CACHED_LISTING)
