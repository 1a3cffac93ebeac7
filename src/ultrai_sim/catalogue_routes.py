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
from ultrai_sim.listing_query import ORDERS, ListingQuery, read_listing_query
from ultrai_sim.replies import OPEN_HEADERS, json_response
from ultrai_sim.striking import struck
from ultrai_sim.world import WORLD, World

CACHED_LISTING = "public, max-age=120, stale-while-revalidate=3600, stale-if-error=3600"
MOST_BODIES_KEPT = 32
SLUG = r"{author:[^/]+}/{slug:[^/]+}"


def catalogue_routes(prefix: str) -> list[web.RouteDef]:
    """The routes, under a prefix."""
    return [
        web.get(f"{prefix}/models", struck("models", _models)),
        web.get(f"{prefix}/models/user", struck("models", _user_models)),
        web.get(f"{prefix}/models/count", struck("models", _count)),
        web.get(f"{prefix}/models/{SLUG}/endpoints", struck("models", _endpoints)),
        web.get(f"{prefix}/model/{SLUG}", struck("models", _model)),
        web.get(f"{prefix}/providers", _providers),
        web.get(f"{prefix}/endpoints/zdr", _zdr),
        web.get(f"{prefix}/embeddings/models", struck("models", _embedders)),
    ]


async def _models(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    query = read_listing_query(request.query)
    body = world.bodies.get(query)
    if body is None:
        body = msgspec.json.encode(_listing(query, world))
        if len(world.bodies) >= MOST_BODIES_KEPT:
            world.bodies.clear()
        world.bodies[query] = body
    headers = {**OPEN_HEADERS, "Cache-Control": CACHED_LISTING, "Content-Type": "application/json"}
    return web.Response(body=body, headers=headers)


async def _user_models(request: web.Request) -> web.StreamResponse:
    inference_key(request, request.app[WORLD])
    return await _models(request)


def _listing(query: ListingQuery, world: World) -> dict[str, Any]:
    models = [model for model in world.listing.listed() if query.wants(model)]
    if query.sort is not None:
        models.sort(key=ORDERS[query.sort])
    part = models
    if query.limit is not None:
        part = models[query.offset : query.offset + query.limit]
    rows = [model_row(model, world.listing) for model in part]
    return {"data": rows, "total_count": len(models), "links": {"next": None}}


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
