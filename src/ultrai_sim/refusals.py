"""Errors before a stream: the bodies and headers that OpenRouter was seen to send.

Every function returns a `Refusal`; raising one ends the request with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from ultrai_sim.clock import iso

USER_ID = "user_2simulatedSimulatedSimulate"
SETTINGS = "https://openrouter.ai/settings"

LimitSource = Literal["openrouter_credits", "openrouter_key_limit", "openrouter_workspace_budget"]

MESSAGES: Mapping[int, str] = {
    400: "Provider returned error",
    401: "User not found.",
    402: f"Insufficient credits. Add more using {SETTINGS}/credits",
    403: "Forbidden",
    404: "No endpoints found matching your request.",
    405: "Method Not Allowed",
    408: "Request timed out",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Request body too large",
    422: "Unprocessable request",
    429: "Provider returned error",
    499: "Client closed request",
    500: "Internal Server Error",
    502: "Provider returned error",
    503: "No available model provider that meets your routing requirements",
    504: "Gateway timeout",
    524: "Provider timed out",
    529: "Provider returned error",
}

HTML = (
    "<!DOCTYPE html>\n<html><head><title>openrouter.ai | {status}: {title}</title></head>\n"
    "<body><h1>{title} <span>Error code {status}</span></h1>"
    "<p>Cloudflare Ray ID: <strong>9a1b2c3d4e5f6789</strong></p></body></html>\n"
)


class Refusal(Exception):
    """An answer that is an error: status, body bytes, content type, extra headers.

    ``at_provider``: a fault of one provider made it, so that another one may help.
    """

    def __init__(
        self,
        status: int,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
        self.content_type = content_type
        self.at_provider = False


def refuse(
    status: int,
    message: str | None = None,
    *,
    metadata: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    anonymous: bool = False,
) -> Refusal:
    """The usual error body: message, code, metadata, and the account's ``user_id`` beside it."""
    body = error_body(status, message, metadata=metadata)
    if not anonymous:
        body["user_id"] = USER_ID
    return Refusal(status, msgspec.json.encode(body), headers=headers)


