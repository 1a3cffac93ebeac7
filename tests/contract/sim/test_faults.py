from __future__ import annotations

import asyncio
import json
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from tests.contract.sim.talking import MODEL, ask, fetch, one, quiet, talk, with_simulator

from ultrai_sim import Fault, World, faults
from ultrai_sim.faults import KINDS, FaultError, read_fault


def hit(kind, *, stream=True, **options):
    """The answer to a streamed request that meets one fault."""
    return one(World(faults=[Fault(kind=kind, **options)]), stream=stream)


def test_every_kind_of_fault_is_in_the_table():
    for kind in KINDS:
        assert kind in faults.__doc__


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503])
def test_any_status_comes_with_openrouters_body(status):
    heard = hit("status", status=status)
    assert (heard.status, heard.body["error"]["code"]) == (status, status)
    assert heard.body["user_id"].startswith("user_")


def test_a_status_may_carry_a_message_metadata_and_a_wait():
    heard = hit("status", status=429, message="slow down", metadata={"a": 1}, retry_after=2)
    assert heard.body["error"] == {"message": "slow down", "code": 429, "metadata": {"a": 1}}
    assert heard.headers["Retry-After"] == "2"
    dated = hit("status", status=503, retry_after_date_s=30)
    assert parsedate_to_datetime(dated.headers["Retry-After"])


def test_an_error_of_a_provider_names_it():
    metadata = hit("status", status=502).body["error"]["metadata"]
    assert metadata["provider_name"] == "Azure", "the last one that was tried"
    assert metadata["previous_errors"] == [{"code": 502, "message": "Provider returned error"}]


def test_a_fault_hits_the_attempts_and_models_that_it_names():
    world = World(faults=[Fault(kind="status", model=MODEL, attempts=(1, 3), status=500)])

    async def story(sim):
        mine = [(await ask(sim)).status for _ in range(4)]
        return mine, (await ask(sim, "openai/gpt-4o-mini")).status

    assert with_simulator(world, story) == ([500, 200, 500, 200], 200)


@pytest.mark.parametrize("name", ["Amazon Bedrock", "amazon-bedrock", "amazon-bedrock/fp8"])
def test_a_fault_may_hit_one_provider_only(name):
    world = World(faults=[Fault(kind="content_filter", provider=name)])

    async def story(sim):
        reasons = []
        for provider in ("anthropic", "amazon-bedrock"):
            heard = await ask(sim, "anthropic/claude-sonnet-4.5", provider={"only": [provider]})
            reasons.append(heard.body["choices"][0]["finish_reason"])
        return reasons

    assert with_simulator(world, story) == ["stop", "content_filter"]


def test_html_and_redirects_come_from_elsewhere():
    page = hit("html")
    assert (page.status, page.headers["Content-Type"][:9]) == (502, "text/html")
    moved = hit("redirect", location="http://elsewhere.invalid/")
    assert (moved.status, moved.headers["Location"]) == (307, "http://elsewhere.invalid/")


def test_a_200_may_hold_only_an_error():
    heard = hit("error_in_200", message="boom")
    assert heard.status == 200
    assert heard.body["error"]["message"] == "boom"
    assert "choices" not in heard.body


def test_an_error_may_echo_the_key():
    async def story(sim):
        return (await ask(sim)).raw, sim.api_key

    raw, key = with_simulator(World(faults=[Fault(kind="echo_key")]), story)
    assert key.encode() in raw


@pytest.mark.parametrize("kind", ["free_daily_429", "free_minute_429"])
def test_the_free_tiers_refusals_can_be_ordered(kind):
    heard = hit(kind)
    assert heard.status == 429
    assert "Retry-After" not in heard.headers
    assert heard.headers["X-RateLimit-Remaining"] == "0"
    assert len(heard.headers["X-RateLimit-Reset"]) == 13


def test_the_two_kinds_of_missing_credit_can_be_told_apart():
    held = hit("in_flight_402", retry_after=2)
    assert (held.status, held.headers["Retry-After"]) == (402, "2")
    assert held.body["error"]["metadata"]["limit_source"] == "openrouter_in_flight_budget"
    short = hit("afford_402", tokens=77)
    assert "can only afford 77" in short.body["error"]["message"]
    assert "Retry-After" not in short.headers


def test_the_first_event_of_a_200_may_be_an_error():
    heard = hit("error_first_event", status=503, message="no")
    assert heard.status == 200
    assert heard.frames[0]["error"]["message"] == "no"
    assert (heard.text, heard.reasons, heard.done) == ("", ["error"], False)


