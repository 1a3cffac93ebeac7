"""`HttpUpstream.send` over real TCP: every dialect, every way in which a wire can break."""

import asyncio
import contextlib
import gzip
import json
import ssl
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
import trustme
from tests.contract.upstream.rawserver import (
    END,
    answering,
    chunk,
    head,
    raw_server,
    streaming,
    tcp_server,
)

from ultrai.domain.attempt import AttemptRequest, PriceCap, Timers
from ultrai.domain.outcome import FailureKind as Kind
from ultrai.domain.outcome import Phase, Usage
from ultrai.domain.query import Message, Sampling
from ultrai.domain.secret import MASK, Secret
from ultrai.upstream import incoming as incoming_module
from ultrai.upstream.client import HttpUpstream, UpstreamConfig
from ultrai.upstream.session import open_session

KEY = "sk-or-v1-0123456789abcdefcanary"
DONE = b"data: [DONE]\n\n"
QUIET = Timers(headers_s=5, first_text_s=5, text_stall_s=5, liveness_s=5)


class Heard:
    """An Observer that keeps what it was told."""

    def __init__(self):
        self.heads = []
        self.deltas = []

    def head_arrived(self, generation_id):
        self.heads.append(generation_id)

    def delta_arrived(self, text, reasoning):
        assert text or reasoning
        self.deltas.append((text, reasoning))

    @property
    def text(self):
        return "".join(text for text, _ in self.deltas)

    @property
    def reasoning(self):
        return "".join(reasoning for _, reasoning in self.deltas)


def request(*, stream=True, timers=QUIET, **rest):
    return AttemptRequest(
        model="x/y",
        messages=(Message("user", "hi"),),
        sampling=Sampling(),
        stream=stream,
        timers=timers,
        **rest,
    )


def config(base_url, **rest):
    settings = {"key": Secret(KEY), "is_openrouter": True, **rest}
    return UpstreamConfig(name="openrouter", base_url=base_url, **settings)


def asked(*scripts, wanted=None, **rest):
    """What one Attempt on a server with these scripts brings home, and what was heard."""

    async def run():
        heard = Heard()
        async with raw_server(*scripts) as server, open_session() as session:
            upstream = HttpUpstream(config(server.base_url, **rest), session)
            received = await upstream.send(wanted or request(), heard)
        assert (received.answer is None) != (received.failure is None)
        if received.answer is not None and received.streamed:
            assert heard.text == received.answer.text
            assert heard.reasoning == (received.answer.reasoning or "")
        return received, heard

    return asyncio.run(run())


def frame(content="", finish=None, usage=None, choices=None, **rest):
    delta = {"role": "assistant", "content": content, **rest}
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish}
    shape = {
        "id": "gen-1790000000-AbCdEfGhIjKlMnOpQrSt",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "x/y-2026",
        "provider": "P",
        "choices": [choice] if choices is None else choices,
    }
    if usage is not None:
        shape["usage"] = usage
    return b"data: " + json.dumps(shape).encode() + b"\n\n"


def error_frame(code, message, **top):
    return (
        b"data: "
        + json.dumps({"error": {"code": code, "message": message}, **top}).encode()
        + (b"\n\n")
    )


def whole(content="pong", finish="stop", **rest):
    message = {"role": "assistant", "content": content, "refusal": None, "reasoning": None}
    shape = {
        "id": "gen-1",
        "model": "x/y",
        "provider": "P",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        "usage": USAGE,
        **rest,
    }
    return json.dumps(shape).encode()


USAGE = {
    "prompt_tokens": 16,
    "completion_tokens": 4,
    "total_tokens": 20,
    "cost": 5.500000000000001e-05,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
COUNTED = Usage(16, 4, 2, 3)
COMMENT = b": OPENROUTER PROCESSING\n\n"


async def forever(wire):
    await wire.until_left()


async def reset(wire):
    wire.reset()


async def close(wire):
    wire.writer.close()


# --- answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tail",
    [
        [frame("", "stop"), frame("", None, usage=USAGE), DONE],
        [frame("", "stop"), frame(choices=[], usage=USAGE), DONE],
        [frame("", "stop"), frame("", "stop", usage=USAGE), DONE],
        [frame("", "stop", usage=USAGE), DONE],
        [frame("", "stop"), COMMENT, frame("", "stop", usage=USAGE)],
        [frame("", "stop"), frame("", "stop", usage=USAGE), b"data: [DONE]"],
    ],
    ids=["2025", "spring-2026", "2026", "with-finish", "without-done", "no-last-blank-line"],
)
def test_every_dialect_of_the_end_gives_the_same_answer(tail):
    received, heard = asked(streaming(COMMENT, COMMENT, frame("Hel"), COMMENT, frame("lo"), *tail))
    answer = received.answer
    assert (answer.text, answer.finish_reason, answer.truncated) == ("Hello", "stop", False)
    assert (answer.model, answer.provider) == ("x/y-2026", "P")
    assert answer.generation_id == received.generation_id == "gen-1790000000-AbCdEfGhIjKlMnOpQrSt"
    assert received.usage == COUNTED
    assert received.cost_raw == "5.500000000000001e-05"
    assert received.streamed
    assert received.sent
    assert heard.heads == [None]


