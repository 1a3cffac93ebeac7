"""Chat completions: the shapes of a cocktail, outcomes, limits, and what is refused."""

from __future__ import annotations

import json

import pytest
from tests.contract.serve.house import BACKUP, ONE, THREE, TWO, House, at_home

from ultrai_sim import Fault


def test_a_cocktail_answers_in_one_text_under_headings_that_name_the_models() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/trio")
        assert heard.status == 200
        assert heard.body["model"] == "ultrai/trio"
        (choice,) = heard.body["choices"]
        about = heard.body["ultrai"]
        texts = [slot["answer"]["text"].strip("\n") for slot in about["slots"]]
        parts = [
            f"## {model}\n\n{text}" for model, text in zip((ONE, TWO, THREE), texts, strict=True)
        ]
        assert choice["message"]["content"] == "\n\n".join(parts)
        assert about["status"] == "complete"
        assert about["answered_by"] == [ONE, TWO, THREE]
        assert heard.headers["X-UltrAI-Run-Id"] == about["run_id"]
        assert heard.headers["X-UltrAI-Status"] == "complete"
        usage = heard.body["usage"]
        assert float(heard.headers["X-UltrAI-Cost"]) == usage["cost"] > 0
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        report = await house.session.report(about["run_id"])
        assert [slot.to_dict() for slot in report.slots] == about["slots"]

    at_home(story)


def test_all_gives_a_choice_for_each_slot_and_first_the_first() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/TRIO:all")
        slots = heard.body["ultrai"]["slots"]
        assert [c["index"] for c in heard.body["choices"]] == [0, 1, 2]
        contents = [c["message"]["content"] for c in heard.body["choices"]]
        assert contents == [slot["answer"]["text"] for slot in slots]
        heard = await house.chat("ultrai/trio:first")
        (choice,) = heard.body["choices"]
        assert heard.body["ultrai"]["answered_by"] == [TWO]
        assert heard.body["ultrai"]["status"] == "complete"
        assert [slot["state"] for slot in heard.body["ultrai"]["slots"]].count("answered") == 1
        assert choice["message"]["content"] == heard.body["ultrai"]["slots"][1]["answer"]["text"]

    slow = [Fault(kind="slow", model=model, head_s=5) for model in (ONE, THREE)]
    at_home(story, *slow)


def test_an_unanswered_slot_is_an_empty_choice_and_a_heading_that_says_so() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/trio:all")
        assert heard.status == 200
        empty = heard.body["choices"][1]
        assert empty["message"]["content"] == ""
        assert empty["finish_reason"] == "error"
        assert empty["error"]["code"] == "forbidden"
        assert heard.body["ultrai"]["status"] == "degraded"
        assert heard.headers["X-UltrAI-Status"] == "degraded"
        heard = await house.chat("ultrai/trio")
        assert (
            f"## {TWO}: no answer\n\n*forbidden: " in heard.body["choices"][0]["message"]["content"]
        )
        assert f"## {BACKUP} (for {ONE})\n\n" in heard.body["choices"][0]["message"]["content"]

    at_home(story, *[Fault(kind="status", status=403, model=model) for model in (ONE, TWO)])


def test_one_model_is_asked_by_its_id() -> None:
    async def story(house: House) -> None:
        wanted = {"seed": 3, "top_p": 0.5, "stop": ["END"]}
        wanted["response_format"] = {"type": "json_object"}
        heard = await house.chat(TWO, temperature=0.2, **wanted)
        assert heard.status == 200
        assert heard.body["model"] == TWO
        answer = heard.body["ultrai"]["slots"][0]["answer"]
        assert heard.body["choices"][0]["message"]["content"] == answer["text"]
        (seen,) = house.sim.world.chats()
        assert {"temperature": 0.2, **wanted}.items() <= seen.body.items()
        assert seen.body["max_tokens"] == 40
        heard = await house.chat(TWO, n=2)
        assert [c["index"] for c in heard.body["choices"]] == [0, 1]

    at_home(story)


FAILED = [
    (Fault(kind="status", status=500), 502, "upstream_error"),
    (Fault(kind="status", status=401), 502, "upstream_auth"),
    (Fault(kind="credits_402"), 502, "upstream_credit"),
    (Fault(kind="key_limit_403"), 502, "upstream_credit"),
    (Fault(kind="status", status=400), 502, "bad_request"),
    (Fault(kind="stall_before_headers", seconds=30), 504, "deadline"),
]