def test_an_error_in_mid_stream_has_two_dialects():
    new = hit("error_mid_stream", after=2)
    assert new.text
    assert (new.frames[-1]["error"]["code"], new.reasons[-1]) == (502, "error")
    assert not new.done
    old = hit("error_mid_stream", after=2, dialect="2025")
    assert (old.frames[-1]["error"]["code"], old.reasons[-1]) == (502, None)
    assert "usage" in old.frames[-1]
    assert old.done


def test_an_error_may_follow_a_finish():
    heard = hit("length_then_error_400")
    assert heard.reasons[-2:] == ["length", None]
    assert heard.frames[-1]["error"] == {"code": 400, "message": "Token limit reached"}
    assert heard.done


def test_a_choice_may_fail_by_itself():
    plain = hit("choice_error", stream=False)
    assert plain.body["choices"][0]["error"]["code"] == 502
    assert plain.body["choices"][0]["finish_reason"] == "error"
    assert hit("choice_error").frames[-1]["choices"][0]["error"]["code"] == 502


def test_a_cut_ends_a_stream_without_finish_or_done():
    clean, torn = hit("cut", after=3), hit("cut", after=3, how="incomplete")
    assert clean.text == torn.text != ""
    assert set(clean.reasons) == {None}
    assert not clean.done
    assert (clean.broken, torn.broken) == (None, "ClientPayloadError")


def test_a_cut_without_streaming_is_half_a_body():
    heard = hit("cut", stream=False)
    assert heard.raw.startswith(b'{"id"')
    assert not heard.raw.endswith(b"}")


