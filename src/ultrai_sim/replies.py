"""Responses in JSON."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web


def json_response(value: Any, **headers: str) -> web.Response:
    """A value as JSON; underscores in the names of headers stand for dashes."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = msgspec.json.encode(value)
    return web.Response(body=body, content_type="application/json", headers=named)
