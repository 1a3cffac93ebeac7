"""The native interface: Runs by their ids, Events that resume, slots one by one, repeats."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from tests.contract.serve.house import (
    ASKED,
    BACKUP,
    ONE,
    PROMPT,
    THREE,
    TWO,
    House,
    at_home,
    ended,
    until,
)

from ultrai_sim import Fault, Latency

SLOW = Latency(head_s=0.05, per_token_s=0.02)


async def started(house: House, **fields: Any) -> str:
    body = {"prompt": PROMPT, "cocktail": "TRIO", "max_tokens": 20, **fields}
    heard = await house.send("POST", "/v1/runs", json=body)
    assert heard.status == 201, heard.raw
    assert heard.headers["Location"] == f"/v1/runs/{heard.body['id']}"
    assert heard.body["status"] == "running"
    return heard.body["id"]


async def report(house: House, run_id: str) -> Any:
    """The Report once the Run is over."""
    await house.send("GET", f"/v1/runs/{run_id}/events")
    return (await house.send("GET", f"/v1/runs/{run_id}")).body


async def events(house: House, run_id: str, after: int | None = None) -> list[dict[str, Any]]:
    """All Events of the stream to its end, each held against its frame."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    heard = await house.send("GET", f"/v1/runs/{run_id}/events", headers=headers)
    assert heard.status == 200
    return read(heard.raw.decode())


def read(text: str) -> list[dict[str, Any]]:
    found = []
    for frame in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in frame.split("\n") if line[:1] not in ("", ":")
        )
        if "data" in fields:
            event = json.loads(fields["data"])
            assert event["type"] == fields["event"]
            assert int(fields["id"]) == event.get("last_seq", event["seq"])
            found.append(event)
    return found


def spoken(found: list[dict[str, Any]], slot: int) -> str:
    return "".join(e["text"] for e in found if e["type"] == "text_delta" and e["slot"] == slot)


def test_a_run_is_started_read_and_listed() -> None:
    async def story(house: House) -> None:
        run_id = await started(house, quorum=2, tags={"team": "blue"}, temperature=0.5)
        body = await report(house, run_id)
        assert body["query"]["temperature"] == 0.5
        assert [slot["primary"] for slot in body["slots"]] == [ONE, TWO, THREE]
        assert body == (await house.session.report(run_id)).to_dict()
        listed = (await house.send("GET", "/v1/runs?limit=1")).body["runs"]
        assert [(row["id"], row["prompt"]) for row in listed] == [(run_id, PROMPT)]
        assert (await house.send("GET", "/v1/runs?q=nothing")).body["runs"] == []
        for path in ("/v1/runs/run_nope", "/v1/runs/run_nope/events"):
            heard = await house.send("GET", path)
            assert (heard.status, heard.body["error"]["code"]) == (404, "not_found")
        for path in ("/v1/runs?limit=0", "/v1/runs?limit=x"):
            assert (await house.send("GET", path)).status == 400

    at_home(story)


def test_what_is_wrong_with_a_run_is_said_before_anything_is_sent() -> None:
    async def story(house: House) -> None:
        for fields, status in (
            ({"prompt": None}, 400),
            ({"messages": ASKED}, 400),
            ({"coktail": "TRIO"}, 400),
            ({"models": [ONE]}, 400),
            ({"cocktail": "nobody"}, 404),
            ({"synthesis": "fuse"}, 400),
            ({"max_cost_usd": "0.0000001"}, 402),
        ):
            body = {"prompt": PROMPT, "cocktail": "TRIO", **fields}
            heard = await house.send("POST", "/v1/runs", json=body)
            assert heard.status == status, heard.raw
        assert house.sim.world.chats() == []

    at_home(story)


def test_events_come_gapless_and_end_with_the_report() -> None:
    async def story(house: House) -> None:
        run_id = await started(house)
        found = await events(house, run_id)
        seqs = [seq for e in found for seq in range(e["seq"], e.get("last_seq", e["seq"]) + 1)]
        assert sorted(set(seqs)) == list(range(len(set(seqs))))
        assert found[0]["type"] == "run_started"
        assert found[-1]["type"] == "report"
        body = await report(house, run_id)
        assert {name: found[-1][name] for name in body} == body
        for slot in body["slots"]:
            assert spoken(found, slot["index"]) == slot["answer"]["text"]

    at_home(story, latency=SLOW)