def error_body(
    code: int, message: str | None = None, *, metadata: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """``{"error": {"message", "code", "metadata"?}}``; the message defaults to the status's."""
    text = MESSAGES.get(code, f"Error {code}") if message is None else message
    error: dict[str, Any] = {"message": text, "code": code}
    if metadata:
        error["metadata"] = dict(metadata)
    return {"error": error}


def html_page(status: int, title: str) -> Refusal:
    """A page of the edge in front of OpenRouter, where JSON was expected."""
    page = HTML.format(status=status, title=title)
    return Refusal(status, page.encode(), content_type="text/html; charset=UTF-8")


def zod_error(code: str, path: Sequence[str], *, message: str) -> Refusal:
    """What the layer that validates some routes sends, before it looks at any key."""
    issues = [{"code": code, "path": list(path), "message": f"Invalid input: {message}"}]
    text = msgspec.json.encode(issues).decode()
    body = {"success": False, "error": {"name": "ZodError", "message": text}}
    return Refusal(400, msgspec.json.encode(body))


def too_large() -> Refusal:
    """A body that nobody wants to read to its end."""
    return refuse(413, metadata={"error_type": "payload_too_large"})


def no_credentials() -> Refusal:
    """No Authorization header at all."""
    return refuse(401, "No cookie auth credentials found", anonymous=True)


def unknown_key() -> Refusal:
    """A key that does not exist, or was disabled or has expired."""
    return refuse(401, "User not found.", anonymous=True)


def management_only(status: int = 403) -> Refusal:
    """A key that may ask models, where keys are managed."""
    return refuse(status, "Only management keys can perform this operation")


def unknown_model(model_id: str) -> Refusal:
    """An id that never was."""
    return refuse(400, f"{model_id} is not a valid model ID")


def retired_model(model_id: str) -> Refusal:
    """An id that was listed once."""
    base, _, suffix = model_id.partition(":")
    if suffix == "free":
        return refuse(
            404,
            f"The free {base} period has ended. To continue using this model, "
            f"please migrate to the paid slug: {base}",
        )
    return refuse(404, f"No endpoints found for {model_id}.")


def insufficient_credit() -> Refusal:
    """Nothing is left on the account."""
    return refuse(402)


def cannot_afford(
    wanted: int, affordable: int, *, source: LimitSource = "openrouter_credits"
) -> Refusal:
    """The prompt and ``max_tokens`` cost more than is left; says how many tokens would fit."""
    page = "keys" if source == "openrouter_key_limit" else "credits"
    advice = {
        "openrouter_credits": "upgrade to a paid account",
        "openrouter_key_limit": "create a key with a higher total limit",
        "openrouter_workspace_budget": "raise the budget",
    }
    return refuse(
        402,
        "This request requires more credits, or fewer max_tokens. You requested up to "
        f"{wanted} tokens, but can only afford {affordable}. To increase, visit "
        f"{SETTINGS}/{page} and {advice[source]}",
        metadata={
            "provider_name": None,
            "previous_errors": [],
            "reason": "weight_exceeds_budget",
            "limit_source": source,
        },
    )


def in_flight_exhausted(retry_after: float | str = 1) -> Refusal:
    """It would fit, but for what is being answered right now; seconds, or the header's text."""
    return refuse(
        402,
        "This request would exceed your available credits given your current in-flight "
        "requests. Retry after in-flight requests settle, or add credits.",
        metadata={
            "reason": "in_flight_budget_exhausted",
            "limit_source": "openrouter_in_flight_budget",
        },
        headers={
            "Retry-After": retry_after if isinstance(retry_after, str) else f"{retry_after:g}"
        },
    )


def key_limit_exceeded(period: str = "total", *, status: int = 403) -> Refusal:
    """The key's own ceiling: 403 as it was seen, or 402 as it is documented."""
    message = f"Key limit exceeded ({period} limit). Manage it using {SETTINGS}/keys"
    documented = {"reason": "key_limit_exceeded", "limit_source": "openrouter_key_limit"}
    return refuse(status, message, metadata=documented if status == 402 else None)  # noqa: PLR2004


def budget_exceeded(limit_usd: float, spend_usd: float, *, resets_at: float | None) -> Refusal:
    """A ceiling over all keys of a workspace; no Retry-After."""
    metadata = {
        "limit_source": "openrouter_workspace_budget",
        "scope": "workspace",
        "limit_usd": limit_usd,
        "spend_usd": spend_usd,
        "resets_at": None if resets_at is None else iso(resets_at),
    }
    return refuse(403, "Budget limit exceeded", metadata=metadata)


def free_limit(kind: str, limit: int, *, reset_ms: int) -> Refusal:
    """The free tier's window is full. ``kind`` is ``per-day`` or ``per-min``; no Retry-After."""
    message = f"Rate limit exceeded: free-models-{kind}."
    if kind == "per-day" and limit <= 50:  # noqa: PLR2004 - the quota without bought credits
        message += " Add 10 credits to unlock 1000 free model requests per day"
    elif kind == "per-day":
        message = "Rate limit exceeded: free-models-per-day-high-balance."
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset_ms),
    }
    source = "openrouter_free_tier_daily" if kind == "per-day" else "openrouter_free_tier_minute"
    metadata = {"headers": headers, "provider_name": None, "limit_source": source}
    return refuse(429, message, metadata=metadata, headers=headers)


def with_code(refusal: Refusal, code: int | str) -> Refusal:
    """The same with another ``error.code``; the text ``null`` stands for none."""
    body = msgspec.json.decode(refusal.body)
    body["error"]["code"] = None if code == "null" else code
    refusal.body = msgspec.json.encode(body)
    return refusal


def with_availability(refusal: Refusal, availability: Mapping[str, Any]) -> Refusal:
    """The same with an ``error.availability``: announced in August 2026, not seen since."""
    body = msgspec.json.decode(refusal.body)
    body["error"]["availability"] = dict(availability)
    refusal.body = msgspec.json.encode(body)
    return refusal


