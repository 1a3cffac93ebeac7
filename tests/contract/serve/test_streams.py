"""Streams: what is live, what is whole, what may be replaced, and clients that leave."""

from __future__ import annotations

import asyncio

import aiohttp
from tests.contract.serve.house import ASKED, BACKUP, ONE, THREE, TWO, House, at_home, ended, until

from ultrai_sim import Fault, Latency


def sections(text: str) -> dict[str, str]:
    """Heading -> text."""
    parts = ("\n\n" + text).split("\n\n## ")[1:]
    return {name: body for name, _, body in (part.partition("\n\n") for part in parts)}


def test_one_models_text_comes_as_it_is_spoken() -> None:
    async def story(house: House) -> None:
        heard = await house.chat(ONE, stream=True)
        assert heard.status == 200
        assert heard.headers["Content-Type"].startswith("text/event-stream")
        assert heard.raw.endswith(b"data: [DONE]\n\n")
        *frames, last = heard.frames
        assert frames[0]["choices"][0]["delta"]["role"] == "assistant"
        assert len(frames) > 5
        about = last["ultrai"]
        assert last["choices"][0]["finish_reason"] == "length"
        assert heard.text == about["slots"][0]["answer"]["text"]
        assert last["usage"]["cost"] > 0
        assert about["status"] == "complete"
        assert heard.headers["X-UltrAI-Run-Id"] == about["run_id"]
        assert {frame["model"] for frame in frames} == {ONE}
        assert {frame["object"] for frame in frames} == {"chat.completion.chunk"}

    at_home(story, latency=Latency(per_token_s=0.001))


def test_usage_comes_alone_where_the_client_asks_for_it() -> None:
    async def story(house: House) -> None:
        heard = await house.chat(ONE, stream=True, stream_options={"include_usage": True})
        *_, finish, last = heard.frames
        assert finish["choices"][0]["finish_reason"] == "length"
        assert finish["usage"] is None
        assert last["choices"] == []
        assert last["usage"]["total_tokens"] > 0
        assert last["ultrai"]["status"] == "complete"

    at_home(story)


def test_a_cocktail_speaks_live_with_one_voice_and_adds_the_others_whole() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/trio", stream=True)
        about = heard.frames[-1]["ultrai"]
        texts = {s["answered_by"]: s["answer"]["text"].strip("\n") for s in about["slots"]}
        found = sections(heard.text)
        assert next(iter(found)) == TWO
        assert found == texts
        deltas = [c["delta"].get("content") for f in heard.frames for c in f["choices"]]
        whole = [delta for delta in deltas if delta and "## " in delta]
        assert len(whole) == 3
        assert heard.frames[-1]["choices"][0]["finish_reason"] == "length"

    slow = [Fault(kind="slow", model=m, head_s=0.2, per_token_s=0.001) for m in (ONE, THREE)]
    at_home(story, *slow, latency=Latency(per_token_s=0.01))


def test_before_the_first_text_a_backup_is_free() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/trio", stream=True)
        found = sections(heard.text)
        assert set(found) == {f"{BACKUP} (for {ONE})", TWO, THREE}
        assert heard.frames[-1]["ultrai"]["status"] == "complete"

    at_home(story, Fault(kind="status", status=403, model=ONE))


def test_after_the_first_text_nothing_is_replaced_and_the_stream_ends_in_an_error() -> None:
    async def story(house: House) -> None:
        heard = await house.chat(ONE, stream=True)
        assert heard.status == 200
        last = heard.frames[-1]
        assert last["choices"][0]["finish_reason"] == "error"
        assert last["error"]["code"] == "cut_stream"
        assert last["ultrai"]["status"] == "failed"
        (attempt,) = last["ultrai"]["slots"][0]["attempts"]
        assert attempt["partial"]["text"] == heard.text != ""
        assert heard.raw.endswith(b"data: [DONE]\n\n")
        assert len(house.sim.world.chats()) == 1

    at_home(story, Fault(kind="cut", after=5, attempts=(1,)), latency=Latency(per_token_s=0.01))


