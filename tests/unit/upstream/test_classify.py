import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.outcome import FailureKind as Kind
from ultrai.domain.outcome import Phase
from ultrai.upstream.classify import WORDS, classify_inside, classify_status
from ultrai.upstream.complaint import Complaint, read_body, read_error
from ultrai.upstream.hints import Circumstances

NOW = datetime(2026, 11, 23, 20, 0, 0, tzinfo=UTC)
NOWHERE = Circumstances(now=NOW)


def refused(status, message="no", around=NOWHERE, **metadata):
    error = {"message": message, "code": status, "metadata": metadata}
    return classify_status(status, read_body(json.dumps({"error": error}).encode()), around=around)


def inside(code, message="no", around=NOWHERE, **metadata):
    return classify_inside(
        read_error({"code": code, "message": message, "metadata": metadata}), around
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.BAD_REQUEST),
        (401, Kind.AUTH),
        (402, Kind.INSUFFICIENT_CREDIT),
        (403, Kind.FORBIDDEN),
        (404, Kind.MODEL_UNAVAILABLE),
        (405, Kind.BAD_REQUEST),
        (408, Kind.TIMEOUT),
        (409, Kind.BAD_REQUEST),
        (413, Kind.BAD_REQUEST),
        (418, Kind.BAD_REQUEST),
        (422, Kind.BAD_REQUEST),
        (429, Kind.RATE_LIMITED),
        (500, Kind.UPSTREAM_ERROR),
        (501, Kind.UPSTREAM_ERROR),
        (502, Kind.UPSTREAM_ERROR),
        (503, Kind.OVERLOADED),
        (504, Kind.TIMEOUT),
        (520, Kind.UPSTREAM_ERROR),
        (524, Kind.TIMEOUT),
        (529, Kind.OVERLOADED),
    ],
)
def test_a_status_alone_has_its_kind_also_as_a_code_inside_a_200(status, kind):
    assert refused(status).kind is kind
    assert inside(status).kind is kind
    assert inside(str(status)).kind is kind
    assert classify_status(status, Complaint(), around=NOWHERE).kind is kind
    assert refused(status).status == inside(status).status == status


@pytest.mark.parametrize("status", [101, 300, 304, 399, 999])
def test_a_status_that_is_no_error_is_a_bad_response_or_an_upstream_error(status):
    expected = Kind.UPSTREAM_ERROR if status >= 500 else Kind.BAD_RESPONSE
    assert classify_status(status, Complaint(), around=NOWHERE).kind is expected


@pytest.mark.parametrize(
    ("status", "message", "metadata", "kind"),
    [
        (400, "x/y is not a valid model ID", {}, Kind.MODEL_UNAVAILABLE),
        (400, "The model `m` does not exist", {}, Kind.MODEL_UNAVAILABLE),
        (
            400,
            "This endpoint's maximum context length is 8192 tokens. However, you requested 9000.",
            {},
            Kind.CONTEXT_TOO_LONG,
        ),
        (400, "no", {"error_type": "context_length_exceeded"}, Kind.CONTEXT_TOO_LONG),
        (400, "no", {"error_type": "content_policy_violation"}, Kind.MODERATED),
        (400, "max_tokens must be at least 16", {}, Kind.BAD_REQUEST),
        (
            402,
            "This request would exceed your available credits given your in-flight requests.",
            {
                "reason": "in_flight_budget_exhausted",
                "limit_source": "openrouter_in_flight_budget",
            },
            Kind.IN_FLIGHT_BUDGET,
        ),
        (402, "no", {"reason": "in_flight_budget_exhausted"}, Kind.IN_FLIGHT_BUDGET),
        (402, "no", {"limit_source": "openrouter_key_limit"}, Kind.KEY_LIMIT),
        (402, "no", {"limit_source": "openrouter_workspace_budget"}, Kind.KEY_LIMIT),
        (402, "Insufficient credits. Add more", {}, Kind.INSUFFICIENT_CREDIT),
        (403, "Key limit exceeded (daily limit). Manage it", {}, Kind.KEY_LIMIT),
        (
            403,
            "Budget limit exceeded",
            {"limit_source": "openrouter_guardrail_budget"},
            Kind.KEY_LIMIT,
        ),
        (
            403,
            'm requires moderation on P. Your input was flagged for "violence".',
            {"reasons": ["violence"], "flagged_input": "…"},
            Kind.MODERATED,
        ),
        (403, "no", {"flagged_input": "…"}, Kind.MODERATED),
        (403, "Request blocked: prompt injection patterns detected", {}, Kind.MODERATED),
        (403, "no", {"patterns": ["p"]}, Kind.MODERATED),
        (403, "This model is not available in your region", {}, Kind.FORBIDDEN),
        (429, "Rate limit exceeded: free-models-per-day. Add 10 credits", {}, Kind.QUOTA_EXHAUSTED),
        (
            429,
            "Rate limit exceeded: free-models-per-day-high-balance.",
            {},
            Kind.QUOTA_EXHAUSTED,
        ),
        (429, "no", {"limit_source": "openrouter_free_tier_daily"}, Kind.QUOTA_EXHAUSTED),
        (429, "Rate limit exceeded: free-models-per-min.", {}, Kind.RATE_LIMITED),
        (503, "There is no available model provider that meets your needs", {}, Kind.NO_PROVIDER),
        (503, "no available provider", {}, Kind.NO_PROVIDER),
        (503, "No endpoints found for x/y.", {}, Kind.NO_PROVIDER),
    ],
)
def test_what_was_said_refines_the_kind(status, message, metadata, kind):
    assert refused(status, message, **metadata).kind is kind
    assert inside(status, message, **metadata).kind is kind


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_code_in_words_has_the_kind_of_the_vocabulary(word):
    assert inside(word).kind is WORDS[word]
    assert (
        classify_inside(read_error({"metadata": {"error_type": word}}), NOWHERE).kind
        is (WORDS[word])
    )