def test_events_resume_behind_the_last_one_live_and_over_and_from_the_store() -> None:
    async def story(house: House) -> None:
        run_id = await started(house)
        url = f"{house.url}/v1/runs/{run_id}/events"
        text = ""
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            async for line in answer.content:
                text += line.decode()
                if text.endswith("\n\n") and text.count("text_delta") >= 6:
                    break
        first = read(text)
        last = first[-1].get("last_seq", first[-1]["seq"])
        rest = await events(house, run_id, last)
        assert rest[0]["seq"] == last + 1
        body = await report(house, run_id)
        for slot in body["slots"]:
            assert spoken([*first, *rest], slot["index"]) == slot["answer"]["text"]
        assert await events(house, run_id, last) == rest
        end = rest[-1]["seq"]
        heard = await house.send("GET", f"/v1/runs/{run_id}/events?last_event_id={end}")
        assert heard.status == 204
        house.serving.forget_ended()
        stored = await events(house, run_id, last)
        assert stored[-1] == rest[-1]
        assert all(e.get("last_seq", e["seq"]) > last for e in stored)
        answered = {e["slot"]: e["answer"]["text"] for e in stored if e["type"] == "slot_answered"}
        assert all(answered[s["index"]] == s["answer"]["text"] for s in body["slots"])
        assert (await events(house, run_id))[0]["type"] == "run_started"

    at_home(story, latency=SLOW)


def test_the_events_of_a_chat_can_be_joined_while_it_goes_on() -> None:
    async def story(house: House) -> None:
        asking = asyncio.create_task(house.chat("ultrai/trio", stream=True))
        await until(lambda: len(house.sim.world.chats()) == 3)
        await asyncio.sleep(0.2)
        (run,) = await house.session.runs(limit=1)
        found = await events(house, run.id)
        assert found[0]["type"] == "run_started"
        assert found[-1]["type"] == "report"
        slots = found[-1]["slots"]
        for slot in slots:
            assert spoken(found, slot["index"]) == slot["answer"]["text"]
        assert (await asking).status == 200

    at_home(story, latency=SLOW)


def test_a_run_is_cancelled_and_only_once() -> None:
    async def story(house: House) -> None:
        run_id = await started(house)
        await until(house.sim.world.chats)
        heard = await house.send("POST", f"/v1/runs/{run_id}/cancel")
        assert (heard.status, heard.body["status"]) == (200, "interrupted")
        await until(lambda: not house.sim.world.in_flight)
        heard = await house.send("POST", f"/v1/runs/{run_id}/cancel")
        assert (heard.status, heard.body["error"]["code"]) == (409, "too_late")

    at_home(story, latency=Latency(head_s=5))


def test_one_slot_is_cancelled_and_asked_again_in_the_same_run() -> None:
    async def story(house: House) -> None:
        run_id = await started(house)
        await until(lambda: len(house.sim.world.chats()) == 3)
        heard = await house.send("POST", f"/v1/runs/{run_id}/slots/1/cancel")
        assert heard.status == 200
        heard = await house.send("POST", f"/v1/runs/{run_id}/slots/1/cancel")
        assert heard.status == 409
        heard = await house.send("POST", f"/v1/runs/{run_id}/slots/1/retry")
        assert (heard.status, heard.body["id"]) == (200, run_id)
        body = await report(house, run_id)
        assert body["status"] == "complete"
        assert [a["outcome"] for a in body["slots"][1]["attempts"]] == ["cancelled", "answer"]
        heard = await house.send("POST", f"/v1/runs/{run_id}/slots/1/retry")
        assert heard.status == 409
        for slot in ("3", "-1", "x", "99999"):
            heard = await house.send("POST", f"/v1/runs/{run_id}/slots/{slot}/cancel")
            assert heard.status == 404

    at_home(story, latency=Latency(head_s=0.4))


