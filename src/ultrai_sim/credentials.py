"""Who asks: the key of a request's Authorization header, and what a key of its kind may do.

Inference with a management key is refused as if there were no such key, which is what was seen;
management with an inference key is refused by 401 or 403, as each route documents it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ultrai_sim import refusals
from ultrai_sim.keys import Key

if TYPE_CHECKING:
    from aiohttp import web

    from ultrai_sim.world import World

BEARER = "bearer"


def any_key(request: web.Request, world: World) -> Key:
    """The key that asks; 401 if there is none, or if it is unknown, disabled or expired."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != BEARER or not secret:
        raise refusals.no_credentials()
    key = world.money.keys.get(secret.strip())
    if key is None or key.disabled or key.is_expired(world.clock()):
        raise refusals.unknown_key()
    return key


def name_of_key(request: web.Request, world: World) -> str:
    """The name of the key that asks, whether or not it may; empty where there is none."""
    secret = request.headers.get("Authorization", "").partition(" ")[2].strip()
    key = world.money.keys.get(secret)
    return "" if key is None else key.name


def inference_key(request: web.Request, world: World) -> Key:
    """The key that asks, if it may ask models."""
    key = any_key(request, world)
    if key.kind != "inference":
        raise refusals.unknown_key()
    return key


def management_key(request: web.Request, world: World, *, status: int = 403) -> Key:
    """The key that asks, if it may manage others."""
    key = any_key(request, world)
    if key.kind != "management":
        raise refusals.management_only(status)
    return key
