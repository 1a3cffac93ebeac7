"""The official Python client at every other route: catalogue, keys, days, credits, vectors."""

from __future__ import annotations

import asyncio

import pytest
from openrouter import OpenRouter, errors
from tests.contract.sim.talking import MODEL, PROMPT, ask, with_simulator
from tests.contract.sim.test_official_client import NO_RETRIES

from ultrai_sim import World
from ultrai_sim.catalogue import BUILT_IN

AUTHOR, SLUG = MODEL.split("/")
MESSAGES = [{"role": "user", "content": PROMPT}]
DAY_S = 86_400.0
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the client's own, of fields


def using(job, *, manages=False, world=None, before=None):
    """Run a blocking job with the official client and a key of either kind."""

    def work(sim):
        key = sim.world.management_key if manages else sim.api_key
        with OpenRouter(api_key=key, server_url=sim.base_url, retry_config=NO_RETRIES) as client:
            return job(client)

    async def story(sim):
        if before is not None:
            await before(sim)
        return await asyncio.to_thread(work, sim), sim.world

    return with_simulator(world, story)


def test_it_reads_a_keys_whole_life():
    def job(client):
        made = client.api_keys.create(name="one", limit=5, limit_reset="weekly")
        secret = made.data.hash
        read = client.api_keys.get(hash=secret)
        changed = client.api_keys.update(hash=secret, name="other", disabled=True)
        listed = client.api_keys.list(include_disabled=True)
        deleted = client.api_keys.delete(hash=secret)
        with pytest.raises(errors.NotFoundResponseError):
            client.api_keys.get(hash=secret)
        return made, read, changed, listed, deleted

    (made, read, changed, listed, deleted), _ = using(job, manages=True)
    assert made.key.startswith("sk-or-v1-")
    assert read.data.model_dump() == made.data.model_dump()
    assert (changed.data.name, changed.data.disabled, changed.data.limit) == ("other", True, 5)
    assert changed.data.updated_at is not None
    assert changed.data.hash in [row.hash for row in listed.data]
    assert deleted.DELETED is True


def test_a_key_that_may_not_manage_is_told_so():
    def job(client):
        for refused in (client.api_keys.list, client.analytics.get_user_activity):
            with pytest.raises((errors.UnauthorizedResponseError, errors.ForbiddenResponseError)):
                refused()

    using(job)


def test_it_reads_the_credits():
    def job(client):
        return client.credits.get_credits()

    told, world = using(job, manages=True, before=ask)
    assert told.data.total_credits == 1000
    assert told.data.total_usage == pytest.approx(float(world.money.used))


def test_it_reads_the_activity_of_the_days_before():
    async def yesterday(sim):
        await ask(sim)
        sim.world.advance(DAY_S)

    def job(client):
        return client.analytics.get_user_activity()

    activity, world = using(job, manages=True, before=yesterday)
    (row,) = activity.data
    assert (row.model, row.requests) == (MODEL, 1)
    assert row.usage == float(world.bill[0].cost)
    assert row.prompt_tokens == world.bill[0].prompt_tokens


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_it_reads_every_row_of_every_catalogue(name):
    def job(client):
        listed = client.models.list().result.data
        return listed, client.models.count()

    (listed, count), world = using(job, world=World(catalogue=name))
    assert len(listed) == count.data.count > 0
    assert {row.id for row in listed} <= set(world.listing.models)


def test_it_reads_every_models_endpoints_and_row():
    def job(client):
        rows, providers = client.models.list().result.data, client.providers.list().data
        known = {provider.name for provider in providers}
        for row in rows:
            author, slug = row.id.split("/")
            endpoints = client.endpoints.list(author=author, slug=slug).data
            assert endpoints.id == row.id
            assert {endpoint.provider_name for endpoint in endpoints.endpoints} <= known
            assert client.models.get(author=author, slug=slug).data.id == row.id
        return len(rows)

    rows, _ = using(job)
    assert rows > 50


def test_it_reads_the_endpoints_that_keep_nothing():
    def job(client):
        return client.endpoints.list_zdr_endpoints().data

    endpoints, world = using(job)
    assert {endpoint.model_id for endpoint in endpoints} <= set(world.listing.models)
    assert endpoints


def test_it_reads_the_models_of_a_user():
    def job(client):
        return client.models.list().result.data

    def own(sim):
        with OpenRouter(server_url=sim.base_url, retry_config=NO_RETRIES) as client:
            return client.models.list_for_user(security={"bearer": sim.api_key}).result.data

    async def story(sim):
        return await asyncio.to_thread(own, sim)

    listed, _ = using(job)
    assert {row.id for row in with_simulator(None, story)} <= {row.id for row in listed}


def test_it_reads_what_a_generation_said():
    def job(client):
        result = client.chat.send(model=MODEL, messages=MESSAGES)
        return result, client.generations.list_generation_content(id=result.id)

    (result, content), _ = using(job)
    assert content.data.output.completion == result.choices[0].message.content
    assert content.data.input.messages == MESSAGES


@pytest.mark.parametrize("given", ["a text", ["one", "two"], [1, 2, 3], [[1, 2], [3]]])
@pytest.mark.parametrize("coding", ["float", "base64"])
def test_it_reads_vectors_of_every_input(given, coding):
    model = "openai/text-embedding-3-small"

    def job(client):
        made = client.embeddings.generate(model=model, input=given, encoding_format=coding)
        return made, client.embeddings.list_models().result.data

    (made, listed), _ = using(job)
    assert [row.index for row in made.data] == list(range(len(made.data)))
    assert made.usage.cost > 0
    assert model in [row.id for row in listed]