def test_a_slot_of_a_run_that_is_over_is_asked_again_in_a_new_one() -> None:
    async def story(house: House) -> None:
        run_id = await started(house)
        body = await report(house, run_id)
        assert [slot["state"] for slot in body["slots"]] == ["failed", "answered", "failed"]
        house.sim.world.set_faults([])
        heard = await house.send("POST", f"/v1/runs/{run_id}/slots/2/retry")
        assert heard.status == 201
        again = await report(house, heard.body["id"])
        assert again["resumed_from"] == run_id
        assert [slot["answered_by"] for slot in again["slots"]] == [THREE]

    dead = [Fault(kind="status", status=403, model=model) for model in (ONE, BACKUP, THREE)]
    at_home(story, *dead)


def test_the_same_key_is_one_run_and_one_answer() -> None:
    async def story(house: House) -> None:
        headers = {"Idempotency-Key": "k-1"}
        heard = await asyncio.gather(*[house.chat(ONE, headers=headers) for _ in range(30)])
        assert {each.status for each in heard} == {200}
        assert len({each.raw for each in heard}) == 1
        assert len(house.sim.world.chats()) == 1
        other = await house.chat(ONE, headers=headers, max_tokens=7)
        assert (other.status, other.body["error"]["code"]) == (422, "idempotency_key_reused")
        assert (await house.chat(ONE, headers={"Idempotency-Key": ""})).status == 400
        headers = {"Idempotency-Key": "k-2"}
        one, two = [await house.chat("ultrai/trio", headers=headers, stream=True) for _ in "12"]
        assert one.frames[-1]["ultrai"] == two.frames[-1]["ultrai"]
        assert len(house.sim.world.chats()) == 4

    at_home(story, latency=Latency(head_s=0.2))


def test_a_refused_request_may_be_sent_again_under_its_key() -> None:
    async def story(house: House) -> None:
        headers = {"Idempotency-Key": "k"}
        for _ in range(2):
            heard = await house.chat("nobody/here", headers=headers)
            assert heard.status == 404

    at_home(story)


def test_a_run_is_started_once_under_its_key() -> None:
    async def story(house: House) -> None:
        headers = {"Idempotency-Key": "k"}
        body = {"prompt": PROMPT, "models": [ONE]}
        heard = await asyncio.gather(
            *[house.send("POST", "/v1/runs", json=body, headers=headers) for _ in range(5)]
        )
        assert len({each.body["id"] for each in heard}) == 1
        await report(house, heard[0].body["id"])
        again = await house.send("POST", "/v1/runs", json=body, headers=headers)
        assert (again.body["id"], again.body["status"]) == (heard[0].body["id"], "complete")
        assert len(house.sim.world.chats()) == 1

    at_home(story)


def test_who_left_and_comes_back_under_the_same_key_is_answered() -> None:
    async def story(house: House) -> None:
        headers = {"Idempotency-Key": "k"}
        async with aiohttp.ClientSession() as client:
            body = {"model": ONE, "messages": ASKED, "max_tokens": 40}
            url = f"{house.url}/v1/chat/completions"
            asking = asyncio.create_task(client.post(url, json=body, headers=headers))
            await until(house.sim.world.chats)
            asking.cancel()
        await until(lambda: not house.sim.world.in_flight)
        assert await ended(house) == "interrupted"
        heard = await house.chat(ONE, headers=headers)
        assert heard.status == 200

    at_home(story, latency=Latency(head_s=0.3))


def test_a_run_may_be_worded_like_a_chat() -> None:
    async def story(house: House) -> None:
        body = {"model": "ultrai/trio", "messages": ASKED, "ultrai": {"quorum": 2}, "user": "ada"}
        heard = await house.send("POST", "/v1/runs", json=body)
        found = await report(house, heard.body["id"])
        assert (found["cocktail"], found["status"]) == ("TRIO", "complete")
        heard = await house.send("POST", "/v1/runs", json={"model": ONE, "messages": ASKED})
        found = await report(house, heard.body["id"])
        assert [slot["primary"] for slot in found["slots"]] == [ONE]
        for more in ({"cocktail": "TRIO"}, {"models": [TWO]}):
            body = {"model": ONE, "messages": ASKED, **more}
            assert (await house.send("POST", "/v1/runs", json=body)).status == 400

    at_home(story)