def test_a_stream_cut_into_single_bytes_gives_the_same_answer():
    stream = COMMENT + frame("Grüße 😀") + frame("", "stop", usage=USAGE) + DONE

    async def script(wire, request):
        await wire.send(head())
        await wire.send(*(chunk(stream[i : i + 1]) for i in range(len(stream))), END)

    received, _ = asked(script)
    assert received.answer.text == "Grüße 😀"
    assert received.usage == COUNTED


def test_a_whole_stream_in_one_read_is_one_delta():
    async def script(wire, request):
        body = b"".join(map(chunk, [frame("a"), frame("b"), frame("c", "stop"), DONE])) + END
        await wire.send(head() + body)

    received, heard = asked(script)
    assert received.answer.text == "abc"
    assert heard.deltas == [("abc", "")]


def test_reasoning_is_told_apart_from_text():
    received, heard = asked(
        streaming(
            frame("", reasoning="Hm", reasoning_details=[{"type": "reasoning.text", "text": "Hm"}]),
            frame("", reasoning_content=" ja"),
            frame("4", reasoning=None, reasoning_details=[]),
            frame("", "stop"),
            DONE,
        )
    )
    assert received.answer.reasoning == "Hm ja"
    assert [delta for delta in heard.deltas if delta[0]] == [("4", "")]


def test_the_generation_id_of_the_head_is_known_at_the_head():
    async def script(wire, request):
        await wire.send(head("200 OK", "text/event-stream", "X-Generation-Id: gen-head"))
        await wire.send(chunk(frame("a", "stop")), chunk(DONE), END)

    received, heard = asked(script)
    assert heard.heads == ["gen-head"]
    assert received.answer.generation_id == received.generation_id == "gen-head"


@pytest.mark.parametrize("body", [whole(), b"\n\n   " + whole(), b"\xef\xbb\xbf" + whole()])
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_in_one_piece_is_understood_also_where_a_stream_was_asked(body, stream):
    received, heard = asked(answering("200 OK", body), wanted=request(stream=stream))
    assert received.answer.text == "pong"
    assert received.usage == COUNTED
    assert received.cost_raw == "5.500000000000001e-05"
    assert not received.streamed
    assert heard.deltas == []


@pytest.mark.parametrize("content_type", ["text/event-stream", "text/plain", "application/json"])
def test_a_stream_is_known_by_its_bytes_whatever_its_content_type(content_type):
    body = frame("a") + frame("b", "stop") + DONE
    received, _ = asked(
        answering("200 OK", body, content_type=content_type), wanted=request(stream=False)
    )
    assert received.answer.text == "ab"
    assert received.streamed


@pytest.mark.parametrize("then", [reset, close, None], ids=["reset", "closed", "ended"])
def test_an_answer_that_has_finished_stands_whatever_the_wire_does_next(then):
    received, _ = asked(streaming(frame("Hel"), frame("lo", "stop"), then=then))
    assert received.answer.text == "Hello"
    assert received.usage == Usage()
    assert received.cost_raw is None


def test_an_answer_and_its_end_that_arrive_together_with_a_reset_are_not_lost():
    async def script(wire, request):
        wire.writer.write(head() + chunk(frame("Hel")) + chunk(frame("lo", "stop")) + chunk(DONE))
        await wire.writer.drain()
        wire.reset()

    received, _ = asked(script)
    assert received.answer.text == "Hello"


def test_an_error_after_a_finish_leaves_the_answer_standing_as_truncated():
    received, _ = asked(
        streaming(
            frame("Hello", "length"),
            error_frame(400, "Token limit reached", choices=[], usage=USAGE),
            DONE,
        )
    )
    assert received.answer.truncated
    assert received.usage == COUNTED


def test_a_server_that_never_closes_after_done_is_left_in_time(monkeypatch):
    monkeypatch.setattr(incoming_module, "DRAIN_WAIT_S", 0.05)
    received, _ = asked(streaming(frame("a", "stop"), DONE, then=forever))
    assert received.answer.text == "a"


def test_usage_that_never_comes_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(incoming_module, "USAGE_WAIT_S", 0.05)
    received, _ = asked(streaming(frame("a", "stop"), then=forever))
    assert received.answer.text == "a"
    assert received.usage == Usage()


