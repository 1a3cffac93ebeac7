"""The HTTP application: routes, the record of requests, errors that no handler caught.

Everything but chat is answered here, from the world. Routes under ``/sim`` are for tests: what was
seen, what was billed, forget all, other faults.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import msgspec
from aiohttp import web

from ultrai_sim import chat, refusals
from ultrai_sim.admission import authenticate
from ultrai_sim.catalogue import Model
from ultrai_sim.embedders import embedders_body
from ultrai_sim.embeddings import embed
from ultrai_sim.faults import FaultError, read_fault
from ultrai_sim.listing import endpoints_body, model_row, providers_body
from ultrai_sim.refusals import Refusal
from ultrai_sim.settlement import generation_body
from ultrai_sim.world import SEEN, SeenRequest, World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

WORLD = web.AppKey("world", World)
PREFIX = "/api/v1"
MOST_BODY_BYTES = 64 * 1024 * 1024
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
CACHED_LISTING = "public, max-age=120, stale-while-revalidate=3600, stale-if-error=3600"
SLUG = r"{author:[^/]+}/{slug:[^/]+}"


def make_app(world: World) -> web.Application:
    """The application that serves a world.

    Serve it with handler cancellation on, or a client that leaves during a silence is noticed only
    at the next write; `run_simulator` does.
    """
    app = web.Application(middlewares=[_record], client_max_size=MOST_BODY_BYTES)
    app[WORLD] = world
    router = app.router
    router.add_post(f"{PREFIX}/chat/completions", _chat)
    router.add_post(f"{PREFIX}/completions", _chat)
    router.add_post(f"{PREFIX}/embeddings", _embed)
    router.add_get(f"{PREFIX}/embeddings/models", _embedders)
    router.add_get(f"{PREFIX}/models", _models)
    router.add_get(f"{PREFIX}/models/user", _user_models)
    router.add_get(f"{PREFIX}/models/count", _count)
    router.add_get(f"{PREFIX}/models/{SLUG}/endpoints", _endpoints)
    router.add_get(f"{PREFIX}/model/{SLUG}", _model)
    router.add_get(f"{PREFIX}/providers", _providers)
    router.add_get(f"{PREFIX}/generation", _generation)
    router.add_get(f"{PREFIX}/key", _key)
    router.add_get(f"{PREFIX}/auth/key", _key)
    router.add_get(f"{PREFIX}/credits", _credits)
    router.add_get("/sim/requests", _sim_requests)
    router.add_get("/sim/bill", _sim_bill)
    router.add_post("/sim/reset", _sim_reset)
    router.add_get("/sim/faults", _sim_faults)
    router.add_post("/sim/faults", _sim_set_faults)
    return app


@web.middleware
async def _record(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write every request of the interface down, and turn refusals into responses."""
    if request.path.startswith("/sim/"):
        return await handler(request)
    world = request.app[WORLD]
    world.received += 1
    seen = SeenRequest(
        n=world.received,
        method=request.method,
        path=request.path,
        query=request.query_string,
        headers=_masked(request),
        started_at=world.clock(),
        peer_port=_peer_port(request),
    )
    request[SEEN] = seen
    world.see(seen)
    status: int | None = None
    try:
        try:
            response = await handler(request)
        except Refusal as refusal:
            response = _refused(refusal, seen)
        except web.HTTPException as error:
            response = _refused(refusals.refuse(error.status, error.reason), seen)
        status = response.status
        return response
    finally:
        world.finish(seen, status)


def _masked(request: web.Request) -> dict[str, str]:
    headers = dict(request.headers)
    for name in headers:
        if name.lower() in SECRET_HEADERS:
            headers[name] = "***"
    return headers


def _peer_port(request: web.Request) -> int | None:
    """The client's port: two requests with the same one came over one connection."""
    transport = request.transport
    peer = None if transport is None else transport.get_extra_info("peername")
    return peer[1] if isinstance(peer, tuple) else None


