"""A key from a real OpenBao: with a token, with an AppRole, while it dies and when it is back."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sys
from collections.abc import Iterator

import pytest
from tests.contract.money.openbao import TOKEN, OpenBao, openbao
from tests.contract.money.references import key_of, loaded, problem_of
from tests.contract.sim.talking import with_simulator

import ultrai
from ultrai.domain.ask import Ask
from ultrai.domain.errors import CredentialsError, KeyRefused
from ultrai.domain.query import Message
from ultrai.domain.secret import Secret
from ultrai.settings import key_reference
from ultrai.settings.model import UpstreamSettings
from ultrai_sim import KeyTerms, World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="its server is packaged for Linux")

MODEL = "openai/gpt-4o-mini"
REFERENCE = "vault:secret/ultrai#openrouter"
FIRST = "sk-or-v1-the-first-key-0123456789"
ASK = Ask((Message("user", "hello"),), models=(MODEL,))
OTHER = "sk-or-v1-the-other-key-0123456789"


@pytest.fixture
def bao(tmp_path) -> Iterator[OpenBao]:
    with openbao(tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://u:canary@127.0.0.1:1", "the Vault at http://127.0.0.1:1 did not give"),
        ("http://127.0.0.1:1/?token=canary", "the Vault at http://127.0.0.1:1 did not give"),
        ("http://u:x/canary@127.0.0.1:1", "the Vault did not give"),
        ("http://127.0.0.1:1/?t=x@canary", "the Vault did not give"),
    ],
)
def test_the_address_of_a_vault_is_told_without_what_may_be_a_secret(tmp_path, address, told):
    problem = problem_of(loaded(tmp_path, REFERENCE, VAULT_ADDR=address, VAULT_TOKEN="canary"))
    assert told in problem
    assert "canary" not in problem


def test_a_token_and_an_approle_open_it_and_a_stranger_does_not(tmp_path, bao):
    bao.put(OTHER)
    at = {"VAULT_ADDR": bao.address}
    assert key_of(loaded(tmp_path, REFERENCE, **at, VAULT_TOKEN=TOKEN)) == OTHER
    role = bao.role()
    assert key_of(loaded(tmp_path, REFERENCE, **at, **role)) == OTHER
    stranger = loaded(tmp_path, REFERENCE, **at, VAULT_TOKEN="stranger")
    assert "did not give secret/ultrai: permission denied" in problem_of(stranger)
    wrong = loaded(tmp_path, REFERENCE, **at, **{**role, "VAULT_SECRET_ID": "wrong"})
    assert "did not give secret/ultrai: it refuses the request" in problem_of(wrong)
    elsewhere = loaded(tmp_path, "vault:secret/other#openrouter", **at, **role)
    assert "permission denied" in problem_of(elsewhere)


def opened(sim, home, bao) -> ultrai.UltrAI:
    settings = loaded(
        home,
        REFERENCE,
        OPENROUTER_BASE_URL=sim.base_url,
        VAULT_ADDR=bao.address,
        VAULT_TOKEN=TOKEN,
        HOME=str(home),
    )
    return ultrai.open(settings)


def answered(report) -> bool:
    return report.slots[0].answer is not None and len(report.slots[0].attempts) == 1


def test_it_dies_in_the_middle_of_a_run_and_comes_back_with_another_key(
    tmp_path, bao, monkeypatch, caplog
):
    """All the while questions are asked; none fails, and nothing is opened anew."""
    monkeypatch.setattr(key_reference, "_STORE_FRESH_S", 0.1)
    caplog.set_level(logging.WARNING, "ultrai.keys")
    world = World(keys=(KeyTerms(FIRST), KeyTerms(OTHER)))

    async def until(product, line: str) -> list:
        reports = []
        while not any(line in told for told in caplog.messages):
            reports.append(await product.ask(f"question {len(reports)}", models=[MODEL]))
            await asyncio.sleep(0.02)
        return reports

    async def story(sim):
        bao.put(FIRST)
        async with opened(sim, tmp_path, bao) as product:
            reports = [await product.ask("before", models=[MODEL])]
            bao.kill()
            reports += await until(product, "the key that was read before stays in use")
            reports += [await product.ask(f"without {n}", models=[MODEL]) for n in range(20)]
            await asyncio.to_thread(bao.start)
            bao.put(OTHER)
            reports += await until(product, "the key can be read again")
            reports.append(await product.ask("after", models=[MODEL]))
        return reports

    reports = with_simulator(world, story)
    assert len(reports) > 23
    assert all(map(answered, reports))
    assert world.money.keys[OTHER].last_used_at is not None
    assert len(caplog.messages) == 2, "once when it goes and once when it is back"
    assert "did not give secret/ultrai" in caplog.messages[0]
    assert OTHER not in caplog.text + repr(reports)


def test_a_key_that_is_replaced_there_and_refused_at_once_fails_no_request(tmp_path, bao):
    world = World(keys=(KeyTerms(FIRST), KeyTerms(OTHER)))

    async def story(sim):
        bao.put(FIRST)
        async with opened(sim, tmp_path, bao) as product:
            before = await product.ask("before", models=[MODEL])
            bao.put(OTHER)
            world.money.keys[FIRST].disabled = True
            models = [MODEL, "anthropic/claude-3.7-sonnet", "openai/gpt-4o"]
            return before, await product.ask("after", models=models)

    before, after = with_simulator(world, story)
    assert answered(before)
    assert [len(slot.attempts) for slot in after.slots] == [1, 1, 1]
    assert all(slot.answer is not None for slot in after.slots)


def test_a_store_that_was_never_there_is_one_line_before_anything_is_asked(tmp_path, bao):
    bao.kill()
    world = World()

    async def story(sim):
        async with opened(sim, tmp_path, bao) as product:
            assert await product.catalog(), "which needs no key"
            assert (await product.plan(ASK)).slots[0].candidates
            with pytest.raises(CredentialsError) as caught:
                await product.ask("hello", models=[MODEL, "openai/gpt-4o"])
            with pytest.raises(KeyRefused, match="did not give"):
                await product.account()
            history = await product.runs()
            await asyncio.to_thread(bao.start)
            bao.put(sim.api_key)
            return caught.value, history, await product.ask("hello", models=[MODEL])

    error, history, report = with_simulator(world, story)
    assert str(error).startswith("environment: OPENROUTER_API_KEY: the Vault at ")
    assert "did not give secret/ultrai" in str(error)
    assert error.hint == "check VAULT_ADDR, the token and its policy"
    assert history == []
    assert answered(report), "and when the store is there, nothing needs to be opened anew"


def test_with_a_store_away_the_other_upstreams_are_asked_all_the_same(tmp_path, bao):
    bao.kill()

    async def story(sim):
        settings = loaded(
            tmp_path,
            REFERENCE,
            OPENROUTER_BASE_URL=sim.base_url,
            VAULT_ADDR=bao.address,
            VAULT_TOKEN=TOKEN,
            HOME=str(tmp_path),
        )
        other = UpstreamSettings("other", sim.base_url, key=Secret(sim.api_key))
        settings = dataclasses.replace(settings, upstreams={"other": other})
        async with ultrai.open(settings) as product:
            return await product.ask("hello", models=[MODEL, f"other/{MODEL}"])

    report = with_simulator(World(), story)
    (attempt,) = report.slots[0].attempts
    assert attempt.failure is not None
    assert attempt.failure.kind == "auth"
    assert "did not give secret/ultrai" in attempt.failure.message
    assert "\n" not in attempt.failure.message
    assert report.slots[1].answer is not None
