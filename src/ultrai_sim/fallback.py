"""One endpoint after the other: which failures lead to the next, and what the last one tells.

Only what a provider did wrong leads on: a 429 or 5xx of its own. What OpenRouter itself refuses,
no other provider helps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from ultrai_sim.endpoints import Endpoint
from ultrai_sim.generations import Try
from ultrai_sim.incoming import NotJSON, read_json
from ultrai_sim.refusals import Refusal

RATE_LIMITED = 429
SERVER_ERRORS = 500

Answer = TypeVar("Answer")


async def first_to_answer(
    endpoints: Sequence[Endpoint],
    ask: Callable[[Endpoint], Awaitable[Answer]],
    *,
    permaslug: str,
    tries: list[Try],
) -> Answer:
    """The answer of the first endpoint that gives one; what the last one met instead.

    Those that failed are put to the ``tries``.
    """
    errors: list[dict[str, Any]] = []
    for endpoint in endpoints:
        try:
            return await ask(endpoint)
        except Refusal as refusal:
            if not is_the_providers(refusal):
                raise
            tries.append(Try(endpoint.provider, permaslug, refusal.status))
            if endpoint is endpoints[-1]:
                raise with_earlier(refusal, errors) from None
            errors.append(told(refusal))
    message = "what was routed has an endpoint"
    raise AssertionError(message)


def is_the_providers(refusal: Refusal) -> bool:
    """Whether a provider refused, and not OpenRouter itself."""
    if refusal.status != RATE_LIMITED and refusal.status < SERVER_ERRORS:
        return False
    if refusal.at_provider:
        return True
    metadata = _error_of(refusal).get("metadata")
    return isinstance(metadata, dict) and metadata.get("provider_name") is not None


def told(refusal: Refusal) -> dict[str, Any]:
    """A refusal as one of the ``previous_errors``."""
    error = _error_of(refusal)
    return {"code": error.get("code", refusal.status), "message": error.get("message", "")}


def with_earlier(refusal: Refusal, errors: Sequence[dict[str, Any]]) -> Refusal:
    """The last refusal, which also tells of those before it."""
    error = _error_of(refusal)
    if not errors or not error:
        return refusal
    body = read_json(refusal.body)
    metadata = error.get("metadata") or {}
    if not isinstance(metadata, dict):
        return refusal  # a fault's own words are left as they are
    known = metadata.get("previous_errors")
    later = known if isinstance(known, list) else []
    body["error"]["metadata"] = {**metadata, "previous_errors": [*errors, *later]}
    refusal.body = msgspec.json.encode(body)
    return refusal


def _error_of(refusal: Refusal) -> dict[str, Any]:
    try:
        body = read_json(refusal.body)
    except NotJSON:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}
