"""OpenAI's Responses and Anthropic's Messages, with their makers' own clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from anthropic.types import Message
from openai.types.responses import Response
from tests.contract.serve.house import ASKED, ONE, PROMPT, THREE, TWO, Heard, House, at_home

from ultrai_sim import Fault, Latency

TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ANTHROPIC_TOOL = {"name": "get_weather", "input_schema": TOOL["parameters"]}
CALLS = Fault(kind="tool_calls", model=ONE)


def told(
    job: Callable[[openai.OpenAI, anthropic.Anthropic], Any], *faults: Fault, **more: Any
) -> Any:
    """What comes of both clients before one house."""

    def work(house: House) -> Any:
        with (
            openai.OpenAI(api_key="any", base_url=f"{house.url}/v1", max_retries=0) as one,
            anthropic.Anthropic(api_key="any", base_url=house.url, max_retries=0) as other,
        ):
            return job(one, other)

    async def story(house: House) -> Any:
        return await asyncio.to_thread(work, house)

    return at_home(story, *faults, **more)


def test_a_response_is_whole_or_streamed_and_says_the_same() -> None:
    def job(client: openai.OpenAI, _: anthropic.Anthropic) -> None:
        for model in (ONE, "ultrai/trio", "ultrai/trio:first", "ultrai/trio:all"):
            whole = client.responses.create(model=model, input=PROMPT, max_output_tokens=1000)
            Response.model_validate(whole.model_dump())
            assert whole.status == "completed"
            assert whole.output_text
            assert whole.usage is not None
            assert whole.usage.output_tokens > 0
            assert (whole.model_extra or {})["ultrai"]["run_id"].startswith("run_")
            with client.responses.stream(model=model, input=PROMPT) as stream:
                numbers, deltas = [], []
                for event in stream:
                    numbers.append(event.sequence_number)
                    if event.type == "response.output_text.delta":
                        deltas.append(event.delta)
                last = stream.get_final_response()
            assert numbers == list(range(len(numbers)))
            assert last.status == "completed"
            if not model.endswith(":all"):
                assert "".join(deltas) == last.output_text
            assert len(last.output) == (3 if model.endswith(":all") else 1)

    told(job, latency=Latency(per_token_s=0.001))


def test_a_conversation_tools_and_their_results_go_through() -> None:
    def job(client: openai.OpenAI, other: anthropic.Anthropic) -> None:
        whole = client.responses.create(model=ONE, input=PROMPT, tools=[TOOL])
        (call,) = [item for item in whole.output if item.type == "function_call"]
        assert json.loads(call.arguments) is not None
        with client.responses.stream(model=ONE, input=PROMPT, tools=[TOOL]) as stream:
            kinds = {event.type for event in stream}
        assert "response.function_call_arguments.done" in kinds
        client.responses.create(
            model=TWO,
            instructions="Be brief.",
            input=[
                {"role": "user", "content": [{"type": "input_text", "text": PROMPT}]},
                {
                    "type": "function_call",
                    "call_id": call.call_id,
                    "name": call.name,
                    "arguments": call.arguments,
                },
                {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"},
            ],
            tools=[TOOL],
        )
        message = other.messages.create(
            model=ONE, max_tokens=500, messages=ASKED, tools=[ANTHROPIC_TOOL]
        )
        (use,) = [block for block in message.content if block.type == "tool_use"]
        assert message.stop_reason == "tool_use"
        other.messages.create(
            model=TWO,
            max_tokens=500,
            system=[{"type": "text", "text": "Be brief."}],
            messages=[
                *ASKED,
                {"role": "assistant", "content": [use.model_dump()]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": use.id, "content": "sunny"},
                        {"type": "text", "text": "And now?"},
                    ],
                },
            ],
            tools=[ANTHROPIC_TOOL],
        )

    async def story(house: House) -> None:
        def work() -> None:
            with (
                openai.OpenAI(api_key="any", base_url=f"{house.url}/v1", max_retries=0) as one,
                anthropic.Anthropic(api_key="any", base_url=house.url, max_retries=0) as other,
            ):
                job(one, other)

        await asyncio.to_thread(work)
        first, second = [seen.body["messages"] for seen in house.sim.world.chats(TWO)]
        assert [m["role"] for m in first] == ["system", "user", "assistant", "tool"]
        assert [m["role"] for m in second] == ["system", "user", "assistant", "tool", "user"]
        assert second[3]["content"] == "sunny"

    at_home(story, CALLS)


def test_a_message_is_whole_or_streamed_and_says_the_same() -> None:
    def job(_: openai.OpenAI, client: anthropic.Anthropic) -> None:
        for model in (ONE, "ultrai/trio", "ultrai/trio:first"):
            whole = client.messages.create(model=model, max_tokens=1000, messages=ASKED)
            Message.model_validate(whole.model_dump())
            (block,) = [each for each in whole.content if each.type == "text"]
            assert block.text
            assert whole.stop_reason == "end_turn"
            assert whole.usage.output_tokens > 0
            with client.messages.stream(model=model, max_tokens=1000, messages=ASKED) as stream:
                text = "".join(stream.text_stream)
                last = stream.get_final_message()
            assert text == "".join(b.text for b in last.content if b.type == "text")
            assert last.stop_reason == "end_turn"
            assert last.usage.output_tokens > 0

    told(job, latency=Latency(per_token_s=0.001))


def test_an_answer_that_is_cut_says_so_in_both() -> None:
    def job(client: openai.OpenAI, other: anthropic.Anthropic) -> None:
        response = client.responses.create(model=TWO, input=PROMPT, max_output_tokens=5)
        assert response.status == "incomplete"
        assert response.incomplete_details is not None
        assert response.incomplete_details.reason == "max_output_tokens"
        message = other.messages.create(model=TWO, max_tokens=5, messages=ASKED)
        assert message.stop_reason == "max_tokens"

    told(job)


def test_errors_are_the_clients_own_exceptions() -> None:
    def job(client: openai.OpenAI, other: anthropic.Anthropic) -> None:
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="ultrai/nobody", input=PROMPT)
        with pytest.raises(openai.BadRequestError) as kept:
            client.responses.create(model=ONE, input=PROMPT, previous_response_id="resp_1")
        assert kept.value.code == "not_available_yet"
        with pytest.raises(openai.InternalServerError):
            client.responses.create(model=TWO, input=PROMPT)
        events = list(client.responses.create(model=THREE, input=PROMPT, stream=True))
        assert events[-1].type == "response.failed"
        with pytest.raises(anthropic.NotFoundError) as lost:
            other.messages.create(model="ultrai/nobody", max_tokens=5, messages=ASKED)
        assert lost.value.body["error"]["type"] == "not_found_error"
        with pytest.raises(anthropic.BadRequestError, match="one voice"):
            other.messages.create(model="ultrai/trio:all", max_tokens=5, messages=ASKED)
        with pytest.raises(anthropic.InternalServerError) as failed:
            other.messages.create(model=TWO, max_tokens=5, messages=ASKED)
        assert failed.value.body["type"] == "error"
        with (
            pytest.raises(anthropic.APIStatusError),
            other.messages.stream(model=THREE, max_tokens=500, messages=ASKED) as stream,
        ):
            list(stream.text_stream)

    told(
        job,
        Fault(kind="status", status=403, model=TWO),
        Fault(kind="cut", model=THREE, after=3),
        latency=Latency(per_token_s=0.01),
    )


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("responses", {"input": [{"type": "image_generation_call"}]}, "not_available_yet"),
        ("responses", {"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, None),
        ("responses", {"input": [{"role": "user", "content": 7}]}, "bad_usage"),
        ("responses", {"tools": [{"type": "web_search"}]}, "not_available_yet"),
        ("responses", {"background": True}, "not_available_yet"),
        ("responses", {"input": 5}, "bad_usage"),
        ("messages", {"messages": [{"role": "system", "content": "x"}]}, "bad_usage"),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, None),
        ("messages", {"messages": [{"role": "user", "content": [7]}]}, None),
        ("messages", {"messages": [{"role": "user"}]}, "bad_usage"),
        ("messages", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "not_available_yet"),
        ("messages", {"tool_choice": {"type": "whatever"}}, "bad_usage"),
        ("messages", {"max_tokens": None}, "bad_usage"),
        ("messages", {"mcp_servers": [{"url": "http://x"}]}, "not_available_yet"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    path: str, change: dict[str, Any], code: str | None
) -> None:
    usual = {
        "responses": {"model": ONE, "input": PROMPT},
        "messages": {"model": ONE, "max_tokens": 5, "messages": ASKED},
    }[path]

    async def story(house: House) -> Heard:
        return await house.send("POST", f"/v1/{path}", json={**usual, **change})

    heard = at_home(story)
    assert heard.status == 400, heard.raw
    assert heard.body["error"]["code"] == (code or "not_available_yet")
    assert (heard.body.get("type") == "error") == (path == "messages")


def test_what_is_left_out_is_a_notice_and_formats_are_passed_on() -> None:
    async def story(house: House) -> None:
        schema = {"type": "json_schema", "name": "x", "schema": {"type": "object"}}
        body = {
            "model": ONE,
            "input": PROMPT,
            "text": {"format": schema},
            "colour": "blue",
            "store": True,
            "reasoning": {"effort": "low"},
        }
        heard = await house.send("POST", "/v1/responses", json=body)
        notices = [each["message"] for each in heard.body["ultrai"]["notices"]]
        assert any("'colour'" in each for each in notices)
        assert any(each.startswith("store:") for each in notices)
        sent = house.sim.world.chats(ONE)[-1].body
        assert sent["response_format"]["json_schema"]["name"] == "x"
        ask = {"model": ONE, "max_tokens": 5, "messages": ASKED, "stop_sequences": ["END"]}
        heard = await house.send("POST", "/v1/messages", json={**ask, "temperature": 0})
        assert heard.status == 200
        sent = house.sim.world.chats(ONE)[-1].body
        assert (sent["stop"], sent["temperature"]) == (["END"], 0)

    at_home(story)