@pytest.mark.parametrize(("fault", "status", "code"), FAILED)
@pytest.mark.parametrize("stream", [False, True])
def test_a_run_without_an_answer_has_the_status_of_its_cause(
    monkeypatch: pytest.MonkeyPatch, fault: Fault, status: int, code: str, stream: bool
) -> None:
    monkeypatch.setattr("ultrai.server.chat.GRACE_S", 45.0)  # however slow the machine is
    deadline_s = 0.4 if code == "deadline" else 45.0

    async def story(house: House) -> None:
        heard = await house.chat(THREE, ultrai={"deadline_s": deadline_s}, stream=stream)
        assert (heard.status, heard.body["error"]["code"]) == (status, code)
        assert set(heard.body["error"]) == {"message", "type", "code", "param"}
        about = heard.body["ultrai"]
        assert heard.headers["X-UltrAI-Run-Id"] == about["run_id"]
        assert about["slots"][0]["attempts"]
        report = await house.session.report(about["run_id"])
        assert report.status.value == "failed"

    at_home(story, fault, max_attempts=1)


def test_a_partial_answer_survives_in_the_errors_body() -> None:
    async def story(house: House) -> None:
        heard = await house.chat(THREE)
        assert (heard.status, heard.body["error"]["code"]) == (502, "cut_stream")
        attempts = heard.body["ultrai"]["slots"][0]["attempts"]
        assert all(attempt["partial"]["text"] for attempt in attempts)

    at_home(story, Fault(kind="cut", after=3))


def test_a_budget_refuses_with_402_before_anything_is_sent() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/trio", ultrai={"max_cost_usd": "0.0000001"})
        assert (heard.status, heard.body["error"]["code"]) == (402, "refused_by_budget")
        heard = await house.chat("ultrai/trio", ultrai={"max_cost_usd": 1e-7})
        assert heard.status == 402
        assert house.sim.world.chats() == []

    at_home(story)


REFUSED = [
    ({"model": "ultrai/trio:fuse"}, 400, "not_available_yet", "model"),
    ({"model": "ultrai/trio:judge"}, 400, "not_available_yet", "model"),
    ({"model": "ultrai/trio:vote"}, 400, "not_available_yet", "model"),
    ({"model": "ultrai/trio:best"}, 400, "bad_usage", "model"),
    ({"model": "ultrai/nobody"}, 404, "model_not_found", "model"),
    ({"model": "trio"}, 404, "model_not_found", "model"),
    ({"model": "nobody/knows-it"}, 404, "model_not_found", "model"),
    ({"model": None}, 400, "bad_usage", "model"),
    ({"messages": None}, 400, "bad_usage", "messages"),
    ({"messages": []}, 400, "bad_usage", "messages"),
    ({"messages": [{"role": "king", "content": "x"}]}, 400, "bad_usage", "messages[0].role"),
    ({"temperature": "hot"}, 400, "bad_usage", "temperature"),
    ({"temperature": 3}, 400, "bad_usage", "temperature"),
    ({"max_tokens": 0}, 400, "bad_usage", "max_tokens"),
    ({"n": 2}, 400, "bad_usage", "n"),
    ({"tools": [{"type": "function"}]}, 400, "bad_usage", "tools"),
    ({"functions": [{"name": "f"}]}, 400, "not_available_yet", "functions"),
    ({"logprobs": True}, 400, "not_available_yet", "logprobs"),
    ({"plugins": [{"id": "web"}]}, 400, "not_available_yet", "plugins"),
    ({"ultrai": {"quorom": 2}}, 400, "bad_usage", "ultrai"),
    ({"ultrai": {"quorum": 9}}, 400, "bad_usage", None),
    ({"ultrai": {"synthesis": "fuse"}}, 400, "not_available_yet", "ultrai.synthesis"),
    ({"ultrai": {"max_cost_usd": "dear"}}, 400, "bad_usage", "ultrai.max_cost_usd"),
    ({"model": "ultrai/trio:first", "ultrai": {"quorum": 2}}, 400, "bad_usage", "ultrai.quorum"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        400,
        "not_available_yet",
        "messages[0].content",
    ),
]


def test_what_cannot_be_honoured_is_refused_by_name_and_nothing_is_sent() -> None:
    async def story(house: House) -> None:
        for fields, status, code, param in REFUSED:
            heard = await house.chat("ultrai/trio", **fields)
            got = (heard.status, heard.body["error"]["code"], heard.body["error"]["param"])
            assert got == (status, code, param), fields
        for body in (b"", b"[]", b"{", b'{"a":' * 100_000, b"\xff\xfe", b'"x"'):
            heard = await house.send("POST", "/v1/chat/completions", data=body)
            assert (heard.status, heard.body["error"]["code"]) == (400, "bad_json"), body[:9]
        assert house.sim.world.chats() == []

    at_home(story)


def test_fields_that_nobody_knows_are_left_out_with_a_notice() -> None:
    async def story(house: House) -> None:
        heard = await house.chat(
            ONE, temprature=1, max_tokens=1000, tools=[], stop=None, metadata={"a": "b"}
        )
        messages = [notice["message"] for notice in heard.body["ultrai"]["notices"]]
        assert any("'temprature'" in text and "temperature" in text for text in messages)
        assert any("'metadata'" in text for text in messages)
        assert len(messages) == 2
        report = await house.session.report(heard.body["ultrai"]["run_id"])
        assert len(report.notices) == 2
        (seen,) = house.sim.world.chats()
        assert "temprature" not in json.dumps(seen.body)

    at_home(story)


