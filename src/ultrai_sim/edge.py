"""The outermost layer: every request is written down, every refusal becomes a response.

Routes under ``/sim`` are not OpenRouter's and leave no trace. What is outside the interface is
answered by a page, as a web site does. What breaks a handler is a bug of the simulator's: it is one
line of the log, and to the client OpenRouter's own 500, which tells nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from traceback import extract_tb

from aiohttp import web

from ultrai_sim import refusals
from ultrai_sim.refusals import Refusal
from ultrai_sim.replies import OPEN_HEADERS, json_response, preflight_response
from ultrai_sim.world import SEEN, WORLD, SeenRequest

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

INTERFACE = "/api/"
INSIDE = "/sim"
CLIENT_CLOSED = 499
SERVER_ERROR = 500
BYTES_OF_A_RECORD = 1000
# aiohttp's own: whoever listens for handlers that broke hears of them in one place.
LOGGER = logging.getLogger("aiohttp.server")
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


@web.middleware
async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write a request of the interface down, and turn what was raised into a response."""
    if request.path == INSIDE or request.path.startswith(f"{INSIDE}/"):
        return await _answer_inside(request, handler)
    world = request.app[WORLD]
    world.received += 1
    world.coming.apply(world)
    seen = SeenRequest(
        n=world.received,
        method=request.method,
        path=request.path,
        query=request.query_string,
        headers=_masked(request),
        started_at=world.clock(),
        peer_port=_peer_port(request),
        size=BYTES_OF_A_RECORD + sum(map(len, request.headers.values())),
    )
    request[SEEN] = seen
    world.see(seen)
    status: int | None = None
    try:
        try:
            response = await _answer(request, handler)
        except Refusal as refusal:
            response = _refused(refusal, seen)
        except ConnectionError:
            # The client left while bytes were on their way to it: that is its right.
            return web.Response(status=CLIENT_CLOSED)
        except Exception as error:  # noqa: BLE001 - the last resort
            response = _broken(request, error)
        status = response.status
        return response
    finally:
        world.finish(seen, status)


async def date(request: web.Request, response: web.StreamResponse) -> None:
    """Stamp a response with the world's time: a Retry-After that is a date is meant by it."""
    response.headers["Date"] = _http_date(int(request.app[WORLD].clock()))


@lru_cache(maxsize=1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method == "OPTIONS" and request.path.startswith(INTERFACE):
        return preflight_response()
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        raise refusals.too_large() from None
    except web.HTTPException as error:
        if not request.path.startswith(INTERFACE):
            raise refusals.html_page(error.status, error.reason) from None
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        raise refusals.refuse(error.status, error.reason, headers=allow, anonymous=True) from None


async def _answer_inside(request: web.Request, handler: Handler) -> web.StreamResponse:
    """As the handler answers; what aiohttp refuses, or what breaks, is JSON here too."""
    try:
        return await handler(request)
    except ConnectionError:
        return web.Response(status=CLIENT_CLOSED)
    except web.HTTPException as error:
        allowed = error.headers.get("Allow")
        hint = f"GET {INSIDE} lists the routes" if allowed is None else f"it takes {allowed}"
        message = f"{request.method} {request.path}: {error.reason}; {hint}"
        headers = {} if allowed is None else {"Allow": allowed}
        body = refusals.error_body(error.status, message)
        return json_response(body, status=error.status, **headers)
    except Exception as error:  # noqa: BLE001 - the last resort
        return _broken(request, error)


def _broken(request: web.Request, error: Exception) -> web.Response:
    """The 500 of a handler that broke; where its answer has begun, the connection is closed."""
    place = extract_tb(error.__traceback__)[-1]
    LOGGER.error(
        "%s %s: the simulator has a bug, please report it: %s: %.200s (%s:%s)",
        request.method,
        request.path,
        type(error).__name__,
        error,
        Path(place.filename).name,
        place.lineno,
    )
    if request.writer.output_size and request.transport is not None:
        request.transport.close()
    return json_response(refusals.error_body(SERVER_ERROR), status=SERVER_ERROR)


def _masked(request: web.Request) -> dict[str, str]:
    headers = dict(request.headers)
    for name, text in headers.items():
        if name.lower() in SECRET_HEADERS:
            headers[name] = "***"
        elif not text.isascii():  # bytes that are no text would not go into any JSON
            headers[name] = text.encode("utf-8", "replace").decode()
    return headers


def _peer_port(request: web.Request) -> int | None:
    """The client's port: two requests with the same one came over one connection."""
    transport = request.transport
    peer = None if transport is None else transport.get_extra_info("peername")
    return peer[1] if isinstance(peer, tuple) else None


def _refused(refusal: Refusal, seen: SeenRequest) -> web.Response:
    headers = {"Content-Type": refusal.content_type, **OPEN_HEADERS}
    if seen.generation_id is not None:
        headers["X-Generation-Id"] = seen.generation_id
    headers |= refusal.headers
    return web.Response(status=refusal.status, body=refusal.body, headers=headers)