def test_an_endless_stream_after_done_is_left():
    async def pour(wire):
        with contextlib.suppress(ConnectionError):
            while not wire.writer.is_closing():
                await wire.send(chunk(b": more\n" * 1000))

    received, _ = asked(streaming(frame("a", "stop"), DONE, then=pour))
    assert received.answer.text == "a"


# --- what is sent ----------------------------------------------------------------------------


def test_the_request_carries_key_attribution_and_nothing_it_should_not():
    sent = {}

    async def run():
        async with (
            raw_server(answering("200 OK", whole())) as server,
            open_session() as session,
        ):
            attribution = {"HTTP-Referer": "https://ultr.ai", "X-OpenRouter-Title": "UltrAI"}
            settings = config(server.base_url, headers=attribution, user_agent="ultrai/1.2")
            cap = PriceCap(Decimal(1), Decimal(2))
            await HttpUpstream(settings, session).send(request(price_cap=cap), Heard())
            sent["request"] = server.requests[0]

    asyncio.run(run())
    wire = sent["request"]
    assert wire.head.startswith(b"POST /api/v1/chat/completions HTTP/1.1\r\n")
    assert wire.header("authorization") == f"Bearer {KEY}"
    assert wire.header("http-referer") == "https://ultr.ai"
    assert wire.header("x-openrouter-title") == "UltrAI"
    assert wire.header("accept-encoding") == "identity"
    assert wire.header("content-type") == "application/json"
    assert wire.header("user-agent") == "ultrai/1.2"
    assert wire.header("cookie") is None
    body = json.loads(wire.body)
    assert body["max_tokens"] == 1000
    assert body["provider"] == {"max_price": {"prompt": "1", "completion": "2"}}


def test_a_key_that_no_header_may_carry_is_never_sent_and_never_shown():
    bad = "sk-or-v1-abc\r\nX-Evil: 1"
    received, _ = asked(answering("200 OK", whole()), key=Secret(bad))
    assert received.failure.kind is Kind.AUTH
    assert not received.sent
    assert "abc" not in received.failure.message


def test_one_connection_serves_attempt_after_attempt():
    async def run():
        scripts = [
            streaming(frame("a", "stop"), DONE),
            answering("429 Too Many Requests", b'{"error":{"message":"slow","code":429}}'),
            streaming(error_frame(502, "gone")),
            answering("200 OK", whole()),
            streaming(frame("b", "stop"), frame(choices=[], usage=USAGE), DONE),
        ]
        count = len(scripts)
        async with raw_server(*scripts) as server, open_session() as session:
            upstream = HttpUpstream(config(server.base_url), session)
            for _ in range(count):
                await upstream.send(request(), Heard())
            return server.connections, len(server.requests)

    assert asyncio.run(run()) == (1, 5)


# --- refusals --------------------------------------------------------------------------------


def test_cookies_are_not_kept():
    async def run():
        cookie = "Set-Cookie: __cf_bm=x; Path=/"
        async with (
            raw_server(answering("200 OK", whole(), cookie)) as server,
            open_session() as session,
        ):
            upstream = HttpUpstream(config(server.base_url), session)
            await upstream.send(request(), Heard())
            await upstream.send(request(), Heard())
            return server.requests[1].header("cookie")

    assert asyncio.run(run()) is None


def test_a_prompt_of_megabytes_is_sent_whole_and_without_a_warning():
    async def run():
        async with (
            raw_server(answering("200 OK", whole())) as server,
            open_session() as session,
        ):
            wanted = AttemptRequest("x/y", (Message("user", "x" * 3_000_000),), Sampling())
            received = await HttpUpstream(config(server.base_url), session).send(wanted, Heard())
            return received, len(server.requests[0].body)

    received, sent_bytes = asyncio.run(run())
    assert received.answer.text == "pong"
    assert sent_bytes > 3_000_000


def error_body(code, message, **metadata):
    return json.dumps({"error": {"code": code, "message": message, "metadata": metadata}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        ("400 Bad Request", error_body(400, "q is not a valid model ID"), Kind.MODEL_UNAVAILABLE),
        ("401 Unauthorized", error_body(401, "User not found."), Kind.AUTH),
        (
            "402 Payment Required",
            error_body(402, "Insufficient credits."),
            Kind.INSUFFICIENT_CREDIT,
        ),
        ("403 Forbidden", error_body(403, "flagged", reasons=["x"]), Kind.MODERATED),
        ("403 Forbidden", error_body(403, "Key limit exceeded (total limit)"), Kind.KEY_LIMIT),
        ("404 Not Found", error_body(404, "No endpoints found for q."), Kind.MODEL_UNAVAILABLE),
        ("408 Request Timeout", b"", Kind.TIMEOUT),
        ("500 Internal Server Error", b"oops", Kind.UPSTREAM_ERROR),
        ("502 Bad Gateway", b"<html>cloudflare</html>", Kind.UPSTREAM_ERROR),
        ("503 Service Unavailable", error_body(503, "overloaded"), Kind.OVERLOADED),
        ("524 A Timeout Occurred", b"<html>", Kind.TIMEOUT),
        ("529 Site is overloaded", b"", Kind.OVERLOADED),
        ("204 No Content", b"", Kind.CUT_STREAM),
    ],
)
def test_a_refusal_has_the_kind_of_its_status(status, body, kind):
    async def script(wire, request):
        length = f"Content-Length: {len(body)}\r\n" if body else "Content-Length: 0\r\n"
        if status.startswith("204"):
            length = ""
        await wire.send(f"HTTP/1.1 {status}\r\n{length}\r\n".encode() + body)

    received, heard = asked(script)
    assert received.failure.kind is kind
    assert received.failure.message
    if kind is not Kind.CUT_STREAM:
        assert received.failure.phase is Phase.BEFORE_STREAM
        assert received.failure.status == int(status[:3])
        assert heard.heads == []


