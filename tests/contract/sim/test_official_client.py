"""The official Python client understands the simulator: so the wire is right enough for it."""

from __future__ import annotations

import asyncio

import pytest
from openrouter import OpenRouter, errors
from openrouter.utils import BackoffStrategy, RetryConfig
from tests.contract.sim.talking import MODEL, PROMPT, with_simulator

from ultrai_sim import Fault, World

MESSAGES = [{"role": "user", "content": PROMPT}]
NO_RETRIES = RetryConfig("none", BackoffStrategy(1, 1, 1, 1), retry_connection_errors=False)


def using(world, job):
    """Run a blocking job with the official client, while the simulator serves."""

    def work(sim):
        with OpenRouter(
            api_key=sim.api_key, server_url=sim.base_url, retry_config=NO_RETRIES
        ) as client:
            return job(client)

    async def story(sim):
        return await asyncio.to_thread(work, sim)

    return with_simulator(world, story)


def test_it_reads_an_answer():
    result = using(None, lambda client: client.chat.send(model=MODEL, messages=MESSAGES))
    assert result.choices[0].message.content
    assert result.choices[0].finish_reason == "stop"
    assert result.usage.total_tokens == result.usage.prompt_tokens + result.usage.completion_tokens
    assert result.usage.cost > 0


@pytest.mark.parametrize("dialect", ["a", "b", "c"])
def test_it_reads_a_stream_of_every_dialect(dialect):
    def job(client):
        with client.chat.send(model=MODEL, messages=MESSAGES, stream=True) as events:
            return list(events)

    chunks = using(World(usage_dialect=dialect), job)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    plain = using(None, lambda client: client.chat.send(model=MODEL, messages=MESSAGES))
    assert text == plain.choices[0].message.content
    assert chunks[-1].usage.cost == plain.usage.cost


def test_it_reads_reasoning():
    model = "deepseek/deepseek-r1-0528"
    result = using(None, lambda client: client.chat.send(model=model, messages=MESSAGES))
    assert result.choices[0].message.reasoning


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own, about a field of /key
def test_it_lists_the_models_and_the_account():
    def job(client):
        return client.models.list(), client.api_keys.get_current_key_metadata()

    models, key = using(None, job)
    assert MODEL in [model.id for model in models.result.data]
    assert key.data.free_model_daily_requests.limit == 1000


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestResponseError),
        (401, errors.UnauthorizedResponseError),
        (402, errors.PaymentRequiredResponseError),
        (403, errors.ForbiddenResponseError),
        (404, errors.NotFoundResponseError),
        (408, errors.RequestTimeoutResponseError),
        (429, errors.TooManyRequestsResponseError),
        (500, errors.InternalServerResponseError),
        (502, errors.BadGatewayResponseError),
        (503, errors.ServiceUnavailableResponseError),
        (529, errors.ProviderOverloadedResponseError),
    ],
)
def test_it_knows_every_error_for_what_it_is(status, kind):
    world = World(faults=[Fault(kind="status", status=status, message="as told")])
    with pytest.raises(kind, match="as told"):
        using(world, lambda client: client.chat.send(model=MODEL, messages=MESSAGES))


def test_it_sees_an_error_inside_a_stream():
    def job(client):
        with client.chat.send(model=MODEL, messages=MESSAGES, stream=True) as events:
            return list(events)

    chunks = using(World(faults=[Fault(kind="error_mid_stream")]), job)
    assert chunks[-1].error.code == 502
    assert chunks[-1].choices[0].finish_reason == "error"


def test_it_finds_a_generation():
    def job(client):
        result = client.chat.send(model=MODEL, messages=MESSAGES)
        return result, client.generations.get_generation(id=result.id)

    result, generation = using(None, job)
    assert generation.data.total_cost == result.usage.cost
