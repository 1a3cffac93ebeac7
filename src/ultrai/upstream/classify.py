"""What the world did -> Failure: the table of DESIGN §6, read in one place.

Theory of operation. A status has one rule; a rule is a kind, or a function that looks further: at
the metadata first, at the words of the message last. Inside a 200 the `code` of the error object
takes the status's place; a code in words is looked up in the vocabulary of `metadata.error_type`.
A stream is a 200 with one more rule: its head says that the upstream's own checks of key, credit,
pace and id were passed, so a 4xx code in it is a provider's. It must neither stop the upstream nor
be waited for: it is `bad_request`, or what the words make of it (too long, moderated).
Everything here is pure: text in, values out.

Sources: OpenRouter's errors and limits pages and real bodies of 2025-2026. A status that is not in
the table falls to its class: 4xx `bad_request`, 5xx `upstream_error`, all else `bad_response`.

It does not know what is done about a Failure (`policy.fallback`), nor transport errors (`mishap`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from ultrai.domain.outcome import Failure, FailureKind
from ultrai.upstream.complaint import Complaint
from ultrai.upstream.hints import (
    Circumstances,
    affordable_tokens,
    failed_step,
    resets_at_ms,
    retry_after_s,
)

_KEY_LIMIT_SOURCES: Final = frozenset(
    {
        "openrouter_key_limit",
        "openrouter_workspace_budget",
        "openrouter_guardrail_budget",
    }
)
_KEY_LIMIT_WORDS: Final = ("key limit exceeded", "budget limit exceeded", "workspace limit")
_IN_FLIGHT_WORDS: Final = ("in_flight_budget_exhausted", "openrouter_in_flight_budget")
_MODERATION_FACTS: Final = ("reasons", "patterns", "flagged_input")
_MODERATION_WORDS: Final = (
    "moderation",
    "flagged",
    "guardrail",
    "content policy",
    "request blocked",
)
_CONTEXT_WORDS: Final = (
    "context_length_exceeded",
    "string_too_long",
    "context length",
    "context window",
    "context_length",
    "context size",
    "prompt is too long",
    "input is too long",
    "too many input tokens",
    "exceeds the maximum number of tokens",
)
_NO_MODEL_WORDS: Final = ("not a valid model id", "model_not_found", "does not exist")
_DAILY_WORDS: Final = ("free-models-per-day", "openrouter_free_tier_daily")
_NO_PROVIDER_WORDS: Final = ("no endpoints", "no_provider", "no allowed providers", "no provider")

WORDS: Final[Mapping[str, FailureKind]] = {
    "context_length_exceeded": FailureKind.CONTEXT_TOO_LONG,
    "string_too_long": FailureKind.CONTEXT_TOO_LONG,
    "max_tokens_exceeded": FailureKind.BAD_REQUEST,
    "token_limit_exceeded": FailureKind.BAD_REQUEST,
    "invalid_request": FailureKind.BAD_REQUEST,
    "invalid_request_error": FailureKind.BAD_REQUEST,
    "invalid_prompt": FailureKind.BAD_REQUEST,
    "invalid_image": FailureKind.BAD_REQUEST,
    "image_too_large": FailureKind.BAD_REQUEST,
    "image_too_small": FailureKind.BAD_REQUEST,
    "unsupported_image_format": FailureKind.BAD_REQUEST,
    "image_download_failed": FailureKind.BAD_REQUEST,
    "image_not_found": FailureKind.BAD_REQUEST,
    "precondition_failed": FailureKind.BAD_REQUEST,
    "payload_too_large": FailureKind.BAD_REQUEST,
    "unprocessable": FailureKind.BAD_REQUEST,
    "content_policy_violation": FailureKind.MODERATED,
    "content_filter": FailureKind.MODERATED,
    "refusal": FailureKind.MODERATED,
    "authentication": FailureKind.AUTH,
    "authentication_error": FailureKind.AUTH,
    "invalid_api_key": FailureKind.AUTH,
    "payment_required": FailureKind.INSUFFICIENT_CREDIT,
    "insufficient_quota": FailureKind.INSUFFICIENT_CREDIT,
    "billing_error": FailureKind.INSUFFICIENT_CREDIT,
    "permission_denied": FailureKind.FORBIDDEN,
    "permission_error": FailureKind.FORBIDDEN,
    "not_found": FailureKind.MODEL_UNAVAILABLE,
    "not_found_error": FailureKind.MODEL_UNAVAILABLE,
    "model_not_found": FailureKind.MODEL_UNAVAILABLE,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
    "rate_limit_error": FailureKind.RATE_LIMITED,
    "too_many_requests": FailureKind.RATE_LIMITED,
    "server": FailureKind.UPSTREAM_ERROR,
    "server_error": FailureKind.UPSTREAM_ERROR,
    "internal_error": FailureKind.UPSTREAM_ERROR,
    "internal_server_error": FailureKind.UPSTREAM_ERROR,
    "api_error": FailureKind.UPSTREAM_ERROR,
    "unmapped": FailureKind.UPSTREAM_ERROR,
    "provider_unavailable": FailureKind.UPSTREAM_ERROR,
    "provider_overloaded": FailureKind.OVERLOADED,
    "overloaded": FailureKind.OVERLOADED,
    "overloaded_error": FailureKind.OVERLOADED,
    "service_unavailable": FailureKind.OVERLOADED,
    "timeout": FailureKind.TIMEOUT,
    "timeout_error": FailureKind.TIMEOUT,
}
"""`metadata.error_type` and the codes in words that OpenAI-like servers use."""

_REFINED_BY_WORD: Final = frozenset({FailureKind.CONTEXT_TOO_LONG, FailureKind.MODERATED})
_REFUSALS: Final = frozenset(
    {
        FailureKind.BAD_REQUEST,
        FailureKind.AUTH,
        FailureKind.INSUFFICIENT_CREDIT,
        FailureKind.FORBIDDEN,
        FailureKind.MODEL_UNAVAILABLE,
        FailureKind.RATE_LIMITED,
    }
)


def classify_status(status: int, complaint: Complaint, *, around: Circumstances) -> Failure:
    """The Failure that a response with this status is; `status` is not a 200."""
    return _failure(kind_of_status(status, complaint), complaint, around=around, status=status)


def classify_inside(complaint: Complaint, around: Circumstances) -> Failure:
    """The Failure that an error object inside a 200 is: in a body, a choice or a stream."""
    code = complaint.code
    is_status = code is not None and code in range(400, 600)
    if code is not None and is_status:
        kind = kind_of_status(code, complaint)
        is_refusal = code in range(400, 500)
    else:
        kind = WORDS.get(complaint.word, FailureKind.UPSTREAM_ERROR)
        is_refusal = kind in _REFUSALS
        if kind is FailureKind.RATE_LIMITED:
            kind = _rate(complaint)
    if around.in_stream and is_refusal:
        kind = _refused_by_provider(complaint)
    return _failure(kind, complaint, around=around, status=code if is_status else 200)


def kind_of_status(status: int, complaint: Complaint) -> FailureKind:
    """The kind for a status, with what the error object adds."""
    rule = _RULES.get(status)
    if rule is None:
        return _kind_of_class(status)
    return rule if isinstance(rule, FailureKind) else rule(complaint)


def _failure(
    kind: FailureKind, complaint: Complaint, *, around: Circumstances, status: int | None
) -> Failure:
    wait_s = retry_after_s(complaint, around)
    reset_ms = resets_at_ms(complaint, around)
    limited = kind is FailureKind.RATE_LIMITED
    if limited and wait_s is None and reset_ms is not None and around.now is not None:
        wait_s = max(0.0, reset_ms / 1000 - around.now.timestamp())
    return Failure(
        kind=kind,
        message=complaint.message or _plain_words(status, is_html=complaint.is_html),
        phase=around.phase,
        status=status,
        retry_after_s=wait_s,
        resets_at_ms=reset_ms,
        affordable_tokens=affordable_tokens(complaint),
        price_capped=around.price_capped and _is_about_price(kind, complaint),
    )


def _plain_words(status: int | None, *, is_html: bool) -> str:
    if status is None or status in range(200, 300):
        return "the upstream reported an error without saying which"
    try:
        phrase = f" ({HTTPStatus(status).phrase})"
    except ValueError:
        phrase = ""
    return f"HTTP {status}{phrase}" + (" with an HTML page" if is_html else "")


def _kind_of_class(status: int) -> FailureKind:
    if status in range(400, 500):
        return FailureKind.BAD_REQUEST
    return FailureKind.UPSTREAM_ERROR if status >= 500 else FailureKind.BAD_RESPONSE  # noqa: PLR2004


def _bad_request(complaint: Complaint) -> FailureKind:
    by_word = WORDS.get(complaint.word)
    if by_word in _REFINED_BY_WORD:
        return by_word
    said = complaint.said
    if any(words in said for words in _CONTEXT_WORDS):
        return FailureKind.CONTEXT_TOO_LONG
    if any(words in said for words in _NO_MODEL_WORDS) and "model" in said:
        return FailureKind.MODEL_UNAVAILABLE
    return FailureKind.BAD_REQUEST


def _refused_by_provider(complaint: Complaint) -> FailureKind:
    kind = _bad_request(complaint)
    if kind is FailureKind.BAD_REQUEST and _is_moderated(complaint):
        return FailureKind.MODERATED
    return kind if kind in _REFINED_BY_WORD else FailureKind.BAD_REQUEST


def _money(complaint: Complaint) -> FailureKind:
    facts = (complaint.fact("reason"), complaint.fact("limit_source"))
    if any(fact in _IN_FLIGHT_WORDS for fact in facts) or "in-flight" in complaint.said:
        return FailureKind.IN_FLIGHT_BUDGET
    # Fewer max_tokens would do: that is worth knowing whichever limit is meant.
    if affordable_tokens(complaint) is not None:
        return FailureKind.INSUFFICIENT_CREDIT
    return FailureKind.KEY_LIMIT if _is_key_limit(complaint) else FailureKind.INSUFFICIENT_CREDIT


def _forbidden(complaint: Complaint) -> FailureKind:
    if _is_key_limit(complaint):
        return FailureKind.KEY_LIMIT
    return FailureKind.MODERATED if _is_moderated(complaint) else FailureKind.FORBIDDEN


def _is_moderated(complaint: Complaint) -> bool:
    if any(complaint.metadata.get(fact) for fact in _MODERATION_FACTS):
        return True
    if WORDS.get(complaint.word) is FailureKind.MODERATED:
        return True
    return any(words in complaint.said for words in _MODERATION_WORDS)


def _rate(complaint: Complaint) -> FailureKind:
    daily = complaint.fact("limit_source") in _DAILY_WORDS or any(
        words in complaint.said for words in _DAILY_WORDS
    )
    return FailureKind.QUOTA_EXHAUSTED if daily else FailureKind.RATE_LIMITED


def _unavailable(complaint: Complaint) -> FailureKind:
    said = complaint.said
    none_available = "no available" in said and "provider" in said
    if none_available or any(words in said for words in _NO_PROVIDER_WORDS):
        return FailureKind.NO_PROVIDER
    return FailureKind.OVERLOADED


def _is_key_limit(complaint: Complaint) -> bool:
    if complaint.fact("limit_source") in _KEY_LIMIT_SOURCES:
        return True
    return any(words in complaint.said for words in _KEY_LIMIT_WORDS)


def _is_about_price(kind: FailureKind, complaint: Complaint) -> bool:
    if kind not in (FailureKind.MODEL_UNAVAILABLE, FailureKind.NO_PROVIDER):
        return False
    return "price" in complaint.message.lower() or "price" in failed_step(complaint)


_RULES: Final[Mapping[int, FailureKind | Callable[[Complaint], FailureKind]]] = {
    400: _bad_request,
    401: FailureKind.AUTH,
    402: _money,
    403: _forbidden,
    404: FailureKind.MODEL_UNAVAILABLE,
    408: FailureKind.TIMEOUT,
    409: FailureKind.BAD_REQUEST,
    413: FailureKind.BAD_REQUEST,
    422: FailureKind.BAD_REQUEST,
    429: _rate,
    500: FailureKind.UPSTREAM_ERROR,
    502: FailureKind.UPSTREAM_ERROR,
    503: _unavailable,
    504: FailureKind.TIMEOUT,
    524: FailureKind.TIMEOUT,
    529: FailureKind.OVERLOADED,
}
