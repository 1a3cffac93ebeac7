"""`GET /openapi.json`: the routes as they are, with schemas from the types that check bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

import ultrai
from ultrai.server.front import Handler

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_REF = "#/components/schemas/{name}"
_ERROR = {
    "type": "object",
    "required": ["error", "ultrai"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code", "param"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": "string"},
                "param": {"type": ["string", "null"]},
            },
        },
        "ultrai": {"type": "object"},
    },
}


@dataclass(frozen=True, slots=True)
class Page:
    """One route: what answers it, what it takes, and what may come back.

    `scope` is what an access key must be for; None: nobody needs one.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    scope: str | None = None
    body: type | None = None
    statuses: Sequence[int] = (200,)
    media: str = "application/json"
    query: Mapping[str, str] | None = None


def document(pages: Sequence[Page]) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    bodies = [page.body for page in pages if page.body is not None]
    schemas, components = msgspec.json.schema_components(bodies, ref_template=_REF)
    by_type = dict(zip(bodies, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for page in pages:
        path = _PARAMETER.sub(r"{\1}", page.path)
        paths.setdefault(path, {})[page.method.lower()] = _operation(page, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "UltrAI", "version": ultrai.__version__},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {"access": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(page: Page, schemas: Mapping[type, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {
        str(status): {"description": "done", "content": {page.media: {"schema": {}}}}
        if status != 204  # noqa: PLR2004 - HTTP's own: no content
        else {"description": "nothing more"}
        for status in page.statuses
    }
    problem = {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}}
    answers["default"] = {"description": "a problem", "content": problem}
    operation: dict[str, Any] = {"summary": page.summary, "responses": answers}
    if page.body is not None:
        content = {"application/json": {"schema": schemas[page.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    if page.scope is not None:
        operation["security"] = [{}, {"access": []}]
    parameters = [_parameter(name, "path") for name in _PARAMETER.findall(page.path)]
    parameters += [_parameter(n, "query", kind=kind) for n, kind in (page.query or {}).items()]
    if parameters:
        operation["parameters"] = parameters
    return operation


def _parameter(name: str, place: str, *, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": kind}}
