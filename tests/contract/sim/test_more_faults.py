"""Refusals with OpenRouter's own bodies, and bytes and clocks that misbehave."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.contract.sim.talking import MODEL, ask, one, with_simulator

from ultrai_sim import Fault, World


def hit(kind, *, stream=True, **options):
    return one(World(faults=[Fault(kind=kind, **options)]), stream=stream)


@pytest.mark.parametrize(
    ("kind", "status", "words", "keys"),
    [
        ("credits_402", 402, "Insufficient credits", ()),
        ("key_limit_402", 402, "Key limit exceeded", ("reason", "limit_source")),
        ("key_limit_403", 403, "daily limit", ()),
        ("budget_403", 403, "Budget limit exceeded", ("limit_usd", "spend_usd", "resets_at")),
        (
            "moderation_403",
            403,
            "flagged for",
            ("reasons", "flagged_input", "provider_name", "model_slug"),
        ),
        ("guardrail_403", 403, "Request blocked", ("patterns",)),
        (
            "shared_pool_429",
            429,
            "Provider returned error",
            ("raw", "limit_source", "retry_after_seconds", "headers", "provider_error_code"),
        ),
        ("unknown_model_400", 400, "is not a valid model ID", ()),
        ("context_400", 400, "maximum context length", ("error_type",)),
        ("retired_404", 404, "No endpoints found for", ()),
        ("data_policy_404", 404, "data policy", ("routing_funnel", "failed_routing_step")),
        ("no_provider_503", 503, "No available model provider", ()),
    ],
)
def test_each_refusal_has_its_real_body(kind, status, words, keys):
    heard = hit(kind)
    error = heard.body["error"]
    assert (heard.status, error["code"]) == (status, status)
    assert words in error["message"]
    assert set(keys) <= set(error.get("metadata", {}))


def test_the_shared_pool_says_when_to_come_back_in_three_places():
    heard = hit("shared_pool_429", retry_after=7)
    metadata = heard.body["error"]["metadata"]
    assert heard.headers["Retry-After"] == metadata["headers"]["Retry-After"] == "7"
    assert metadata["retry_after_seconds"] == 7


def test_flagged_input_is_cut_in_its_middle():
    world = World(faults=[Fault(kind="moderation_403")])

    async def story(sim):
        return await ask(sim, messages=[{"role": "user", "content": "x" * 300}])

    flagged = with_simulator(world, story).body["error"]["metadata"]["flagged_input"]
    assert len(flagged) == 100
    assert "..." in flagged


@pytest.mark.parametrize(("code", "expected"), [(13, 13), ("overloaded", "overloaded")])
def test_the_code_in_a_body_may_be_anything(code, expected):
    assert hit("status", status=503, code=code).body["error"]["code"] == expected
    assert hit("status", status=503, code="null").body["error"]["code"] is None
    assert hit("error_in_200", code=code).body["error"]["code"] == expected


def test_a_body_may_be_anything_at_all():
    heard = hit("body", status=418, text="short and stout", content_type="text/plain")
    assert (heard.status, heard.raw) == (418, b"short and stout")
    assert hit("body").raw == b""


@pytest.mark.parametrize("kind", ["bom", "blanks_first", "comments_flood", "frames_joined", "drip"])
def test_the_answer_is_still_there(kind):
    options = {
        "drip": {"size": 40, "every_s": 0},
        "blanks_first": {"seconds": 0.1, "every_s": 0.05},
    }
    heard = hit(kind, **options.get(kind, {}))
    plain = one(World(), stream=True)
    text = heard.raw.decode("utf-8-sig", "replace").strip()
    assert text.endswith("data: [DONE]")
    assert text.count("data: ") == plain.raw.decode().count("data: ")


def test_every_frame_with_text_comes_twice():
    twice, once = hit("frame_twice"), one(World(), stream=True)
    assert len(twice.raw) > 1.5 * len(once.raw)


def test_a_length_that_promises_too_much_breaks_off():
    async def story(sim):
        return await raw(sim)

    head, body = with_simulator(World(faults=[Fault(kind="length_too_long")]), story)
    assert int(head["content-length"]) == len(body) + 100


def test_a_length_that_promises_too_little_is_followed_by_the_rest():
    async def story(sim):
        return await raw(sim)

    head, body = with_simulator(World(faults=[Fault(kind="length_too_short")]), story)
    promised = int(head["content-length"])
    assert promised == len(body) // 2
    assert "choices" in json.loads(body)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(body[:promised])


async def raw(sim):
    """Head and body as the socket had them."""
    payload = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}).encode()
    reader, writer = await asyncio.open_connection(sim.host, sim.port)
    head = (
        "POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: Bearer {sim.api_key}\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    writer.write(head.encode() + payload)
    data = await reader.read()
    writer.close()
    top, _, body = data.partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in top.decode().split("\r\n")[1:]]
    return {name.lower(): value for name, value in lines}, body


def test_the_clock_jumps_while_the_answer_is_written():
    world = World(faults=[Fault(kind="clock_jump", seconds=1000)])

    async def story(sim):
        before = world.clock()
        await ask(sim, stream=True)
        return world.clock() - before

    assert 1000 <= with_simulator(world, story) < 1100


@pytest.mark.parametrize(
    ("at", "missing", "present"),
    [("start", "content", ""), ("usage", '"usage":{', "content"), ("done", "[DONE]", '"usage":{')],
)
def test_a_cut_may_come_at_a_place(at, missing, present):
    heard = hit("cut", at=at)
    assert missing not in heard.raw.decode()
    assert present in heard.raw.decode()


def test_a_reset_before_the_head_comes_before_any_other_fault():
    faults = [Fault(kind="reset"), Fault(kind="huge_line", size=100)]
    heard = one(World(faults=faults), stream=True)
    assert heard.status == 0
    assert heard.broken is not None


def test_a_long_silence_in_one_piece_ends_in_an_error():
    heard = hit("stall_then_error", stream=False, seconds=0.01)
    assert heard.body["error"]["message"] == "Network connection lost."
