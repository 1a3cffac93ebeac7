"""The management of keys: list, create, read, change and delete inference keys.

The secret of a new key is told once, in the answer that created it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from aiohttp import web

from ultrai_sim import refusals
from ultrai_sim.credentials import management_key
from ultrai_sim.incoming import NotJSON, read_json, read_whole
from ultrai_sim.keys import Key, KeyTermsError, moment_of
from ultrai_sim.replies import json_response
from ultrai_sim.windows import INTERVALS, day_of
from ultrai_sim.world import WORLD, World

PAGE = 100
UNAUTHORIZED = 401
"""What an inference key gets on the routes that document no 403."""
JSON_TYPE = "application/json"


def key_routes(prefix: str) -> list[web.RouteDef]:
    """The routes, under a prefix."""
    return [
        web.get(f"{prefix}/keys", _list),
        web.post(f"{prefix}/keys", _create),
        web.get(f"{prefix}/keys/{{hash}}", _read),
        web.patch(f"{prefix}/keys/{{hash}}", _change),
        web.delete(f"{prefix}/keys/{{hash}}", _delete),
        web.post(f"{prefix}/auth/keys", _exchange),
    ]


async def _list(request: web.Request) -> web.StreamResponse:
    world, query = request.app[WORLD], request.query
    management_key(request, world, status=UNAUTHORIZED)
    offset = read_whole(query.get("offset", "0"))
    if offset is None:
        raise refusals.refuse(400, "offset: Number must be greater than or equal to 0")
    now = world.clock()
    keys = [
        key
        for key in world.money.keys.values()
        if key.kind == "inference"
        and (_is_on(query.get("include_disabled")) or not key.disabled)
        and (_is_on(query.get("include_expired")) or not key.is_expired(now))
    ]
    page = keys[offset : offset + PAGE]
    return json_response({"data": [key.item(day_of(now)) for key in page]})


def _is_on(flag: str | None) -> bool:
    return flag in ("true", "1")


async def _create(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    management_key(request, world)
    body = await _fields(request)
    if "name" not in body:
        raise refusals.refuse(400, "name: Required")
    _check(body)
    now = world.clock()
    world.money.keys_made += 1
    number = f"made {world.seed} {world.epoch} {world.money.keys_made}"
    secret = blake2b(number.encode(), digest_size=32).hexdigest()
    expires_at = body.get("expires_at")
    key = Key(
        f"sk-or-v1-{secret}",
        body["name"],
        expires_at=None if expires_at is None else moment_of(expires_at),
        created_at=now,
    )
    _apply(key, body)
    world.money.keys[key.secret] = key
    return json_response({"data": key.item(day_of(now)), "key": key.secret}, status=201)


async def _read(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    return json_response({"data": _found(request, world).item(day_of(world.clock()))})


async def _change(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    key = _found(request, world)
    body = await _fields(request)
    _check(body)
    _apply(key, body)
    key.updated_at = world.clock()
    return json_response({"data": key.item(day_of(world.clock()))})


async def _delete(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    del world.money.keys[_found(request, world).secret]
    return json_response({"deleted": True})


async def _exchange(request: web.Request) -> web.StreamResponse:
    """A code of the browser's OAuth flow for a key; nobody can have got one here."""
    body = await _fields(request)
    if not isinstance(body.get("code"), str):
        raise refusals.zod_error("invalid_type", ["code"], message="expected string")
    raise refusals.refuse(403, "Invalid code", anonymous=True)


def _found(request: web.Request, world: World) -> Key:
    """The key of the path."""
    management_key(request, world, status=UNAUTHORIZED)
    key = world.money.find(request.match_info["hash"])
    if key is None:
        raise refusals.refuse(404, "API key not found")
    return key


async def _fields(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request; nothing where it is not said to be JSON."""
    if request.content_type != JSON_TYPE:
        return {}
    try:
        body = read_json(await request.read())
    except NotJSON:
        body = None
    if not isinstance(body, dict):
        raise refusals.refuse(400, "Malformed JSON in request body")
    return body


def _apply(key: Key, body: Mapping[str, Any]) -> None:
    """Put checked fields into a key."""
    key.name = body.get("name", key.name)
    key.disabled = body.get("disabled", key.disabled)
    key.limit_reset = body.get("limit_reset", key.limit_reset)
    key.include_byok = body.get("include_byok_in_limit", key.include_byok)
    if "limit" in body:
        key.limit = None if body["limit"] is None else Decimal(str(body["limit"]))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_limit(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (number and value >= 0)  # type: ignore[operator]


def _is_moment(value: object) -> bool:
    try:
        return value is None or (isinstance(value, str) and moment_of(value) > 0)
    except KeyTermsError:
        return False


CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_name, "expected a string of at least 1 character"),
    "limit": (_is_limit, "expected a number greater than or equal to 0, or null"),
    "limit_reset": (lambda value: value in (None, *INTERVALS), "expected daily|weekly|monthly"),
    "include_byok_in_limit": (lambda value: isinstance(value, bool), "expected boolean"),
    "disabled": (lambda value: isinstance(value, bool), "expected boolean"),
    "expires_at": (_is_moment, "expected an ISO 8601 timestamp in UTC, with seconds"),
}


def _check(body: Mapping[str, Any]) -> None:
    """Refuse a field that cannot be; fields without a check are ignored."""
    for name, (is_valid, expected) in CHECKS.items():
        if name in body and not is_valid(body[name]):
            raise refusals.refuse(400, f"{name}: Invalid input: {expected}")