def _refused(refusal: Refusal, seen: SeenRequest) -> web.Response:
    headers = {"Content-Type": refusal.content_type, "Access-Control-Allow-Origin": "*"}
    if seen.generation_id is not None:
        headers["X-Generation-Id"] = seen.generation_id
    headers |= refusal.headers
    return web.Response(status=refusal.status, body=refusal.body, headers=headers)


def _json(value: Any, **headers: str) -> web.Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = msgspec.json.encode(value)
    return web.Response(body=body, content_type="application/json", headers=named)


async def _chat(request: web.Request) -> web.StreamResponse:
    return await chat.complete(request, request.app[WORLD])


async def _embed(request: web.Request) -> web.StreamResponse:
    return await embed(request, request.app[WORLD])


async def _embedders(_: web.Request) -> web.StreamResponse:
    return _json(embedders_body(), Cache_Control=CACHED_LISTING)


async def _models(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    body = world.bodies.get(request.query_string)
    if body is None:
        body = msgspec.json.encode(_listing(request, world))
        world.bodies[request.query_string] = body
    headers = {"Cache-Control": CACHED_LISTING, "Content-Type": "application/json"}
    return web.Response(body=body, headers=headers)


async def _user_models(request: web.Request) -> web.StreamResponse:
    authenticate(request, request.app[WORLD])
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
    # Validated by another layer than chat's, with another envelope.
    issue = [{"code": "too_small", "path": ["limit"], "message": f"Expected number >= {least}"}]
    text = msgspec.json.encode(issue).decode()
    body = {"success": False, "error": {"name": "ZodError", "message": text}}
    raise Refusal(400, msgspec.json.encode(body))


async def _count(request: web.Request) -> web.StreamResponse:
    return _json({"data": {"count": len(request.app[WORLD].listing.listed())}})


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
    return _json(endpoints_body(_named_model(request), measured=measured))


async def _model(request: web.Request) -> web.StreamResponse:
    return _json({"data": model_row(_named_model(request), request.app[WORLD].listing)})


async def _providers(_: web.Request) -> web.StreamResponse:
    return _json(providers_body())


async def _generation(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    key = authenticate(request, world)
    wanted = request.query.get("id", "")
    generation = world.generations.get(wanted)
    if generation is None or generation.line.key != key or generation.available_at > world.clock():
        raise refusals.refuse(404, f"Generation {wanted} not found", anonymous=True)
    return _json(generation_body(generation))


async def _key(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    key = authenticate(request, world)
    return _json(world.money.key_body(key, world.clock()), Cache_Control="private, no-store")


async def _credits(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    authenticate(request, world)
    bought, used = float(world.money.bought), float(world.money.used)
    return _json({"data": {"total_credits": bought, "total_usage": used}})


async def _sim_requests(request: web.Request) -> web.StreamResponse:
    return _json({"data": [seen.to_dict() for seen in request.app[WORLD].requests]})


async def _sim_bill(request: web.Request) -> web.StreamResponse:
    money = request.app[WORLD].money
    lines = [{**asdict(line), "key": f"...{line.key[-3:]}"} for line in money.bill]
    return _json({"data": lines, "total_usd": format(money.used, "f")})


async def _sim_reset(request: web.Request) -> web.StreamResponse:
    request.app[WORLD].reset()
    return _json({"ok": True})


async def _sim_faults(request: web.Request) -> web.StreamResponse:
    rows = [
        {name: value for name, value in asdict(fault).items() if value is not None}
        for fault in request.app[WORLD].book.faults
    ]
    return _json({"faults": rows})


async def _sim_set_faults(request: web.Request) -> web.StreamResponse:
    """Replace the faults by ``{"faults": [{"kind": …}, …]}``; attempts are counted anew."""
    try:
        rows = msgspec.json.decode(await request.read())["faults"]
        faults = [read_fault(row) for row in rows]
    except (FaultError, msgspec.DecodeError, KeyError, TypeError) as error:
        body = msgspec.json.encode(refusals.error_body(400, f"faults: {error}"))
        return web.Response(status=400, body=body, content_type="application/json")
    request.app[WORLD].set_faults(faults)
    return _json({"faults": len(faults)})