def test_waiting_times_are_read_from_headers_and_dates_are_held_against_the_servers_clock():
    skewed = datetime(2031, 1, 1, tzinfo=UTC)
    received, _ = asked(
        answering(
            "429 Too Many Requests",
            error_body(429, "slow"),
            f"Date: {format_datetime(skewed, usegmt=True)}",
            f"Retry-After: {format_datetime(skewed + timedelta(seconds=42), usegmt=True)}",
        )
    )
    assert received.failure.kind is Kind.RATE_LIMITED
    assert received.failure.retry_after_s == 42


def test_a_refusal_after_routing_keeps_its_generation_id():
    received, _ = asked(
        answering("502 Bad Gateway", error_body(502, "x"), "X-Generation-Id: gen-9")
    )
    assert received.generation_id == "gen-9"


@pytest.mark.parametrize("then", [reset, close], ids=["reset", "closed"])
def test_a_refusal_whose_body_breaks_is_still_that_refusal(then):
    async def script(wire, request):
        await wire.send(head("429 Too Many", "application/json", length=500) + b'{"error":{"mess')
        await then(wire)

    received, _ = asked(script)
    assert received.failure.kind is Kind.RATE_LIMITED


def test_a_refusal_whose_body_never_ends_is_still_that_refusal(monkeypatch):
    monkeypatch.setattr(incoming_module, "ERROR_BODY_WAIT_S", 0.05)

    async def script(wire, request):
        await wire.send(head("401 Unauthorized", "application/json", length=500) + b"{")
        await wire.until_left()

    received, _ = asked(script)
    assert received.failure.kind is Kind.AUTH


def test_a_huge_refusal_is_not_read_to_its_end():
    async def script(wire, request):
        await wire.send(head("500 Oops", "text/plain"))
        with contextlib.suppress(ConnectionError):
            while not wire.writer.is_closing():
                await wire.send(chunk(b"x" * 50_000))

    received, _ = asked(script)
    assert received.failure.kind is Kind.UPSTREAM_ERROR
    assert len(received.failure.message) <= 500


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere():
    async def run():
        async with raw_server(answering("200 OK", whole())) as elsewhere:
            location = f"Location: {elsewhere.base_url}/chat/completions"
            script = answering("307 Temporary Redirect", b"", location)
            async with raw_server(script) as server, open_session() as session:
                received = await HttpUpstream(config(server.base_url), session).send(
                    request(), Heard()
                )
            return received, elsewhere.connections

    received, connections = asyncio.run(run())
    assert received.failure.kind is Kind.BAD_RESPONSE
    assert received.failure.status == 307
    assert connections == 0