STREAM = Circumstances(now=NOW, in_stream=True)


@pytest.mark.parametrize("code", [*range(400, 500), "401", "429"])
def test_a_4xx_code_inside_a_stream_is_a_providers_and_neither_stops_nor_waits(code):
    assert inside(code, around=STREAM).kind is Kind.BAD_REQUEST
    assert inside(code, "Key limit exceeded", STREAM).kind is Kind.BAD_REQUEST
    assert inside(code, "x is not a valid model ID", STREAM).kind is Kind.BAD_REQUEST
    daily = inside(code, "no", STREAM, limit_source="openrouter_free_tier_daily")
    assert daily.kind is Kind.BAD_REQUEST
    assert daily.status == int(code)


@pytest.mark.parametrize("code", [400, 403, 413, 429, "permission_denied"])
@pytest.mark.parametrize(
    ("message", "metadata", "kind"),
    [
        ("This endpoint's maximum context length is 8192 tokens", {}, Kind.CONTEXT_TOO_LONG),
        ("no", {"error_type": "context_length_exceeded"}, Kind.CONTEXT_TOO_LONG),
        ("no", {"error_type": "content_policy_violation"}, Kind.MODERATED),
        ("no", {"reasons": ["violence"]}, Kind.MODERATED),
        ("Your input was flagged", {}, Kind.MODERATED),
    ],
)
def test_the_words_of_a_4xx_code_inside_a_stream_still_count(code, message, metadata, kind):
    assert inside(code, message, STREAM, **metadata).kind is kind


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_code_in_words_that_means_a_4xx_is_a_providers_too_inside_a_stream(word):
    kind = inside(word, around=STREAM).kind
    kept = {
        Kind.CONTEXT_TOO_LONG,
        Kind.MODERATED,
        Kind.UPSTREAM_ERROR,
        Kind.OVERLOADED,
        Kind.TIMEOUT,
    }
    assert kind is (WORDS[word] if WORDS[word] in kept else Kind.BAD_REQUEST)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 524, 529])
def test_a_5xx_code_has_its_kind_inside_a_stream_too(status):
    assert inside(status, around=STREAM).kind is inside(status).kind


@pytest.mark.parametrize("code", [None, "gremlins", 0, 7, -1, 200, 1e9, [], {}])
def test_a_code_that_says_nothing_is_an_upstream_error_inside_a_200(code):
    failure = inside(code)
    assert failure.kind is Kind.UPSTREAM_ERROR
    assert failure.status == 200


def test_an_exhausted_daily_quota_knows_when_it_returns():
    reset = 1_795_478_400_000
    failure = refused(
        429,
        "Rate limit exceeded: free-models-per-day.",
        headers={"X-RateLimit-Limit": "50", "X-RateLimit-Reset": str(reset)},
    )
    assert failure.resets_at_ms == reset
    assert failure.retry_after_s is None


