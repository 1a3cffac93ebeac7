"""Listings and accounts over real TCP: what arrives, and the one line when it does not."""

import asyncio
import json
from decimal import Decimal

import pytest
from tests.contract.upstream.rawserver import answering, chunk, head, raw_server

from ultrai.domain.errors import NotFound, UpstreamUnavailable
from ultrai.domain.secret import Secret
from ultrai.upstream import lookup as lookup_module
from ultrai.upstream.client import HttpUpstream, UpstreamConfig
from ultrai.upstream.session import open_session

KEY = "sk-or-v1-0123456789abcdefcanary"
ROWS = [
    {"id": "a/b", "pricing": {"prompt": "1e-7", "completion": "0.0000000833333333333333"}},
    {"broken": True},
    {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
]


def called(method, *scripts, times=1, timeout_s=5.0):
    """What the method returns, and the requests the server saw."""

    async def run():
        async with raw_server(*scripts) as server, open_session() as session:
            config = UpstreamConfig(
                "openrouter", server.base_url, Secret(KEY), is_openrouter=True, free=False
            )
            upstream = HttpUpstream(config, session, lookup_timeout_s=timeout_s)
            value = None
            for _ in range(times):
                value = await method(upstream)
            return value, server.requests

    return asyncio.run(run())


def models(upstream):
    return upstream.list_models()


def cause_of(*scripts, **rest):
    with pytest.raises(UpstreamUnavailable) as caught:
        called(models, *scripts, **rest)
    cause = str(caught.value)
    assert cause.startswith("openrouter: ")
    assert "\n" not in cause
    assert caught.value.hint
    assert KEY not in cause + caught.value.hint
    assert caught.value.__cause__ is None
    return cause


def ok(value):
    return answering("200 OK", json.dumps(value).encode())


def test_the_listing_is_asked_for_with_the_key_and_read():
    listed, requests = called(models, ok({"data": ROWS}))
    assert [model.id for model in listed] == ["a/b", "openrouter/auto"]
    assert listed[0].prices.base.completion == Decimal("0.0000000833333333333333")
    assert listed[1].prices is None
    assert requests[0].head.startswith(b"GET /api/v1/models HTTP/1.1\r\n")
    assert requests[0].header("authorization") == f"Bearer {KEY}"


def test_numbers_with_a_fraction_never_become_floats():
    body = b'{"data":[{"id":"a/b","pricing":{"prompt":0.1,"completion":5.500000000000001e-05}}]}'
    listed, _ = called(models, answering("200 OK", body))
    assert listed[0].prices.base.prompt == Decimal("0.1")
    assert listed[0].prices.base.completion == Decimal("5.500000000000001e-05")


def test_a_listing_with_odd_bytes_is_still_read():
    listed, _ = called(
        models, answering("200 OK", b'{"data":[{"id":"a/b","name":"\xff"}],"x":NaN}')
    )
    assert listed[0].name == "\ufffd"


def test_endpoints_and_account_are_asked_for_at_their_places():
    _, requests = called(
        lambda upstream: upstream.list_endpoints("a/b:free"), ok({"data": {"endpoints": []}})
    )
    assert requests[0].head.startswith(b"GET /api/v1/models/a/b:free/endpoints HTTP/1.1\r\n")
    account, requests = called(
        lambda upstream: upstream.read_account(),
        answering("200 OK", b'{"data":{"limit":1.5,"usage":0.1,"label":"mine"}}'),
    )
    assert requests[0].head.startswith(b"GET /api/v1/key HTTP/1.1\r\n")
    assert (account.limit_nanos, account.usage_nanos) == (1_500_000_000, 100_000_000)


def endpoints(upstream):
    return upstream.list_endpoints("no/such")


def test_endpoints_of_a_model_that_is_not_there_are_not_found():
    body = b'{"error":{"message":"Model not found","code":404}}'
    with pytest.raises(NotFound, match=r"^openrouter lists no model no/such$") as caught:
        called(endpoints, answering("404 Not Found", body))
    # The engine wants prices and goes on without; to it this is one more upstream that is silent.
    assert isinstance(caught.value, UpstreamUnavailable)
    assert caught.value.code == "not_found"


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'{"data":null}'])
def test_a_404_in_words_that_are_not_the_upstreams_says_to_check_the_address(body):
    with pytest.raises(UpstreamUnavailable) as caught:
        called(endpoints, answering("404 Not Found", body))
    assert not isinstance(caught.value, NotFound)
    assert "base URL" in caught.value.hint


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced_once():
    async def reset(wire, request):
        wire.reset()

    listed, requests = called(models, ok({"data": ROWS}), reset, ok({"data": ROWS}), times=2)
    assert len(listed) == 2
    assert len(requests) == 3


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answering("401 Unauthorized", b'{"error":{"message":"User not found."}}'), "User not"),
        (answering("401 Unauthorized", f'{{"error":"bad {KEY}"}}'.encode()), "bad [secret]"),
        (answering("500 Oops", b"<html>"), "HTTP 500"),
        (answering("302 Found", b"", "Location: http://127.0.0.1:9/"), "redirect"),
        (answering("200 OK", b"<html>", content_type="text/html"), "not JSON"),
        (answering("200 OK", b""), "not JSON"),
        (answering("200 OK", b'{"data":'), "not JSON"),
        (ok({"data": []}), "empty"),
        (ok({"models": []}), "no data"),
        (ok([]), "no data"),
    ],
)
def test_a_listing_that_is_of_no_use_is_one_line_with_its_cause(script, words):
    assert words in cause_of(script)


def test_a_listing_that_breaks_off_or_never_begins_is_one_line():
    async def breaks(wire, request):
        await wire.send(head("200 OK", "application/json", length=500) + b'{"data":')
        wire.reset()

    async def silent(wire, request):
        await wire.until_left()

    async def stalls(wire, request):
        await wire.send(head("200 OK", "application/json", length=500) + b'{"data":')
        await wire.until_left()

    assert "broke" in cause_of(breaks)
    assert "no response within" in cause_of(silent, timeout_s=0.05)
    assert "no complete response" in cause_of(stalls, timeout_s=0.05)


def test_a_listing_without_end_is_stopped_at_the_cap(monkeypatch):
    monkeypatch.setattr(lookup_module, "MAX_LISTING_BYTES", 200_000)

    async def pour(wire, request):
        await wire.send(head("200 OK", "application/json"))
        while not wire.writer.is_closing():
            await wire.send(chunk(b" " * 50_000))

    assert "larger" in cause_of(pour)


def test_an_upstream_that_is_not_there_is_one_line():
    async def run():
        async with open_session() as session:
            config = UpstreamConfig("openrouter", "http://127.0.0.1:9/api/v1")
            await HttpUpstream(config, session).list_models()

    with pytest.raises(UpstreamUnavailable, match=r"no connection to 127\.0\.0\.1:9") as caught:
        asyncio.run(run())
    assert "base URL" in caught.value.hint