# --- errors inside a 200 -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": "slow"}, Kind.RATE_LIMITED),
        ({"code": "429", "message": "slow"}, Kind.RATE_LIMITED),
        ({"code": 402, "message": "no credit"}, Kind.INSUFFICIENT_CREDIT),
        ({"code": 400, "message": "bad"}, Kind.BAD_REQUEST),
        ({"code": 502, "message": "gone"}, Kind.UPSTREAM_ERROR),
        ({"code": 529, "message": "full"}, Kind.OVERLOADED),
        ({"code": "server_error", "message": "gone"}, Kind.UPSTREAM_ERROR),
        ({"code": None, "message": "gone"}, Kind.UPSTREAM_ERROR),
        ({"message": "gone"}, Kind.UPSTREAM_ERROR),
        ("gone", Kind.UPSTREAM_ERROR),
    ],
)
def test_a_200_that_holds_only_an_error_is_that_error(error, kind):
    body = json.dumps({"error": error, "user_id": "u"}).encode()
    for stream in (True, False):
        received, _ = asked(answering("200 OK", body), wanted=request(stream=stream))
        assert (received.failure.kind, received.failure.phase) == (kind, Phase.BEFORE_STREAM)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": "slow"}, Kind.BAD_REQUEST),
        ({"code": "429", "message": "slow"}, Kind.BAD_REQUEST),
        ({"code": 402, "message": "no credit"}, Kind.BAD_REQUEST),
        ({"code": 401, "message": "no key"}, Kind.BAD_REQUEST),
        ({"code": 400, "message": "bad"}, Kind.BAD_REQUEST),
        ({"code": 400, "message": "the prompt is too long"}, Kind.CONTEXT_TOO_LONG),
        ({"code": 403, "message": "your input was flagged"}, Kind.MODERATED),
        ({"code": 502, "message": "gone"}, Kind.UPSTREAM_ERROR),
        ({"code": 529, "message": "full"}, Kind.OVERLOADED),
        ({"code": "server_error", "message": "gone"}, Kind.UPSTREAM_ERROR),
        ({"code": None, "message": "gone"}, Kind.UPSTREAM_ERROR),
        ("gone", Kind.UPSTREAM_ERROR),
    ],
)
def test_an_error_in_a_stream_is_a_providers_also_as_its_first_event(error, kind):
    body = json.dumps({"error": error, "user_id": "u"}).encode()
    received, heard = asked(streaming(COMMENT, b"data: " + body + b"\n\n"))
    assert (received.failure.kind, received.failure.phase) == (kind, Phase.BEFORE_STREAM)
    assert heard.deltas == []
    received, heard = asked(streaming(frame("Hel"), b"data: " + body + b"\n\n", DONE))
    assert (received.failure.kind, received.failure.phase) == (kind, Phase.MID_STREAM)
    assert heard.text == "Hel"


def test_a_documented_error_in_mid_stream_keeps_usage_and_id():
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    received, heard = asked(
        streaming(frame("Hel"), error_frame(502, "gone", choices=[choice], usage=USAGE))
    )
    assert received.failure.kind is Kind.UPSTREAM_ERROR
    assert received.failure.message == "gone"
    assert received.usage == COUNTED
    assert received.generation_id.startswith("gen-")
    assert heard.text == "Hel"


def test_an_error_in_the_choice_of_a_whole_body_keeps_the_partial_text():
    body = json.loads(whole("par", "error"))
    body["choices"][0]["error"] = {"code": 502, "message": "gone"}
    received, heard = asked(answering("200 OK", json.dumps(body).encode()))
    assert (received.failure.kind, received.failure.phase) == (
        Kind.UPSTREAM_ERROR,
        Phase.MID_STREAM,
    )
    assert heard.text == "par"


# --- broken wires ----------------------------------------------------------------------------


@pytest.mark.parametrize("then", [reset, close, None], ids=["reset", "half-chunk", "clean-end"])
@pytest.mark.parametrize("frames", [[], [COMMENT], [frame("Hel")]])
def test_a_stream_that_ends_before_its_end_is_cut(frames, then):
    received, heard = asked(streaming(*frames, then=then))
    assert received.failure.kind is Kind.CUT_STREAM
    assert received.failure.phase is Phase.MID_STREAM
    assert received.sent
    assert heard.heads == [None]
    assert heard.text == ("Hel" if frames and frames[0] != COMMENT else "")


def test_a_stream_cut_in_the_middle_of_a_frame_is_cut():
    received, heard = asked(streaming(frame("Hel"), frame("lo", "stop")[:-20]))
    assert received.failure.kind is Kind.CUT_STREAM
    assert heard.text == "Hel"


@pytest.mark.parametrize("then", [reset, close], ids=["reset", "closed"])
def test_a_whole_answer_that_breaks_off_is_cut(then):
    async def script(wire, request):
        await wire.send(head("200 OK", "application/json", length=5000) + whole()[:60])
        await then(wire)

    received, _ = asked(script, wanted=request(stream=False))
    assert received.failure.kind is Kind.CUT_STREAM


def test_a_whole_answer_that_is_all_there_survives_a_wrong_length():
    async def script(wire, request):
        await wire.send(head("200 OK", "application/json", length=5000) + whole())
        wire.writer.close()

    received, _ = asked(script, wanted=request(stream=False))
    assert received.answer.text == "pong"


@pytest.mark.parametrize("then", [reset, close], ids=["reset", "closed"])
def test_a_wire_that_breaks_before_the_head_is_the_network_and_may_have_been_billed(then):
    async def script(wire, request):
        await then(wire)

    received, heard = asked(script)
    assert received.failure.kind is Kind.NETWORK
    assert received.failure.phase is Phase.BEFORE_STREAM
    assert received.sent
    assert heard.heads == []


def test_a_kept_connection_that_the_server_has_closed_is_the_network():
    async def run():
        async with (
            raw_server(streaming(frame("a", "stop"), DONE)) as server,
            open_session() as session,
        ):
            upstream = HttpUpstream(config(server.base_url), session)
            await upstream.send(request(), Heard())
            server.scripts[:] = [lambda wire, request: reset(wire)]
            return await upstream.send(request(), Heard())

    received = asyncio.run(run())
    assert received.failure.kind is Kind.NETWORK
    assert received.sent


