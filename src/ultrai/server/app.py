"""The routes, and what answers each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from ultrai.server.chat import Chat
from ultrai.server.dialect import CHAT_COMPLETIONS
from ultrai.server.exchange import Exchange, Intake
from ultrai.server.front import App, DoorRules, Endpoint, Front
from ultrai.server.live import LiveRuns
from ultrai.server.messages import MESSAGES
from ultrai.server.models import Models
from ultrai.server.openapi import Page, document
from ultrai.server.page import WebPage
from ultrai.server.probes import Probes
from ultrai.server.problems import Problem
from ultrai.server.repeats import Repeats
from ultrai.server.responses import RESPONSES
from ultrai.server.runs import Runs
from ultrai.server.views import Views
from ultrai.server.wire import (
    ChatRequest,
    MessagesRequest,
    RenderRequest,
    ResponsesRequest,
    RunRequest,
    encode,
)

if TYPE_CHECKING:
    from starlette.requests import Request

CHAT = "/v1/chat/completions"
_RUN = "/v1/runs/{run_id}"
_SLOT = _RUN + "/slots/{slot}"
_CODES = {404: "not_found", 405: "method_not_allowed"}
_SSE = "text/event-stream"


def make_app(runs: LiveRuns, *, rules: DoorRules) -> App:
    """The whole application."""
    pages, intake, access = pages_of(runs), Intake(), runs.access
    routes, hot = [], {}
    for page in pages:
        endpoint = Endpoint(page.handler, intake, check=partial(access.check, scope=page.scope))
        routes.append(Route(page.path, endpoint, methods=[page.method]))
        if page.path == CHAT:
            hot[page.method, page.path] = endpoint
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_here})
    app.router.redirect_slashes = False
    return Front(app, rules=rules, hot=hot)  # type: ignore[arg-type]


def pages_of(runs: LiveRuns) -> Sequence[Page]:
    """Every route there is."""
    models, probes = Models(runs.session), Probes(runs.session, runs)
    repeats = Repeats()
    chat, responses, messages = (
        Chat(runs, repeats, dialect=dialect).answer
        for dialect in (CHAT_COMPLETIONS, RESPONSES, MESSAGES)
    )
    pages = [
        Page("POST", CHAT, chat, "Ask a cocktail or a model", "ask", ChatRequest),
        Page("POST", "/v1/responses", responses, "As OpenAI's Responses", "ask", ResponsesRequest),
        Page("POST", "/v1/messages", messages, "As Anthropic's Messages", "ask", MessagesRequest),
        Page("GET", "/v1/models", models.list, "List what can be asked", "ask"),
        Page("GET", "/v1/models/{model:path}", models.show, "Show one of them", "ask"),
        *_native(Runs(runs, repeats)),
        *_viewed(Views(runs)),
        *_shown(WebPage()),
        Page("GET", "/healthz", probes.alive, "Whether the process lives"),
        Page("GET", "/readyz", probes.ready, "Whether it takes requests"),
        Page(
            *("GET", "/metrics", probes.metrics, "What Prometheus reads", "metrics"),
            media="text/plain",
        ),
    ]

    async def describe(exchange: Exchange) -> None:
        await exchange.answer_json(200, described)

    pages.append(Page("GET", "/openapi.json", describe, "This document"))
    described = document(pages)
    return pages


def _native(native: Runs) -> Sequence[Page]:
    listed = {"limit": "integer", "q": "string"}
    return [
        Page(
            *("POST", "/v1/runs", native.create, "Start a run", "ask", RunRequest),
            statuses=(201,),
        ),
        Page("GET", "/v1/runs", native.list, "List past runs", "read", query=listed),
        Page("GET", _RUN, native.show, "Show a run's report", "ask"),
        Page(
            *("GET", f"{_RUN}/events", native.events, "Follow a run", "ask"),
            statuses=(200, 204),
            media=_SSE,
            query={"last_event_id": "integer"},
        ),
        Page("POST", f"{_RUN}/cancel", native.cancel, "End a run", "ask"),
        Page("POST", f"{_SLOT}/cancel", native.cancel_slot, "End one slot", "ask"),
        Page(
            *("POST", f"{_SLOT}/retry", native.retry_slot, "Ask a slot again", "ask"),
            statuses=(200, 201),
        ),
    ]


def _viewed(views: Views) -> Sequence[Page]:
    costs = {"by": "string", "days": "integer"}
    return [
        Page("POST", "/v1/plan", views.plan, "Say what a run would cost", "ask", RunRequest),
        Page(
            *("POST", "/v1/documents", views.document, "Read a file that the body holds", "ask"),
            query={"name": "string"},
        ),
        Page("POST", "/v1/render", views.render, "Markdown as safe HTML", "ask", RenderRequest),
        Page(
            *("GET", "/v1/readiness", views.readiness, "Which models can be asked now", "ask"),
            query={"refresh": "boolean"},
        ),
        Page("GET", "/v1/costs", views.costs, "What was spent", "read", query=costs),
    ]


def _shown(page: WebPage) -> Sequence[Page]:
    return [
        Page("GET", "/", page.index, "The web page", media="text/html"),
        Page("GET", "/web/{name:path}", page.file, "A file of the web page", media="text/plain"),
    ]


async def _not_here(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "http_error")
    what = f"{request.method} {request.url.path}: {error.detail}"
    problem = Problem(error.status_code, code, what)
    return Response(
        encode(problem.to_dict()),
        status_code=error.status_code,
        headers=error.headers,
        media_type="application/json",
    )
