"""When a fault strikes: by pattern, key, chance, time, and how often."""

from __future__ import annotations

import pytest
from tests.contract.sim.talking import MODEL, ask, fetch, talk, with_simulator

from ultrai_sim import Fault, World
from ultrai_sim.aim import Occasion
from ultrai_sim.faults import FaultBook
from ultrai_sim.keys import KeyTerms

MINI = "openai/gpt-4o-mini"


def statuses(fault, *models):
    async def story(sim):
        alone = {"allow_fallbacks": False}  # or another provider would step in
        return [(await ask(sim, model, provider=alone)).status for model in models]

    return with_simulator(World(faults=[fault]), story)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("openai/*", [503, 503, 200]), ("*/gpt-4o-mini", [200, 503, 200]), ("*", [503] * 3)],
)
def test_a_model_may_be_a_pattern(pattern, expected):
    fault = Fault(kind="status", status=503, model=pattern)
    assert statuses(fault, MODEL, MINI, "mistralai/mistral-large") == expected


@pytest.mark.parametrize("pattern", ["open*", "OpenAI", "openai"])
def test_a_provider_may_be_a_pattern(pattern):
    fault = Fault(kind="status", status=503, provider=pattern)
    assert statuses(fault, MODEL, "mistralai/mistral-large") == [503, 200]


def test_a_fault_may_hit_one_key_only():
    keys = (KeyTerms("sk-or-v1-a", name="alpha"), KeyTerms("sk-or-v1-b", name="beta"))
    world = World(keys=keys, faults=[Fault(kind="status", status=503, key="be*")])

    async def story(sim):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
        url = f"{sim.base_url}/chat/completions"
        heard = []
        for key in ("sk-or-v1-a", "sk-or-v1-b"):
            headers = {"Authorization": f"Bearer {key}"}
            heard.append((await talk("POST", url, headers, json=body)).status)
        return heard

    assert with_simulator(world, story) == [200, 503]


def test_a_fault_strikes_so_often_and_no_more():
    fault = Fault(kind="status", status=503, times=2)
    assert statuses(fault, MODEL, MINI, MODEL, MODEL) == [503, 503, 200, 200]


def test_chance_follows_the_seed():
    def struck(seed, share=0.3):
        book = FaultBook([Fault(kind="cut", probability=share)], seed=seed)
        return [bool(book.due(Occasion("a/b", n, "P"))) for n in range(1, 1001)]

    assert struck(1) == struck(1) != struck(2)
    assert 250 < sum(struck(1)) < 350
    assert not any(struck(1, 0.0))
    assert all(struck(1, 1.0))


def test_a_fault_has_its_time_and_may_flap():
    fault = Fault(kind="cut", from_s=10, until_s=30, on_s=2, off_s=3)
    book = FaultBook([fault])
    struck = [s for s in range(40) if book.due(Occasion("a/b", 1, "P", since_s=s))]
    assert struck == [10, 11, 15, 16, 20, 21, 25, 26]


def test_the_worlds_clock_decides():
    async def story(sim):
        before = (await ask(sim)).status
        await talk("POST", f"{sim.origin}/sim/clock", {}, json={"advance_s": 60})
        during = (await ask(sim)).status
        await talk("POST", f"{sim.origin}/sim/clock", {}, json={"advance_s": 60})
        return before, during, (await ask(sim)).status

    fault = Fault(kind="status", status=503, from_s=30, until_s=90)
    assert with_simulator(World(faults=[fault]), story) == (200, 503, 200)


def test_a_reset_forgets_how_often_a_fault_has_struck():
    async def story(sim):
        first = [(await ask(sim)).status for _ in range(2)]
        await talk("POST", f"{sim.origin}/sim/reset", {})
        assert (await fetch(sim, "/sim/faults")).body["faults"][0]["times"] == 1
        return first, (await ask(sim)).status

    fault = Fault(kind="status", status=503, times=1)
    assert with_simulator(World(faults=[fault]), story) == ([503, 200], 503)
