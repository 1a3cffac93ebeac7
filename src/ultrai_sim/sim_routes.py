"""Routes under ``/sim``, which OpenRouter does not have: for tests to look inside and to steer.

What was seen, what was billed, which keys there are; the clock, the faults; forget all.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiohttp import web

from ultrai_sim import refusals
from ultrai_sim.clock import LATEST, iso
from ultrai_sim.fault_values import wrong_value
from ultrai_sim.faults import FaultError, read_fault
from ultrai_sim.incoming import NotJSON, read_json, read_whole
from ultrai_sim.keys import moment_of
from ultrai_sim.replies import json_response
from ultrai_sim.world import WORLD, World


def sim_routes() -> list[web.RouteDef]:
    """The routes."""
    return [
        web.get("/sim", _index),
        web.get("/sim/requests", _requests),
        web.get("/sim/bill", _bill),
        web.get("/sim/keys", _keys),
        web.get("/sim/clock", _clock),
        web.post("/sim/clock", _set_clock),
        web.get("/sim/faults", _faults),
        web.post("/sim/faults", _set_faults),
        web.post("/sim/reset", _reset),
    ]


_INDEX = {
    "GET /sim/requests": "what was asked, and how each ended; ?since=N: only those after number N",
    "GET /sim/bill": "what was billed, by model, key and day",
    "GET /sim/keys": "the keys there are, with their secrets",
    "GET /sim/clock": "the simulator's time",
    "POST /sim/clock": 'puts it forward: {"advance_s": 3600} or {"now": "2026-11-24T00:00:00Z"}',
    "GET /sim/faults": "the faults that are set",
    "POST /sim/faults": 'replaces them: {"faults": [{"kind": "cut"}]}',
    "POST /sim/reset": "forgets all that was asked and billed",
}


async def _index(_request: web.Request) -> web.StreamResponse:
    """The routes of this family, each with what it does."""
    return json_response({"routes": _INDEX})


async def _requests(request: web.Request) -> web.StreamResponse:
    """The requests after number ``since``."""
    since = read_whole(request.query.get("since", "0"))
    if since is None:
        return _wrong("since: expected a number of a request")
    world = request.app[WORLD]
    rows = [seen.to_dict() for seen in world.requests if seen.n > since]
    return json_response({"data": rows, "last": world.received})


async def _bill(request: web.Request) -> web.StreamResponse:
    return json_response(request.app[WORLD].bill.to_dict())


async def _keys(request: web.Request) -> web.StreamResponse:
    """The keys with their secrets: here they open nothing but a simulator."""
    rows = [
        {"key": key.secret, "kind": key.kind, "name": key.name, "hash": key.hash}
        for key in request.app[WORLD].money.keys.values()
    ]
    return json_response({"data": rows})


async def _clock(request: web.Request) -> web.StreamResponse:
    return _time_of(request.app[WORLD])


async def _set_clock(request: web.Request) -> web.StreamResponse:
    """Put the clock forward: ``{"advance_s": 3600}`` or ``{"now": "2026-11-24T00:00:00Z"}``."""
    world = request.app[WORLD]
    try:
        wish: Any = read_json(await request.read())
        ahead_s = wish["advance_s"] if "now" not in wish else moment_of(wish["now"]) - world.clock()
        if wrong_value("seconds", ahead_s) is not None:
            return _wrong("clock: expected a time ahead, by at most 1,000,000,000 seconds")
        if world.clock() + ahead_s > LATEST:
            return _wrong("clock: it goes no further than to the year 9000")
        world.advance(ahead_s)
    except (KeyError, TypeError, ValueError):
        return _wrong('clock: expected {"advance_s": seconds} or {"now": a moment in UTC}')
    return _time_of(world)


def _time_of(world: World) -> web.Response:
    now = world.clock()
    return json_response({"now": iso(now), "stamp": now})


async def _reset(request: web.Request) -> web.StreamResponse:
    request.app[WORLD].reset()
    return json_response({"ok": True})


async def _faults(request: web.Request) -> web.StreamResponse:
    rows = [
        {name: value for name, value in asdict(fault).items() if value is not None}
        for fault in request.app[WORLD].book.faults
    ]
    return json_response({"faults": rows})


async def _set_faults(request: web.Request) -> web.StreamResponse:
    """Replace the faults by ``{"faults": [{"kind": …}, …]}``; attempts are counted anew."""
    try:
        order = read_json(await request.read())
    except NotJSON as error:
        return _wrong(f"faults: {error}")
    rows = order.get("faults") if isinstance(order, dict) else None
    if not isinstance(rows, list):
        return _wrong('faults: expected {"faults": [{"kind": …}, …]}')
    try:
        faults = [read_fault(row) for row in rows]
    except FaultError as error:
        return _wrong(f"faults: {error}")
    request.app[WORLD].set_faults(faults)
    return json_response({"faults": len(faults)})


def _wrong(message: str) -> web.Response:
    return json_response(refusals.error_body(400, message), status=400)
