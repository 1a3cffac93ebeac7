"""The routes, and what answers each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from ultrai.assembly.facade import UltrAI
from ultrai.server.chat import Chat
from ultrai.server.exchange import Exchange
from ultrai.server.front import App, DoorRules, Endpoint, Front
from ultrai.server.live import LiveRuns
from ultrai.server.models import Models
from ultrai.server.problems import Problem
from ultrai.server.repeats import Repeats
from ultrai.server.runs import Runs
from ultrai.server.wire import encode

if TYPE_CHECKING:
    from starlette.requests import Request

CHAT = "/v1/chat/completions"
_SLOT = "/v1/runs/{run_id}/slots/{slot}"
_CODES = {404: "not_found", 405: "method_not_allowed"}


def make_app(session: UltrAI, runs: LiveRuns, *, rules: DoorRules) -> App:
    """The whole application."""
    chat = Endpoint(Chat(runs, Repeats()).answer)
    models = Models(session)
    native = Runs(runs)
    routes = [
        _route("POST", CHAT, endpoint=chat),
        _route("GET", "/v1/models", endpoint=Endpoint(models.list)),
        _route("GET", "/v1/models/{model:path}", endpoint=Endpoint(models.show)),
        _route("POST", "/v1/runs", endpoint=Endpoint(native.create)),
        _route("GET", "/v1/runs", endpoint=Endpoint(native.list)),
        _route("GET", "/v1/runs/{run_id}", endpoint=Endpoint(native.show)),
        _route("GET", "/v1/runs/{run_id}/events", endpoint=Endpoint(native.events)),
        _route("POST", "/v1/runs/{run_id}/cancel", endpoint=Endpoint(native.cancel)),
        _route("POST", f"{_SLOT}/cancel", endpoint=Endpoint(native.cancel_slot)),
        _route("POST", f"{_SLOT}/retry", endpoint=Endpoint(native.retry_slot)),
        _route("GET", "/healthz", endpoint=Endpoint(_alive)),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_here})
    app.router.redirect_slashes = False
    return Front(app, rules=rules, hot={("POST", CHAT): chat})  # type: ignore[arg-type]


def _route(method: str, path: str, *, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=[method])


async def _alive(exchange: Exchange) -> None:
    await exchange.answer_json(200, {"status": "ok"})


async def _not_here(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "http_error")
    problem = Problem(
        error.status_code, code, f"{request.method} {request.url.path}: {error.detail}"
    )
    return Response(
        encode(problem.to_dict()),
        status_code=error.status_code,
        headers=error.headers,
        media_type="application/json",
    )