def test_a_cocktail_whose_voice_breaks_still_brings_the_others() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/trio", stream=True)
        found = sections(heard.text)
        assert list(found) == [ONE, TWO, THREE]
        assert "*broken off:* *cut_stream: " in found[ONE]
        last = heard.frames[-1]
        assert last["choices"][0]["finish_reason"] == "error"
        assert last["ultrai"]["status"] == "degraded"
        assert "error" not in last

    slow = [Fault(kind="slow", model=TWO, head_s=0.3), Fault(kind="slow", model=THREE, head_s=0.6)]
    at_home(story, Fault(kind="cut", model=ONE, after=5), *slow, latency=Latency(per_token_s=0.01))


def test_all_streams_every_choice_and_names_the_empty_ones() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/trio:all", stream=True)
        texts, finishes = {}, {}
        for frame in heard.frames:
            for choice in frame["choices"]:
                index = choice["index"]
                texts[index] = texts.get(index, "") + (choice["delta"].get("content") or "")
                if choice["finish_reason"]:
                    assert index not in finishes
                    finishes[index] = choice["finish_reason"]
        assert finishes == {0: "length", 1: "error", 2: "length"}
        slots = heard.frames[-1]["ultrai"]["slots"]
        assert texts[0] == slots[0]["answer"]["text"]
        assert texts[1] == ""
        assert texts[2] == slots[2]["answer"]["text"]
        assert "usage" in heard.frames[-1]

    at_home(story, Fault(kind="status", status=403, model=TWO), latency=Latency(per_token_s=0.005))


def test_first_streams_the_first_completed_answer_whole() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/trio:first", stream=True)
        about = heard.frames[-1]["ultrai"]
        assert about["answered_by"] == [THREE]
        assert heard.text == about["slots"][2]["answer"]["text"]

    slow = [Fault(kind="slow", model=m, per_token_s=0.2) for m in (ONE, TWO)]
    at_home(story, *slow, latency=Latency(per_token_s=0.001))


def test_a_stream_begins_before_the_upstream_has_and_is_kept_alive() -> None:
    async def story(house: House) -> None:
        body = {"model": ONE, "messages": ASKED, "stream": True, "max_tokens": 5}
        async with house.client.post(f"{house.url}/v1/chat/completions", json=body) as answer:
            assert answer.status == 200
            assert answer.headers["X-UltrAI-Status"] == "running"
            assert "X-UltrAI-Cost" not in answer.headers
            first = await answer.content.readline()
            assert first.startswith(b":")
            assert house.sim.world.in_flight
            rest = await answer.content.read()
            assert b"[DONE]" in rest

    at_home(story, latency=Latency(head_s=3))


def test_a_client_that_leaves_takes_its_run_along() -> None:
    """The answer would take minutes, longer than a story may."""

    async def story(house: House) -> None:
        for stream in (True, False):
            before = len(house.sim.world.chats())
            body = {"model": ONE, "messages": ASKED, "stream": stream, "max_tokens": 1000}
            async with aiohttp.ClientSession() as client:
                asking = asyncio.create_task(
                    client.post(f"{house.url}/v1/chat/completions", json=body)
                )
                await until(lambda: len(house.sim.world.chats()) > before)  # noqa: B023
                await asyncio.sleep(0.1)
                if not asking.cancel():
                    asking.result().close()
            await until(lambda: not house.sim.world.in_flight)
            assert await ended(house) == "interrupted"

    at_home(story, latency=Latency(head_s=0.05, per_token_s=5))


def test_a_detached_run_goes_on_without_its_client() -> None:
    async def story(house: House) -> None:
        body = {"model": ONE, "messages": ASKED, "stream": True, "max_tokens": 5}
        headers = {"X-UltrAI-Detach": "1"}
        url = f"{house.url}/v1/chat/completions"
        async with (
            aiohttp.ClientSession() as client,
            client.post(url, json=body, headers=headers) as answer,
        ):
            run_id = answer.headers["X-UltrAI-Run-Id"]
        assert await ended(house) == "complete"
        assert (await house.session.report(run_id)).answers

    at_home(story, latency=Latency(head_s=0.3, per_token_s=0.05))