def test_a_minute_quota_without_retry_after_waits_for_its_reset():
    reset = int(NOW.timestamp() * 1000) + 12_500
    around = Circumstances(headers={"X-RateLimit-Reset": str(reset)}, now=NOW)
    assert refused(429, "free-models-per-min", around).retry_after_s == 12.5


def test_what_the_credit_affords_is_read_and_beats_the_limit_it_names():
    failure = refused(
        402,
        "This request requires more credits, or fewer max_tokens. You requested up to 4,000 "
        "tokens, but can only afford 1,234. To increase, visit …",
        limit_source="openrouter_key_limit",
        reason="weight_exceeds_budget",
    )
    assert failure.kind is Kind.INSUFFICIENT_CREDIT
    assert failure.affordable_tokens == 1234


CAPPED = Circumstances(price_capped=True)


def test_a_404_about_the_price_blames_our_cap_only_if_we_sent_one():
    message = "No endpoints found that match your max price"
    assert refused(404, message, CAPPED).price_capped
    assert not refused(404, message).price_capped


def test_a_404_whose_routing_failed_at_the_price_blames_our_cap():
    assert refused(404, "no", CAPPED, failed_routing_step="Filter by Max Price").price_capped
    funnel = [
        {"step": "Filter by Data Policy", "endpoint_count": 3},
        {"step": "Filter by Max Price", "endpoint_count": 0},
    ]
    assert refused(404, "no", CAPPED, routing_funnel=funnel).price_capped


def test_a_404_for_another_reason_does_not_blame_our_cap():
    failure = refused(404, "no", CAPPED, failed_routing_step="Filter by Data Policy")
    assert not failure.price_capped


def test_the_message_is_the_upstreams_own_on_one_line():
    assert refused(400, "bad\n  things\thappen").message == "bad things happen"


@pytest.mark.parametrize(
    "raw",
    [
        "slow down",
        '{"error":{"message":"slow down"}}',
        {"error": {"message": "slow down"}},
        {"message": "slow down"},
        '{"error":"slow down"}',
        {"detail": "slow down"},
    ],
)
def test_a_generic_message_is_completed_by_the_providers_words(raw):
    failure = refused(429, "Provider returned error", raw=raw, provider_name="Google")
    assert failure.message == "Provider returned error (Google): slow down"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "HTTP 502 (Bad Gateway)"),
        (b"<html><h1>502</h1></html>", "HTTP 502 (Bad Gateway) with an HTML page"),
        (b"upstream\nconnect error", "upstream connect error"),
        (b"{}", "HTTP 502 (Bad Gateway)"),
        (b'{"error":null}', "HTTP 502 (Bad Gateway)"),
        (b'{"error":"boom"}', "boom"),
        (b'{"detail":"boom"}', "boom"),
        (b'{"detail":[{"msg":"a"},{"msg":"b"}]}', "a; b"),
        (b'{"message":"boom"}', "boom"),
        (b'{"success":false,"error":{"name":"ZodError","message":"[]"}}', "[]"),
        (b"[1,2]", "[1,2]"),
        (b'{"error":', '{"error":'),
        (b"\xff\xfe\x00", "\ufffd\ufffd\ufffd"),
    ],
)
def test_a_body_of_any_shape_gives_a_message(body, message):
    failure = classify_status(502, read_body(body), around=NOWHERE)
    assert failure.kind is Kind.UPSTREAM_ERROR
    assert failure.message == message


def test_a_status_without_a_name_still_gives_a_message():
    assert classify_status(524, Complaint(), around=NOWHERE).message == "HTTP 524"


@given(st.integers(100, 999), st.binary(max_size=200))
def test_no_status_with_any_body_is_without_a_kind_and_a_message(status, body):
    failure = classify_status(status, read_body(body), around=NOWHERE)
    assert failure.message
    assert len(failure.message) <= 500


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "code",
                        "message",
                        "metadata",
                        "raw",
                        "headers",
                        "retry_after_seconds",
                        "error_type",
                        "reasons",
                        "routing_funnel",
                        "X-RateLimit-Reset",
                        "resets_at",
                    ]
                ),
                inner,
            ),
        ),
        max_leaves=15,
    )
)
def test_no_error_value_is_too_odd_to_classify(value):
    failure = classify_inside(read_error(value), NOWHERE)
    assert failure.message
    assert failure.phase is Phase.BEFORE_STREAM
