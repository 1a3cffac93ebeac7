"""The HTTP application: routes, the record of requests, errors that no handler caught.

The account's routes are answered here, from the world. Routes under ``/sim`` are for tests: what
was seen, what was billed, forget all, other faults.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict

import msgspec
from aiohttp import web

from ultrai_sim import chat, refusals
from ultrai_sim.admission import authenticate
from ultrai_sim.catalogue_routes import catalogue_routes
from ultrai_sim.embeddings import embed
from ultrai_sim.faults import FaultError, read_fault
from ultrai_sim.refusals import Refusal
from ultrai_sim.replies import json_response
from ultrai_sim.settlement import generation_body
from ultrai_sim.world import SEEN, WORLD, SeenRequest, World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIX = "/api/v1"
MOST_BODY_BYTES = 64 * 1024 * 1024
CLIENT_CLOSED = 499
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


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
    router.add_routes(catalogue_routes(PREFIX))
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
        except ConnectionError:
            # The client left while bytes were on their way to it: that is its right.
            return web.Response(status=CLIENT_CLOSED)
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


async def _chat(request: web.Request) -> web.StreamResponse:
    return await chat.complete(request, request.app[WORLD])


async def _embed(request: web.Request) -> web.StreamResponse:
    return await embed(request, request.app[WORLD])


async def _generation(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    key = authenticate(request, world)
    wanted = request.query.get("id", "")
    generation = world.generations.get(wanted)
    if generation is None or generation.line.key != key or generation.available_at > world.clock():
        raise refusals.refuse(404, f"Generation {wanted} not found", anonymous=True)
    return json_response(generation_body(generation))


async def _key(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    key = authenticate(request, world)
    return json_response(
        world.money.key_body(key, world.clock()), Cache_Control="private, no-store"
    )


async def _credits(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    authenticate(request, world)
    bought, used = float(world.money.bought), float(world.money.used)
    return json_response({"data": {"total_credits": bought, "total_usage": used}})


async def _sim_requests(request: web.Request) -> web.StreamResponse:
    return json_response({"data": [seen.to_dict() for seen in request.app[WORLD].requests]})


async def _sim_bill(request: web.Request) -> web.StreamResponse:
    money = request.app[WORLD].money
    lines = [{**asdict(line), "key": f"...{line.key[-3:]}"} for line in money.bill]
    return json_response({"data": lines, "total_usd": format(money.used, "f")})


async def _sim_reset(request: web.Request) -> web.StreamResponse:
    request.app[WORLD].reset()
    return json_response({"ok": True})


async def _sim_faults(request: web.Request) -> web.StreamResponse:
    rows = [
        {name: value for name, value in asdict(fault).items() if value is not None}
        for fault in request.app[WORLD].book.faults
    ]
    return json_response({"faults": rows})


async def _sim_set_faults(request: web.Request) -> web.StreamResponse:
    """Replace the faults by ``{"faults": [{"kind": …}, …]}``; attempts are counted anew."""
    try:
        rows = msgspec.json.decode(await request.read())["faults"]
        faults = [read_fault(row) for row in rows]
    except (FaultError, msgspec.DecodeError, KeyError, TypeError) as error:
        body = msgspec.json.encode(refusals.error_body(400, f"faults: {error}"))
        return web.Response(status=400, body=body, content_type="application/json")
    request.app[WORLD].set_faults(faults)
    return json_response({"faults": len(faults)})