def test_the_limits_of_the_extra_object_hold() -> None:
    async def story(house: House) -> None:
        heard = await house.chat("ultrai/trio", ultrai={"quorum": 2, "tags": {"team": "blue"}})
        about = heard.body["ultrai"]
        assert about["status"] == "complete"
        assert len(about["answered_by"]) == 2
        heard = await house.chat("ultrai/trio", ultrai={"deadline_s": 0.3})
        assert heard.body["ultrai"]["status"] == "degraded"
        assert heard.body["ultrai"]["slots"][2]["failure"]["kind"] == "deadline"

    at_home(story, Fault(kind="slow", model=THREE, head_s=5))


def test_the_models_are_the_cocktails_then_the_catalogue() -> None:
    async def story(house: House) -> None:
        ids = [row["id"] for row in (await house.send("GET", "/v1/models")).body["data"]]
        shipped = ["premium", "speedy", "budget", "depth", "local"]
        assert ids[:7] == [f"ultrai/{name}" for name in (*shipped, "trio", "auto")]
        assert {ONE, TWO, THREE} <= set(ids[7:])
        row = (await house.send("GET", f"/v1/models/{ONE}")).body
        assert (row["id"], row["object"]) == (ONE, "model")
        heard = await house.send("GET", "/v1/models/no/such")
        assert (heard.status, heard.body["error"]["code"]) == (404, "model_not_found")

    at_home(story)


def test_a_conversation_in_parts_goes_upstream_as_text() -> None:
    async def story(house: House) -> None:
        messages = [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "One"}]},
            {"role": "assistant", "content": "Two", "refusal": None, "name": "Ada"},
            {"role": "user", "content": "Three"},
        ]
        heard = await house.chat(ONE, messages=messages)
        assert "name is not passed on" in heard.body["ultrai"]["notices"][0]["message"]
        (seen,) = house.sim.world.chats()
        assert seen.body["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "Two"},
            {"role": "user", "content": "Three"},
        ]

    at_home(story)


def test_a_route_that_is_not_there_says_so_in_the_same_envelope() -> None:
    async def story(house: House) -> None:
        heard = await house.send("GET", "/v2/models")
        assert (heard.status, heard.body["error"]["code"]) == (404, "not_found")
        heard = await house.send("DELETE", "/v1/models")
        assert (heard.status, heard.body["error"]["code"]) == (405, "method_not_allowed")
        assert "GET" in heard.headers["Allow"]

    at_home(story)


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
QUESTION = [{"role": "user", "content": "What is the weather in Paris like?"}]


def test_tools_go_to_a_model_and_their_calls_come_back() -> None:
    async def story(house: House) -> None:
        wanted = {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 200}
        heard = await house.chat(ONE, messages=QUESTION, **wanted)
        message = heard.body["choices"][0]["message"]
        (call,) = message["tool_calls"]
        assert call["function"]["name"] == "get_weather"
        assert heard.body["choices"][0]["finish_reason"] == "tool_calls"
        (seen,) = house.sim.world.chats()
        assert seen.body["tools"] == [WEATHER]
        result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
        back = [*QUESTION, {"role": "assistant", "content": None, "tool_calls": [call]}, result]
        heard = await house.chat(ONE, messages=back, tools=[WEATHER], max_tokens=200)
        assert heard.status == 200, heard.raw
        assert house.sim.world.chats()[-1].body["messages"] == back
        report = await house.session.report(heard.body["ultrai"]["run_id"])
        assert report.query["messages"] == back
        heard = await house.chat(ONE, messages=QUESTION, stream=True, **wanted)
        calls = [
            part
            for frame in heard.frames
            for choice in frame["choices"]
            for part in choice["delta"].get("tool_calls", ())
        ]
        assert [part["function"]["name"] for part in calls] == ["get_weather"]
        assert heard.frames[-1]["choices"][0]["finish_reason"] == "tool_calls"
        heard = await house.chat("ultrai/trio:all", messages=QUESTION, **wanted)
        assert all(c["message"]["tool_calls"] for c in heard.body["choices"])

    at_home(story)


def test_what_tools_take_is_in_the_bound_that_a_cap_is_held_against() -> None:
    async def story(house: House) -> None:
        cap = {"max_cost_usd": "0.01"}
        assert (await house.chat(ONE, ultrai=cap)).status == 200
        long = {**WEATHER, "function": {"name": "f", "description": "word " * 20_000}}
        heard = await house.chat(ONE, ultrai=cap, tools=[long])
        assert (heard.status, heard.body["error"]["code"]) == (402, "refused_by_budget")

    at_home(story)
