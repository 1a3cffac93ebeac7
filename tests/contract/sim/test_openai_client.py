"""OpenAI's own Python client, as those use it who came from there: its types and its exceptions."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest
from openai.types import CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel
from tests.contract.sim.talking import MODEL, PROMPT, with_simulator
from tests.contract.sim.test_speech import ASKED, WEATHER

from ultrai_sim import Fault, World

MESSAGES = [{"role": "user", "content": PROMPT}]
EMBEDDER = "openai/text-embedding-3-small"


class Person(BaseModel):
    """What is asked for in a shape."""

    name: str
    age: int
    tags: list[str]


def using(job, *, world=None, key=None):
    def work(sim):
        key_ = key or sim.api_key
        with openai.OpenAI(api_key=key_, base_url=sim.base_url, max_retries=0) as client:
            return job(client)

    async def story(sim):
        return await asyncio.to_thread(work, sim)

    return with_simulator(world, story)


def checked(model, answer):
    """An answer held against its type: the client builds its models without checking them."""
    model.model_validate(answer.model_dump())
    return answer


def test_a_chat_and_a_stream_are_the_same_answer():
    def job(client):
        whole = client.chat.completions.create(model=MODEL, messages=MESSAGES)
        with client.chat.completions.stream(
            model=MODEL, messages=MESSAGES, stream_options={"include_usage": True}
        ) as events:
            chunks = [event.chunk for event in events if event.type == "chunk"]
            return whole, chunks, events.get_final_completion()

    whole, chunks, last = using(job)
    checked(ChatCompletion, whole)
    for chunk in chunks:
        checked(ChatCompletionChunk, chunk)
    assert last.choices[0].message.content == whole.choices[0].message.content
    assert last.choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    assert last.usage.total_tokens == whole.usage.total_tokens


@pytest.mark.parametrize("model", [MODEL, "anthropic/claude-sonnet-5.5", "x-ai/grok-4.7"])
def test_its_helper_reads_a_shape(model):
    def job(client):
        parse = client.chat.completions.parse
        whole = parse(model=model, messages=MESSAGES, response_format=Person)
        with client.chat.completions.stream(
            model=model, messages=MESSAGES, response_format=Person
        ) as events:
            return whole, events.get_final_completion()

    whole, streamed = using(job)
    assert isinstance(whole.choices[0].message.parsed, Person)
    assert streamed.choices[0].message.parsed == whole.choices[0].message.parsed


def test_tools_are_called_and_answered():
    def job(client):
        create = client.chat.completions.create
        asked = create(model=MODEL, messages=ASKED, tools=[WEATHER], tool_choice="required")
        message = asked.choices[0].message
        (call,) = message.tool_calls
        result = {"role": "tool", "tool_call_id": call.id, "content": "13 degrees"}
        told = create(model=MODEL, messages=[*ASKED, message, result], tools=[WEATHER])
        with client.chat.completions.stream(
            model=MODEL, messages=ASKED, tools=[WEATHER], tool_choice="required"
        ) as events:
            return call, told, events.get_final_completion()

    call, told, streamed = using(job)
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    assert "13 degrees" in told.choices[0].message.content
    (same,) = streamed.choices[0].message.tool_calls
    assert (same.id, same.function.name) == (call.id, call.function.name)
    assert same.function.arguments == call.function.arguments


def test_vectors_and_models_have_its_types():
    def job(client):
        packed = client.embeddings.create(model=EMBEDDER, input=["one", "two"])
        plain = client.embeddings.create(
            model=EMBEDDER, input=["one", "two"], encoding_format="float"
        )
        return packed, plain, list(client.models.list())

    packed, plain, models = using(job)
    checked(CreateEmbeddingResponse, packed)
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-7)
    assert MODEL in [model.id for model in models]
    assert all(isinstance(model, Model) for model in models)


def test_a_prompt_is_completed():
    def job(client):
        return client.completions.create(model=MODEL, prompt=PROMPT)

    result = using(job)
    assert result.object == "text_completion"
    assert result.choices[0].text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (402, openai.APIStatusError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (502, openai.InternalServerError),
        (503, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_every_error_is_the_exception_it_knows(status, kind):
    world = World(faults=[Fault(kind="status", status=status, message="as told")])

    def job(client):
        client.chat.completions.create(model=MODEL, messages=MESSAGES)

    with pytest.raises(kind, match="as told") as caught:
        using(job, world=world)
    assert caught.value.status_code == status


def test_what_the_simulator_refuses_by_itself_is_known_too():
    def job(client):
        client.chat.completions.create(model="nobody/nothing", messages=MESSAGES)

    with pytest.raises(openai.BadRequestError, match="not a valid model ID"):
        using(job)
    with pytest.raises(openai.AuthenticationError, match="User not found"):
        using(job, key="sk-or-v1-0")


def test_an_error_inside_a_stream_is_thrown():
    def job(client):
        return list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))

    with pytest.raises(openai.APIError, match="Provider disconnected"):
        using(job, world=World(faults=[Fault(kind="error_mid_stream")]))


def test_a_connection_that_breaks_is_thrown():
    def job(client):
        client.chat.completions.create(model=MODEL, messages=MESSAGES)

    with pytest.raises(openai.APIConnectionError):
        using(job, world=World(faults=[Fault(kind="reset")]))