def send_to(base_url, *, session_options=None, **rest):
    async def run():
        async with open_session(**(session_options or {})) as session:
            return await HttpUpstream(config(base_url, **rest), session).send(request(), Heard())

    return asyncio.run(run())


def test_a_refused_connection_is_the_network_and_provably_not_sent():
    received = send_to("http://127.0.0.1:9/api/v1")
    assert received.failure.kind is Kind.NETWORK
    assert "127.0.0.1:9" in received.failure.message
    assert not received.sent


def test_a_name_that_does_not_exist_is_the_network_and_provably_not_sent():
    received = send_to("http://no-such-host.invalid/api/v1")
    assert received.failure.kind is Kind.NETWORK
    assert "no-such-host.invalid" in received.failure.message
    assert not received.sent


def test_a_proxy_that_is_not_there_is_the_network_and_provably_not_sent():
    received = send_to("http://example.invalid/api/v1", proxy="http://127.0.0.1:9")
    assert received.failure.kind is Kind.NETWORK
    assert "proxy" in received.failure.message
    assert not received.sent


def test_an_address_that_is_none_is_the_network_and_provably_not_sent():
    received = send_to("http://")
    assert received.failure.kind is Kind.NETWORK
    assert not received.sent


def test_requests_go_through_the_proxy():
    async def run():
        async with (
            raw_server(answering("200 OK", whole())) as proxy,
            open_session() as session,
        ):
            settings = config(
                "http://upstream.invalid/api/v1", proxy=f"http://127.0.0.1:{proxy.port}"
            )
            received = await HttpUpstream(settings, session).send(request(), Heard())
            return received, proxy.requests[0].head

    received, seen = asyncio.run(run())
    assert received.answer.text == "pong"
    assert seen.startswith(b"POST http://upstream.invalid/api/v1/chat/completions")


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def over_tls(authority, client_context):
    async def run():
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(server_context)

        async def serve(reader, writer):
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(head("200 OK", "application/json", length=len(whole())) + whole())
                await writer.drain()
                await reader.read()

        async with (
            tcp_server(serve, host="localhost", tls=server_context) as port,
            open_session(ssl_context=client_context) as session,
        ):
            settings = config(f"https://localhost:{port}/api/v1")
            return await HttpUpstream(settings, session).send(request(), Heard())

    return asyncio.run(run())


def test_a_certificate_of_a_known_authority_is_accepted(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    assert over_tls(authority, context).answer.text == "pong"


def test_a_certificate_of_an_unknown_authority_is_the_network_and_provably_not_sent(authority):
    received = over_tls(authority, None)
    assert received.failure.kind is Kind.NETWORK
    assert "certificate" in received.failure.message
    assert not received.sent


def test_plain_http_behind_an_https_address_is_the_network_and_provably_not_sent():
    async def run():
        async def serve(reader, writer):
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        async with tcp_server(serve) as port, open_session() as session:
            settings = config(f"https://127.0.0.1:{port}/api/v1")
            return await HttpUpstream(settings, session).send(request(), Heard())

    received = asyncio.run(run())
    assert received.failure.kind is Kind.NETWORK
    assert not received.sent


def test_a_connection_that_does_not_come_about_in_time_is_a_timeout_and_provably_not_sent():
    async def run():
        async def serve(reader, writer):
            await reader.read()  # TLS is never answered

        async with tcp_server(serve) as port, open_session() as session:
            settings = config(f"https://127.0.0.1:{port}/api/v1")
            wanted = request(timers=timers(connect_s=SHORT))
            return await HttpUpstream(settings, session).send(wanted, Heard())

    received = asyncio.run(run())
    assert received.failure.kind is Kind.TIMEOUT
    assert "connection" in received.failure.message
    assert not received.sent


# --- bad responses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<!doctype html><h1>Sign in</h1>", "text/html"),
        (b"<html>", "text/event-stream"),
        (b"Service is down", "text/plain"),
        (b"{", "application/json"),
        (b"{}", "application/json"),
        (b'{"choices":[]}', "application/json"),
        (b"[]", "application/json"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"data: {torn}\n\n", "text/event-stream"),
        (b"data: <html>\n\n", "text/event-stream"),
    ],
)
def test_a_200_that_is_no_answer_is_a_bad_response(body, content_type):
    received, _ = asked(answering("200 OK", body, content_type=content_type))
    assert received.failure.kind is Kind.BAD_RESPONSE
    assert received.failure.message


def test_an_empty_200_is_cut_as_a_stream_and_bad_in_one_piece():
    script = answering("200 OK", b"")
    assert asked(script)[0].failure.kind is Kind.CUT_STREAM
    whole_wanted = request(stream=False)
    assert asked(script, wanted=whole_wanted)[0].failure.kind is Kind.BAD_RESPONSE