def test_a_reset_may_come_before_the_head_or_after_some_text():
    early, late = hit("reset"), hit("reset", after=2)
    assert (early.status, early.broken is not None) == (0, True)
    assert (late.status, late.broken is not None, late.text != "") == (200, True, True)


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (Fault(kind="reset"), "reset"),
        (Fault(kind="reset", after=2), "reset"),
        (Fault(kind="cut", how="incomplete"), "end"),
    ],
)
def test_on_the_socket_a_reset_is_a_reset_and_a_cut_is_an_end(fault, ending):
    async def story(sim):
        reader, writer = await asyncio.open_connection(sim.host, sim.port)
        body = json.dumps(
            {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        )
        writer.write(
            f"POST /api/v1/chat/completions HTTP/1.1\r\nHost: sim\r\nContent-Length: {len(body)}"
            f"\r\nAuthorization: Bearer {sim.api_key}\r\n\r\n{body}".encode()
        )
        try:
            await reader.read()
        except ConnectionResetError:
            return "reset"
        finally:
            writer.close()
        return "end"

    assert with_simulator(World(faults=[fault]), story) == ending


@pytest.mark.parametrize("kind", ["stall_before_text", "stall_mid_text"])
def test_a_stall_may_be_silent_or_full_of_comments_and_then_goes_on(kind):
    world = World(comments=0, faults=[Fault(kind=kind, seconds=0.05, every_s=0.01)])
    loud = one(world, stream=True)
    silent = one(
        World(comments=0, faults=[Fault(kind=kind, seconds=0.02, comments=False)]), stream=True
    )
    assert loud.comments >= 3
    assert silent.comments == 0
    assert loud.done
    assert silent.text == loud.text == one(stream=True).text


@pytest.mark.parametrize(
    ("kind", "started"),
    [
        ("stall_before_headers", False),
        ("stall_before_text", True),
        ("stall_mid_text", True),
        ("comments_only", True),
        ("endless", True),
    ],
)
def test_what_never_ends_is_left_by_the_client_and_noticed(kind, started):
    world = World(faults=[Fault(kind=kind)])

    async def story(sim):
        headers = {"Authorization": f"Bearer {sim.api_key}"}
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        seen = None
        async with aiohttp.ClientSession() as session:
            try:
                async with (
                    asyncio.timeout(0.2),
                    session.post(
                        f"{sim.base_url}/chat/completions", headers=headers, json=body
                    ) as response,
                ):
                    seen = response.status
                    await response.read()
            except TimeoutError:
                pass
        await quiet(sim)
        return seen, sim.world.chats()[0].outcome, sim.world.bill[0].cancelled

    assert with_simulator(world, story) == (200 if started else None, "client_left", True)


def test_slow_sets_the_latency_of_one_model():
    world = World(faults=[Fault(kind="slow", head_s=0.1, first_token_s=0.1)])

    async def story(sim):
        await ask(sim, stream=True)
        seen = sim.world.chats()[0]
        return seen.finished_at - seen.started_at

    assert with_simulator(world, story) >= 0.2


def test_reasoning_may_eat_the_whole_budget():
    heard = one(World(faults=[Fault(kind="empty_length")]), max_tokens=50)
    choice, usage = heard.body["choices"][0], heard.body["usage"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "length")
    assert usage["completion_tokens"] == 50
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 50


def test_an_answer_may_be_filtered_refused_or_a_call():
    assert hit("content_filter").reasons[-1] == "content_filter"
    message = hit("refusal", stream=False).body["choices"][0]["message"]
    assert (message["content"], message["refusal"][:9]) == (None, "I'm sorry")
    call = hit("tool_calls", stream=False).body["choices"][0]
    assert call["finish_reason"] == "tool_calls"
    assert call["message"]["tool_calls"][0]["function"]["name"] == "look_up"
    parts = [
        part["function"].get("name")
        for frame in hit("tool_calls").frames
        for part in frame["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert parts == ["look_up", None]


def test_usage_may_be_missing_and_finish_may_come_twice():
    heard = hit("usage_missing")
    assert all("usage" not in frame for frame in heard.frames)
    assert "usage" not in hit("usage_missing", stream=False).body
    assert hit("finish_twice").reasons.count("stop") == 3


def test_bytes_may_be_split_anywhere_and_mean_the_same():
    world = World(faults=[Fault(kind="split_bytes", size=3)])
    assert one(world, stream=True).text == one(stream=True).text


def test_a_line_may_be_huge_and_a_frame_may_be_garbage():
    assert len(hit("huge_line", size=100_000).raw) > 100_000
    assert b"data: {not json at all\n\n" in hit("garbage").raw
    assert hit("garbage", stream=False).raw == b"{not json at all"


def test_faults_can_be_set_while_it_runs():
    async def story(sim):
        url = f"{sim.origin}/sim/faults"
        rows = [{"kind": "status", "status": 503, "attempts": 1}]
        assert (await talk("POST", url, {}, json={"faults": rows})).status == 200
        assert [(await ask(sim)).status for _ in range(2)] == [503, 200]
        shown = (await fetch(sim, "/sim/faults")).body["faults"][0]
        assert shown == {
            "kind": "status",
            "model": "*",
            "provider": "*",
            "key": "*",
            "attempts": [1],
            "status": 503,
        }
        wrong = await talk("POST", url, {}, json={"faults": [{"kind": "statsu"}]})
        assert (wrong.status, "'status'" in wrong.body["error"]["message"]) == (400, True)

    with_simulator(None, story)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"kind": "stall_midtext"}, "nearest valid kind: 'stall_mid_text'"),
        ({"kind": "status", "modle": "x"}, "nearest valid key: 'model'"),
        ({"kind": "cut", "status": 500}, "has no option 'status'; it has after, at, how"),
        ({"kind": "cut", "how": "rudely"}, "'clean', 'incomplete'"),
        ({"status": 500}, "'kind' is missing"),
        ({"kind": "cut", "after": "two"}, "'after' must be a whole number, not 'two'"),
        ({"kind": "stall_mid_text", "comments": 1}, "'comments' must be true or false, not 1"),
        ({"kind": "status", "attempts": "all"}, "'attempts' must be whole numbers from 1"),
        ({"kind": "status", "attempts": []}, "'attempts' must be whole numbers from 1, at least"),
        ({"kind": "status", "attempts": ["one"]}, "'attempts' must be whole numbers from 1"),
        ({"kind": "status", "attempts": 0}, "'attempts' must be whole numbers from 1"),
        ({"kind": "status", "status": 7}, "'status' must be from 200 to 599, not 7"),
        ({"kind": "stall_mid_text", "seconds": -1}, "'seconds' must be a number of seconds, 0"),
        ({"kind": "slow", "head_s": float("nan")}, "'head_s' must be a number of seconds, 0"),
        ({"kind": "cut", "probability": 1.5}, "'probability' lies between 0 and 1"),
        ({"kind": "cut", "times": 0}, "'times' must be from 1 to"),
        ({"kind": "cut", "off_s": 3}, "'off_s' needs 'on_s'"),
        ({"kind": "cut", "at": "lunch"}, "'at' is one of 'head', 'start', 'usage', 'done'"),
    ],
)
def test_a_wrong_fault_is_named_with_the_nearest_right_one(row, text):
    with pytest.raises(FaultError, match=text):
        read_fault(row)
