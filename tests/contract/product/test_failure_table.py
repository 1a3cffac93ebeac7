"""Every row of the failure table, over TCP, against an upstream that nobody of us wrote."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.contract.product.asking import A, B, C, ask, codes_of, failures_of, kinds_of, opened
from tests.contract.product.upstream import (
    DONE,
    USAGE,
    Act,
    Play,
    Upstream,
    before_head,
    ending,
    frame,
    refusal,
    says,
    streamed,
    whole,
)
from tests.contract.product.upstream import row as listed_as


@dataclass
class Row:
    """What the world does, and what is to come of it.

    `tries` is how often the model is asked with a backup left, `alone` without.
    """

    play: Play
    kind: str
    status: int | None = None
    phase: str = "before_stream"
    tries: int = 1
    alone: int = 1
    cost: str = "not_billed"
    code: int = 4
    settings: dict[str, Any] = field(default_factory=dict)


def error_200(**error: object) -> Play:
    return whole("200 OK", json.dumps({"error": error, "user_id": "u"}).encode())


def error_event(**error: object) -> bytes:
    return b"data: " + json.dumps({"id": "gen-1", "error": error}).encode() + b"\n\n"


PLENTY = {"tries": 3, "alone": 3}
MIDWAY = {"phase": "mid_stream", "tries": 1, "alone": 2}
HELLO = frame("Hello")
MODERATION = {"reasons": ["violence"], "flagged_input": "pi...ng", "provider_name": "Acme"}
SOFT_402 = {"reason": "in_flight_budget_exhausted", "limit_source": "openrouter_in_flight_budget"}
TOO_LONG = "This endpoint's maximum context length is 16 tokens. However, you requested about 99"
OVERDUE = {"headers_timeout_s": 0.15}
MUTE = {"first_text_timeout_s": 0.15}
STALLS = {"text_stall_timeout_s": 0.15}
DEAD = {"liveness_timeout_s": 0.15}

ROWS = {
    "400": Row(refusal(400, "temperature is too hot"), "bad_request", 400, code=2),
    "400 context": Row(refusal(400, TOO_LONG), "context_too_long", 400),
    "400 context by type": Row(
        refusal(400, "no", metadata={"error_type": "context_length_exceeded"}),
        "context_too_long",
        400,
    ),
    "400 no model": Row(refusal(400, f"{A} is not a valid model ID"), "model_unavailable", 400),
    "403 moderation": Row(refusal(403, "no", metadata=MODERATION), "moderated", 403),
    "403 guardrail": Row(
        refusal(403, "Request blocked: prompt injection patterns detected"), "moderated", 403
    ),
    "403 other": Row(refusal(403, "not in your country"), "forbidden", 403),
    "404": Row(refusal(404, f"No endpoints found for {A}."), "model_unavailable", 404),
    "408": Row(refusal(408, "slow"), "timeout", 408, **PLENTY),
    "409": Row(refusal(409, "conflict"), "bad_request", 409, code=2),
    "413": Row(refusal(413, "big"), "bad_request", 413, code=2),
    "422": Row(refusal(422, "what"), "bad_request", 422, code=2),
    "418": Row(refusal(418, "teapot"), "bad_request", 418, code=2),
    "429": Row(refusal(429, "slow down", "Retry-After: 0"), "rate_limited", 429, **PLENTY),
    "500": Row(refusal(500), "upstream_error", 500, **PLENTY),
    "502": Row(refusal(502, "Provider returned error"), "upstream_error", 502, **PLENTY),
    "503": Row(refusal(503, "overloaded"), "overloaded", 503, **PLENTY),
    "503 nobody": Row(
        refusal(503, "There is no available provider that meets your routing requirements"),
        "no_provider",
        503,
        tries=2,
        alone=2,
    ),
    "504": Row(refusal(504), "timeout", 504, **PLENTY),
    "524": Row(whole("524 A", b"<html>late</html>", kind="text/html"), "timeout", 524, **PLENTY),
    "529": Row(refusal(529), "overloaded", 529, **PLENTY),
    "599": Row(refusal(599), "upstream_error", 599, **PLENTY),
    "502 HTML": Row(
        whole("502 Bad", b"<!DOCTYPE html><h1>Bad</h1>", kind="text/html"),
        "upstream_error",
        502,
        **PLENTY,
    ),
    "500 gzip": Row(
        whole("500 Bad", gzip.compress(b'{"error":{}}'), "Content-Encoding: gzip"),
        "upstream_error",
        500,
        **PLENTY,
    ),
    "500 empty": Row(whole("500 Bad", b""), "upstream_error", 500, **PLENTY),
    "500 no UTF-8": Row(whole("500 B", b'{"error":"\xff\xfe"'), "upstream_error", 500, **PLENTY),
    "302": Row(whole("302 Found", b"", "Location: /x"), "bad_response", 302, **PLENTY),
    "200 HTML": Row(
        whole("200 OK", b"<html>hi</html>", kind="text/html"),
        "bad_response",
        200,
        cost="estimated",
        **PLENTY,
    ),
    "200 no JSON": Row(
        whole("200 OK", b'{"choices": ['), "bad_response", 200, cost="estimated", **PLENTY
    ),
    "200 error": Row(error_200(code=502, message="x"), "upstream_error", 502, **PLENTY),
    "200 error text code": Row(
        error_200(code="server_error", message="x"), "upstream_error", 200, **PLENTY
    ),
    "200 error in the choice": Row(
        whole(
            "200 OK",
            b'{"choices":[{"index":0,"finish_reason":"error","error":{"code":502,"message":"x"},'
            b'"message":{"role":"assistant","content":""}}]}',
        ),
        "upstream_error",
        502,
        **PLENTY,
    ),
    "first event is an error": Row(
        streamed(error_event(code=500, message="x"), DONE), "upstream_error", 500, **PLENTY
    ),
    "first event is an error of 529": Row(
        streamed(error_event(code=529, message="x"), DONE), "overloaded", 529, **PLENTY
    ),
    "first event is a 400": Row(
        streamed(error_event(code=400, message="x")), "bad_request", 400, code=2
    ),
    "first event is a 429": Row(
        streamed(error_event(code=429, message="x"), DONE), "bad_request", 429, code=2
    ),
    "reset before the head": Row(before_head(Act.RESET), "network", cost="estimated", **PLENTY),
    "closed before the head": Row(before_head(Act.CLOSE), "network", cost="estimated", **PLENTY),
    "no head": Row(before_head(Act.HOLD), "timeout", cost="estimated", settings=OVERDUE, **PLENTY),
    "no text": Row(
        streamed(frame(), Act.HOLD), "timeout", cost="estimated", settings=MUTE, **PLENTY
    ),
    "cut before text": Row(streamed(frame()), "cut_stream", 200, cost="estimated", **MIDWAY),
    "cut after text": Row(streamed(HELLO), "cut_stream", 200, cost="estimated", **MIDWAY),
    "closed after text": Row(
        streamed(HELLO, Act.CLOSE), "cut_stream", 200, cost="estimated", **MIDWAY
    ),
    "reset after text": Row(
        streamed(HELLO, 0.02, Act.RESET), "cut_stream", 200, cost="estimated", **MIDWAY
    ),
    "stall": Row(streamed(HELLO, Act.HOLD), "timeout", cost="estimated", settings=STALLS, **MIDWAY),
    "dead silence": Row(
        streamed(HELLO, Act.HOLD), "timeout", cost="estimated", settings=DEAD, **MIDWAY
    ),
    "error in mid-stream": Row(
        streamed(HELLO, frame(finish="error", error={"code": 502, "message": "lost"})),
        "upstream_error",
        502,
        cost="estimated",
        **MIDWAY,
    ),
    "error in mid-stream, dialect of 2025": Row(
        streamed(
            HELLO, frame(error={"code": "server_error", "message": "lost"}, usage=USAGE), DONE
        ),
        "upstream_error",
        200,
        cost="reported",
        **MIDWAY,
    ),
    "400 in mid-stream": Row(
        streamed(HELLO, frame(finish="error", error={"code": 400, "message": "no"})),
        "bad_request",
        400,
        phase="mid_stream",
        cost="estimated",
        code=2,
    ),
    "error finish without an error": Row(
        streamed(HELLO, *ending(None, finish="error")),
        "upstream_error",
        200,
        cost="estimated",
        **MIDWAY,
    ),
    "content filter": Row(
        streamed(HELLO, *ending(finish="content_filter")),
        "moderated",
        200,
        phase="mid_stream",
        cost="reported",
    ),
    "a refusal": Row(
        streamed(frame("", refusal="I will not."), *ending()),
        "moderated",
        200,
        phase="mid_stream",
        cost="reported",
    ),
    "reasoning ate the budget": Row(
        streamed(frame("", reasoning="Hm"), *ending(finish="length")),
        "empty_answer",
        200,
        tries=2,
        alone=2,
        cost="reported",
    ),
    "an event that is not JSON": Row(
        streamed(HELLO, b"data: {oops\n\n", *ending()),
        "bad_response",
        200,
        cost="estimated",
        **MIDWAY,
    ),
    "a line of two megabytes": Row(
        streamed(HELLO, b"data: " + b"x" * 2_000_000),
        "bad_response",
        200,
        cost="estimated",
        **MIDWAY,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_row_behaves_as_written_with_a_backup_and_without(name, tmp_path):
    row = ROWS[name]
    upstream = Upstream({A: [row.play], C: [row.play], B: [says("rescued")]})
    report, code = ask(
        upstream, tmp_path, settings=row.settings, models=[A, C], backups={A: [B]}, deadline_s=30
    )
    assert upstream.asked == {A: row.tries, B: 1, C: row.alone}
    saved, lost = report["slots"]
    assert kinds_of(saved) == [row.kind] * row.tries
    assert kinds_of(lost) == [row.kind] * row.alone
    for failure in failures_of(saved) + failures_of(lost):
        assert (failure["phase"], failure["status"]) == (row.phase, row.status)
    remedies = [failure["remedy"] for failure in failures_of(saved)]
    assert remedies == ["retry"] * (row.tries - 1) + ["next_candidate"]
    remedies = [failure["remedy"] for failure in failures_of(lost)]
    assert remedies == ["retry"] * (row.alone - 1) + ["give_up_slot"]
    assert saved["answer"]["text"] == "rescued"
    assert (saved["answered_by"], saved["fallback"], saved["primary"]) == (B, True, A)
    assert "fallback_used" in codes_of(report)
    assert {a["cost_state"] for a in lost["attempts"]} == {row.cost}
    if row.cost == "not_billed":
        assert lost["cost_usd"] == "0"
    assert report["status"] == "degraded"
    assert code == 3


@pytest.mark.parametrize("name", ROWS)
def test_where_nobody_answers_the_exit_code_says_so(name, tmp_path):
    row = ROWS[name]
    settings = {**row.settings, "max_attempts": 1}
    report, code = ask(Upstream({A: [row.play]}), tmp_path, settings=settings, models=[A])
    assert (report["status"], code) == ("failed", row.code)
    assert report["slots"][0]["failure"]["kind"] == row.kind


def test_what_had_arrived_of_a_cut_stream_is_kept_beside_it(tmp_path):
    play = streamed(frame("", reasoning="Hm"), frame("Hel"), frame("lo"), 0.05, Act.RESET)
    upstream = Upstream({A: [play]})
    report, _ = ask(upstream, tmp_path, models=[A], backups={A: [B]})
    attempt, answer = report["slots"][0]["attempts"]
    assert attempt["partial"] == {"text": "Hello", "reasoning": "Hm"}
    assert attempt["generation_id"] == "gen-1790000000-AbCdEfGhIjKlMnOpQrSt"
    assert answer["partial"] is None
    assert report["cost_known"] is False


def test_an_empty_answer_is_asked_again_with_more_tokens_and_a_notice(tmp_path):
    empty = streamed(frame("", reasoning="Hm"), *ending(finish="length"))
    upstream = Upstream({A: [empty, says("now")]})
    report, code = ask(upstream, tmp_path, models=[A], max_tokens=500)
    first, second = (call.body["max_tokens"] for call in upstream.calls)
    assert first == 500
    assert second > first
    assert "max_tokens_raised" in codes_of(report)
    assert report["slots"][0]["answer"]["text"] == "now"
    assert code == 0


def test_a_context_too_long_goes_to_a_candidate_whose_window_holds_it(tmp_path):
    upstream = Upstream({A: [refusal(400, TOO_LONG)]})
    upstream.listed(A, C)
    upstream.rows.append(listed_as(B, context_length=40, top_provider={"context_length": 40}))
    report, _ = ask(upstream, tmp_path, models=[A], backups={A: [B, C]})
    assert upstream.asked == {A: 1, C: 1}
    assert report["slots"][0]["answered_by"] == C


def test_a_model_that_was_withdrawn_is_not_asked_again_with_this_catalogue(tmp_path):
    upstream = Upstream({A: [refusal(404, f"No endpoints found for {A}.")]})

    async def run():
        async with opened(upstream, tmp_path) as product:
            for _ in range(2):
                report = await product.ask("ping", models=[A], backups={A: [B]})
                assert report.slots[0].answered_by == B
            return report

    report = asyncio.run(run())
    assert upstream.asked == {A: 1, B: 2}
    assert "model_not_ready" in codes_of(report.to_dict())


def test_soft_402_waits_as_long_as_it_is_told_and_succeeds(tmp_path):
    soft = refusal(402, "in-flight", "Retry-After: 1", metadata=SOFT_402)
    upstream = Upstream({A: [soft, says("paid")]})
    report, code = ask(upstream, tmp_path, models=[A])
    assert kinds_of(report["slots"][0]) == ["in_flight_budget"]
    assert failures_of(report["slots"][0])[0]["retry_after_s"] == 1
    assert upstream.gaps_of(A)[0] >= 1.0
    assert code == 0