def balance_too_low(output: str = "video") -> Refusal:
    """Video in, and pictures or video out, need a dollar on the account, even at no cost."""
    return refuse(
        402,
        f"This request requires at least $1.00 in balance for {output}",
        metadata={"limit_source": "openrouter_credits"},
    )


def moderated(model_id: str, provider: str, *, flagged: str) -> Refusal:
    """The prompt was flagged; at most 100 characters of it come back."""
    message = (
        f"{model_id} requires moderation on {provider}. Your input was flagged for "
        '"harassment". No credits were charged.'
    )
    metadata = {
        "reasons": ["harassment"],
        "flagged_input": shortened(flagged),
        "provider_name": provider,
        "model_slug": model_id,
    }
    return refuse(403, message, metadata=metadata)


def shortened(text: str) -> str:
    """At most 100 characters, cut in the middle."""
    return text if len(text) <= 100 else f"{text[:49]}...{text[-48:]}"  # noqa: PLR2004


def blocked_by_guardrail(patterns: Sequence[str]) -> Refusal:
    """A guardrail of the account forbids the prompt."""
    message = "Request blocked: prompt injection patterns detected"
    return refuse(403, message, metadata={"patterns": list(patterns)})


def guarded(reasons: Mapping[str, int]) -> Refusal:
    """A guardrail of the account allows no endpoint; for each reason how many it bars."""
    count = sum(reasons.values())
    metadata = {
        "input_endpoint_count": count,
        "ineligibility_reasons": [
            {"reason": reason, "endpoint_count": barred, "configure_url": f"{SETTINGS}/privacy"}
            for reason, barred in reasons.items()
        ],
        "failed_routing_step": "Filter by Guardrails",
    }
    message = (
        f"0 endpoints out of {count} requested are available matching your guardrail "
        "restrictions and data policy."
    )
    return refuse(404, message, metadata=metadata)


def shared_pool(model_id: str, provider: str, *, retry_after: float | str) -> Refusal:
    """The pool that OpenRouter's accounts share at a provider is full."""
    text = retry_after if isinstance(retry_after, str) else f"{retry_after:g}"
    metadata = {
        **provider_metadata(429, model_id, provider=provider),
        "provider_error_code": "rate_limit_exceeded",
        "limit_source": "upstream_provider_shared_pool",
        "remedy_hint": "Add your own key, or try again later.",
        "retry_after_seconds": retry_after,
        "retry_after_seconds_raw": retry_after,
        "headers": {"Retry-After": text},
    }
    return refuse(429, metadata=metadata, headers={"Retry-After": text})


def too_long(window: int, *, prompt: int, output: int, provider: str) -> Refusal:
    """Prompt and output do not fit the window; all in tokens."""
    return refuse(
        400,
        f"This endpoint's maximum context length is {window} tokens. However, you requested "
        f"about {prompt + output} tokens ({prompt} of text input, {output} in the output). "
        "Please reduce the length of either one, or use the context-compression plugin to "
        "compress your prompt automatically.",
        metadata={"error_type": "context_length_exceeded", "provider_name": provider},
    )


def no_route(
    message: str,
    funnel: Sequence[tuple[str, int]],
    *,
    failed: str,
    more: Mapping[str, Any] | None = None,
) -> Refusal:
    """No endpoint is left: how many each step left, and which step took the last."""
    steps = [{"step": step, "endpoint_count": count} for step, count in funnel]
    metadata = {"routing_funnel": steps, "failed_routing_step": failed, **(more or {})}
    return refuse(404, message, metadata=metadata)


def provider_metadata(status: int, model_id: str, *, provider: str) -> dict[str, Any]:
    """What OpenRouter adds when a provider behind it failed."""
    raw = f'{{"error":{{"message":"{provider} answered {status}","type":"server_error"}}}}'
    if status == 429:  # noqa: PLR2004 - an HTTP status
        raw = (
            f"{model_id} is temporarily rate-limited upstream. Please retry shortly, or add "
            f"your own key to accumulate your rate limits: {SETTINGS}/integrations"
        )
    return {"raw": raw, "provider_name": provider, "is_byok": False}
