"""Responses in JSON, and the headers that let pages of other sites read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

OPEN_HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Generation-Id,X-Provider-Name,request-id,cf-ray",
}
PREFLIGHT_HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, HTTP-Referer, X-Title, X-OpenRouter-Title, "
        "X-OpenRouter-Categories, X-OpenRouter-Cache, X-OpenRouter-Cache-TTL, "
        "X-OpenRouter-Cache-Clear, X-OpenRouter-Metadata, x-session-id, Idempotency-Key, "
        "traceparent"
    ),
    "Access-Control-Max-Age": "86400",
}


def json_response(value: Any, *, status: int = 200, **headers: str) -> web.Response:
    """A value as JSON; underscores in the names of headers stand for dashes."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        content_type="application/json",
        headers={**OPEN_HEADERS, **named},
    )


def preflight_response() -> web.Response:
    """What a browser asks before it sends a request from another site's page."""
    return web.Response(status=204, headers=PREFLIGHT_HEADERS)