@pytest.mark.parametrize(
    "noise",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HTTP/1.1 two hundred OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_bad_response_in_one_line(noise):
    async def script(wire, request):
        await wire.send(noise)
        wire.writer.close()

    received, _ = asked(script)
    assert received.failure.kind is Kind.BAD_RESPONSE
    assert "\n" not in received.failure.message


def test_a_chunk_length_that_is_none_ends_the_stream_by_its_timer_at_the_latest():
    async def script(wire, request):
        await wire.send(head(), chunk(frame("Hel")), b"zz\r\nnonsense\r\n")
        await wire.until_left()

    received, heard = asked(script, wanted=request(timers=timers(text_stall_s=SHORT)))
    assert received.failure.kind in (Kind.CUT_STREAM, Kind.TIMEOUT)
    assert received.failure.phase is Phase.MID_STREAM
    assert heard.text == "Hel"


def test_a_compressed_answer_is_read_although_none_was_asked_for():
    received, _ = asked(answering("200 OK", gzip.compress(whole()), "Content-Encoding: gzip"))
    assert received.answer.text == "pong"


def test_a_compression_that_is_none_is_a_bad_response():
    received, _ = asked(answering("200 OK", b"no gzip at all", "Content-Encoding: gzip"))
    assert received.failure.kind is Kind.BAD_RESPONSE


def test_a_gzip_bomb_is_stopped_at_the_cap(monkeypatch):
    monkeypatch.setattr(incoming_module, "MAX_BODY_BYTES", 1_000_000)
    bomb = gzip.compress(b"{" + b" " * 30_000_000)
    received, _ = asked(answering("200 OK", bomb, "Content-Encoding: gzip"))
    assert received.failure.kind is Kind.BAD_RESPONSE
    assert "larger" in received.failure.message


@pytest.mark.parametrize("line", [COMMENT * 500, frame("x" * 5_000)], ids=["comments", "text"])
def test_an_endless_stream_is_stopped_at_the_cap(monkeypatch, line):
    monkeypatch.setattr(incoming_module, "MAX_BODY_BYTES", 1_000_000)

    async def pour(wire):
        with contextlib.suppress(ConnectionError):
            while not wire.writer.is_closing():
                await wire.send(chunk(line))

    received, _ = asked(streaming(then=pour))
    assert received.failure.kind is Kind.BAD_RESPONSE
    assert "larger" in received.failure.message


def test_a_line_past_the_cap_is_a_bad_response():
    async def pour(wire):
        with contextlib.suppress(ConnectionError):
            while not wire.writer.is_closing():
                await wire.send(chunk(b"x" * 50_000))

    received, _ = asked(streaming(b"data: ", then=pour))
    assert received.failure.kind is Kind.BAD_RESPONSE
    assert "line" in received.failure.message


# --- timers ----------------------------------------------------------------------------------

SHORT = 0.08


def timers(**short):
    return Timers(
        **{"headers_s": 5, "first_text_s": 5, "text_stall_s": 5, "liveness_s": 5, **short}
    )


async def comments(wire):
    with contextlib.suppress(ConnectionError):
        while not wire.writer.is_closing():
            await wire.send(chunk(COMMENT))
            await asyncio.sleep(SHORT / 8)


async def silent(wire, request):
    await wire.until_left()


@pytest.mark.parametrize(
    ("script", "short", "phase", "word"),
    [
        (silent, {"headers_s": SHORT}, Phase.BEFORE_STREAM, "head"),
        (streaming(then=forever), {"liveness_s": SHORT}, Phase.BEFORE_STREAM, "nothing"),
        (streaming(then=comments), {"first_text_s": SHORT}, Phase.BEFORE_STREAM, "text"),
        (
            streaming(frame("a"), then=comments),
            {"text_stall_s": SHORT},
            Phase.MID_STREAM,
            "further text",
        ),
        (streaming(frame("a"), then=forever), {"liveness_s": SHORT}, Phase.MID_STREAM, "nothing"),
        (
            streaming(frame("", reasoning="Hm"), then=comments),
            {"text_stall_s": SHORT},
            Phase.MID_STREAM,
            "further text",
        ),
    ],
    ids=["head", "silence", "first-text", "stall", "silence-after-text", "stall-after-reasoning"],
)
def test_each_silence_has_its_timer_which_the_failure_names(script, short, phase, word):
    received, _ = asked(script, wanted=request(timers=timers(**short)))
    assert (received.failure.kind, received.failure.phase) == (Kind.TIMEOUT, phase)
    assert word in received.failure.message
    assert received.sent


def test_comments_keep_a_stream_alive_until_its_text_comes():
    async def slowly(wire):
        for _ in range(16):
            await wire.send(chunk(COMMENT))
            await asyncio.sleep(SHORT / 8)
        await wire.send(chunk(frame("a", "stop")), chunk(DONE), END)

    received, _ = asked(streaming(then=slowly), wanted=request(timers=timers(liveness_s=SHORT)))
    assert received.answer.text == "a"


def test_slow_but_steady_text_outlives_every_timer():
    async def slowly(wire):
        for _ in range(16):
            await wire.send(chunk(frame("a")))
            await asyncio.sleep(SHORT / 8)
        await wire.send(chunk(frame("", "stop")), chunk(DONE), END)

    short = timers(first_text_s=SHORT, text_stall_s=SHORT, liveness_s=SHORT)
    received, _ = asked(streaming(then=slowly), wanted=request(timers=short))
    assert received.answer.text == "a" * 16


def test_without_streaming_the_head_may_take_as_long_as_the_first_text():
    async def script(wire, request):
        await asyncio.sleep(SHORT * 1.5)
        await wire.send(head("200 OK", "application/json", length=len(whole())) + whole())

    short = timers(headers_s=SHORT, first_text_s=1)
    received, _ = asked(script, wanted=request(stream=False, timers=short))
    assert received.answer.text == "pong"


def test_a_whole_answer_that_stops_coming_is_a_timeout():
    async def script(wire, request):
        await wire.send(head("200 OK", "application/json", length=5000) + whole()[:50])
        await wire.until_left()

    wanted = request(stream=False, timers=timers(liveness_s=SHORT))
    received, _ = asked(script, wanted=wanted)
    assert received.failure.kind is Kind.TIMEOUT


def test_a_cancellation_from_outside_goes_through_and_closes_the_connection_at_once():
    async def run():
        begun, left = asyncio.Event(), asyncio.Event()

        async def then(wire):
            begun.set()
            await wire.until_left()
            left.set()

        async with (
            raw_server(streaming(frame("a"), then=then)) as server,
            open_session() as session,
        ):
            upstream = HttpUpstream(config(server.base_url), session)
            task = asyncio.create_task(upstream.send(request(), Heard()))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(2):
                await left.wait()

    asyncio.run(run())


# --- the key -----------------------------------------------------------------------------------


def everything(received, heard):
    return f"{received!r} {heard.heads!r} {heard.text} {heard.reasoning}"


@pytest.mark.parametrize("cut", range(0, len(KEY) + 1, 3))
def test_a_key_in_the_answer_is_masked_however_it_is_cut(cut):
    lines = []
    received, heard = asked(
        streaming(
            frame(f"Your key: {KEY[:cut]}"),
            frame(KEY[cut:], reasoning=KEY),
            frame(".", "stop"),
            DONE,
        ),
        wire_log=lines.append,
    )
    assert received.answer.text == f"Your key: {MASK}."
    assert KEY not in everything(received, heard)
    logged = "".join(lines)
    assert all(KEY[i : i + 8] not in logged for i in range(len(KEY) - 8))


@pytest.mark.parametrize(
    "script",
    [
        answering("401 Unauthorized", error_body(401, f"No such key: {KEY}")),
        answering("401 Unauthorized", error_body(401, "x" * 490 + KEY)),
        answering("500 Oops", f"<pre>Authorization: Bearer {KEY}</pre>".encode()),
        answering("500 Oops", f"Authorization: Bearer {KEY}".encode()),
        answering("502 Bad", error_body(502, "Provider returned error", raw=f"bad {KEY}")),
        answering("502 Bad", b"{}", f"X-Generation-Id: gen-{KEY}"),
        answering("200 OK", error_body(400, f"bad {KEY}")),
        answering("200 OK", whole(f"It is {KEY}", model=KEY, provider=KEY, id=KEY)),
        answering("200 OK", whole(KEY[:10] + "\\" + KEY[10:])),
        answering(f"200 {KEY}", whole()),
        streaming(error_frame(429, f"slow down {KEY}")),
        streaming(frame(f"tail {KEY}")),
        streaming(frame(f"tail {KEY[:-3]}"), then=reset),
    ],
)
def test_a_key_that_is_echoed_anywhere_is_masked(script):
    lines = []
    received, heard = asked(script, wire_log=lines.append)
    assert KEY not in everything(received, heard) + "".join(lines)


def test_a_key_in_noise_that_is_no_http_is_masked():
    async def script(wire, request):
        await wire.send(f"Bad thing {KEY} happened\r\n\r\n".encode())
        wire.writer.close()

    received, heard = asked(script)
    assert KEY not in everything(received, heard)


def test_the_end_of_a_text_that_might_have_been_the_key_is_not_lost():
    received, heard = asked(streaming(frame("ends in sk-or"), frame("", "stop"), DONE))
    assert received.answer.text == heard.text == "ends in sk-or"
