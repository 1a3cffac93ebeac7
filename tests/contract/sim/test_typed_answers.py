"""The typed models of the official clients accept whatever simulated models say."""

from __future__ import annotations

import asyncio

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openrouter import OpenRouter
from tests.contract.sim.talking import with_simulator
from tests.contract.sim.test_speech import ASKED, SHAPED, WEATHER

MODELS = [
    "openai/gpt-4o",
    "openai/gpt-6.1-sol",
    "anthropic/claude-sonnet-5.5",
    "google/gemini-2.5-pro",
    "deepseek/deepseek-r1-0528",
    "x-ai/grok-4.7",
    "mistralai/mistral-large",
]
REQUESTS = [
    {},
    {"tools": [WEATHER]},
    {"response_format": SHAPED},
    {"logprobs": True, "top_logprobs": 2},
    {"max_tokens": 5},
    {"stop": ["the"]},
    {"plugins": [{"id": "web"}]},
    {"reasoning": {"effort": "high"}},
]
EXTRAS = ("plugins", "reasoning")


@pytest.mark.parametrize("model", MODELS)
def test_every_answer_of_a_model_is_read_by_both_clients_alike(model):
    def job(sim):
        with (
            OpenRouter(api_key=sim.api_key, server_url=sim.base_url) as ours,
            OpenAI(api_key=sim.api_key, base_url=sim.base_url, max_retries=0) as theirs,
        ):
            return [(_by_openrouter(ours, one), _by_openai(theirs, one)) for one in REQUESTS]

    def _by_openrouter(client, fields):
        whole = client.chat.send(model=model, messages=ASKED, **fields)
        with client.chat.send(model=model, messages=ASKED, stream=True, **fields) as events:
            chunks = list(events)
        assert chunks[-1].usage.cost == whole.usage.cost
        return _read(whole, chunks)

    def _by_openai(client, fields):
        known = {name: value for name, value in fields.items() if name not in EXTRAS}
        extra = {name: value for name, value in fields.items() if name in EXTRAS}
        create = client.chat.completions.create
        whole = create(model=model, messages=ASKED, extra_body=extra, **known)
        chunks = list(create(model=model, messages=ASKED, extra_body=extra, stream=True, **known))
        # The client builds its models without checking them.
        ChatCompletion.model_validate(whole.model_dump())
        for chunk in chunks:
            ChatCompletionChunk.model_validate(chunk.model_dump())
        return _read(whole, chunks)

    async def story(sim):
        return await asyncio.to_thread(job, sim)

    for ours, theirs in with_simulator(None, story):
        assert ours == theirs


def _read(whole, chunks):
    """What both clients make of an answer: its text, streamed and not, reason and tokens."""
    (choice,) = whole.choices
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert streamed == (choice.message.content or "")
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    calls = choice.message.tool_calls or []
    return (
        streamed,
        choice.finish_reason,
        whole.usage.total_tokens,
        [(call.function.name, call.function.arguments) for call in calls],
    )
