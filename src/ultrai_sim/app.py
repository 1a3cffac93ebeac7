"""The HTTP application: which route is answered where."""

from __future__ import annotations

from aiohttp import web

from ultrai_sim import chat
from ultrai_sim.account_routes import account_routes
from ultrai_sim.catalogue_routes import catalogue_routes
from ultrai_sim.edge import date, record
from ultrai_sim.embeddings import embed
from ultrai_sim.key_routes import key_routes
from ultrai_sim.sim_routes import sim_routes
from ultrai_sim.world import WORLD, World

PREFIX = "/api/v1"
MOST_BODY_BYTES = 64 * 1024 * 1024


def make_app(world: World) -> web.Application:
    """The application that serves a world.

    Serve it with handler cancellation on, or a client that leaves during a silence is noticed only
    at the next write; `run_simulator` does.
    """
    app = web.Application(middlewares=[record], client_max_size=MOST_BODY_BYTES)
    app[WORLD] = world
    app.on_response_prepare.append(date)
    router = app.router
    router.add_post(f"{PREFIX}/chat/completions", _chat)
    router.add_post(f"{PREFIX}/completions", _chat)
    router.add_post(f"{PREFIX}/embeddings", _embed)
    router.add_routes(catalogue_routes(PREFIX))
    router.add_routes(account_routes(PREFIX))
    router.add_routes(key_routes(PREFIX))
    router.add_routes(sim_routes())
    return app


async def _chat(request: web.Request) -> web.StreamResponse:
    return await chat.complete(request, request.app[WORLD])


async def _embed(request: web.Request) -> web.StreamResponse:
    return await embed(request, request.app[WORLD])
