"""The account's routes: its key, credits, activity and generations."""

from __future__ import annotations

from aiohttp import web

from ultrai_sim import refusals
from ultrai_sim.activity import DAYS_TOLD, activity_body, asked_day
from ultrai_sim.credentials import any_key, management_key
from ultrai_sim.generations import Generation, content_body, generation_body
from ultrai_sim.replies import json_response
from ultrai_sim.striking import struck
from ultrai_sim.windows import day_of
from ultrai_sim.world import WORLD


def account_routes(prefix: str) -> list[web.RouteDef]:
    """The routes, under a prefix."""
    return [
        web.get(f"{prefix}/key", struck("key", _key)),
        web.get(f"{prefix}/auth/key", struck("key", _key)),
        web.get(f"{prefix}/credits", struck("credits", _credits)),
        web.post(f"{prefix}/credits/coinbase", _coinbase),
        web.get(f"{prefix}/activity", _activity),
        web.get(f"{prefix}/generation", struck("generation", _generation)),
        web.get(f"{prefix}/generation/content", struck("generation", _content)),
    ]


async def _key(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    key = any_key(request, world)
    body = world.money.key_body(key, world.clock())
    return json_response(body, Cache_Control="private, no-store")


async def _credits(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    if world.account.management_credits:
        management_key(request, world)
    else:
        any_key(request, world)
    bought, used = float(world.money.bought), float(world.money.used)
    return json_response({"data": {"total_credits": bought, "total_usage": used}})


async def _coinbase(_: web.Request) -> web.StreamResponse:
    message = "The Coinbase APIs used by this endpoint have been deprecated"
    raise refusals.refuse(410, message, anonymous=True)


async def _activity(request: web.Request) -> web.StreamResponse:
    world, query = request.app[WORLD], request.query
    management_key(request, world)
    today = day_of(world.clock())
    days = range(today - DAYS_TOLD, today)
    if "date" in query:
        day = asked_day(query["date"], today)
        if day is None:
            message = "Date must be within the last 30 (completed) UTC days"
            raise refusals.refuse(400, message)
        days = range(day, day + 1)
    if query.get("group_by", "workspace") != "workspace":
        raise refusals.refuse(400, 'group_by: Invalid option: expected "workspace"')
    body = activity_body(
        world.bill.sums(),
        days=days,
        key_hash=query.get("api_key_hash"),
        by_workspace="group_by" in query,
    )
    return json_response(body)


async def _generation(request: web.Request) -> web.StreamResponse:
    return json_response(generation_body(_known(request)))


async def _content(request: web.Request) -> web.StreamResponse:
    return json_response(content_body(_known(request)))


def _known(request: web.Request) -> Generation:
    """The generation that is asked for; 404 until it is written."""
    world = request.app[WORLD]
    any_key(request, world)
    wanted = request.query.get("id", "")
    generation = world.generations.get(wanted)
    if generation is None or generation.available_at > world.clock():
        raise refusals.refuse(404, f"Generation {wanted} not found", anonymous=True)
    return generation
