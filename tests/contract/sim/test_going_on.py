"""Worlds that change while they go on, latencies that vary, and the board that shows it all."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from io import StringIO
from statistics import median

import pytest
from tests.contract.sim.talking import MODEL, ask, fetch, talk, with_simulator

from ultrai_sim import Fault, Latency, Model, World
from ultrai_sim.board import Board
from ultrai_sim.catalogue import load_catalogue
from ultrai_sim.changes import Change
from ultrai_sim.pace import Pace, Spread, pace_of


def test_a_price_changes_after_so_many_requests():
    change = Change(requests=2, model=MODEL, pricing={"completion": "1"})

    async def story(sim):
        costs = [(await ask(sim, max_tokens=5)).body["usage"]["cost"] for _ in range(3)]
        listed = (await fetch(sim, "/models")).body["data"]
        row = next(row for row in listed if row["id"] == MODEL)
        return costs, row["pricing"]["completion"]

    costs, listed = with_simulator(World(changes=[change]), story)
    assert costs[0] == costs[1] < costs[2]
    assert listed == "1"


def test_a_model_goes_and_another_comes():
    changes = [
        Change(at_s=60, model=MODEL, retired=True),
        Change(at_s=60, add=Model(id="acme/new", name="New", canonical="acme/new")),
    ]

    async def story(sim):
        before = [(await ask(sim, model)).status for model in (MODEL, "acme/new")]
        await talk("POST", f"{sim.origin}/sim/clock", {}, json={"advance_s": 61})
        after = [(await ask(sim, model)).status for model in (MODEL, "acme/new")]
        return before, after

    assert with_simulator(World(changes=changes), story) == ([200, 400], [404, 200])


def test_credit_comes_in_and_faults_go():
    world = World(
        faults=[Fault(kind="status", status=503)],
        changes=[Change(requests=1, faults=(), credits_usd="5")],
    )

    async def story(sim):
        return [(await ask(sim)).status for _ in range(2)], float(world.money.bought)

    assert with_simulator(world, story) == ([503, 200], 1005.0)


def test_a_reset_lets_the_changes_come_again():
    world = World(changes=[Change(requests=1, model=MODEL, retired=True)])

    async def story(sim):
        first = [(await ask(sim)).status for _ in range(2)]
        await talk("POST", f"{sim.origin}/sim/reset", {})
        return first + [(await ask(sim)).status for _ in range(2)]

    assert with_simulator(world, story) == [200, 404, 200, 404]


def test_a_spread_has_its_median_and_its_tail():
    spread = Spread(0.4, 2.0)
    assert spread.at(0.5) == pytest.approx(0.4)
    assert spread.at(0.95) == pytest.approx(2.0)
    pace = Pace("*", Latency(head_s=0.1), {"first_token_s": spread})
    drawn = [pace.latency(f"{n}".encode()).first_token_s for n in range(2000)]
    assert median(drawn) == pytest.approx(0.4, rel=0.15)
    assert drawn[0] == pace.latency(b"0").first_token_s
    assert pace.latency(b"0").head_s == 0.1


def test_the_last_pattern_that_fits_decides():
    paces = (Pace("*"), Pace("openai/*", Latency(head_s=1)), Pace(MODEL, Latency(head_s=2)))
    assert pace_of(paces, MODEL).base.head_s == 2
    assert pace_of(paces, "openai/other").base.head_s == 1
    assert pace_of(paces, "a/b").base.head_s == 0
    assert pace_of((Pace("x/*"),), "a/b") is None


def test_a_request_takes_as_long_as_its_model():
    world = World(paces=(Pace("*"), Pace(MODEL, Latency(head_s=0.2))))

    async def story(sim):
        loop = asyncio.get_running_loop()
        took = []
        for model in (MODEL, "openai/gpt-4o-mini"):
            began = loop.time()
            await ask(sim, model)
            took.append(loop.time() - began)
        return took

    slow, quick = with_simulator(world, story)
    assert slow > 0.2 > quick


def test_the_board_tells_what_happened():
    from rich.console import Console

    world = World(faults=[Fault(kind="status", status=503, attempts=(1,))])
    board = Board(world, "http://127.0.0.1:1/api/v1")
    world.observers.append(board.observe)

    async def story(sim):
        for _ in range(3):
            await ask(sim)
        await fetch(sim, "/models")

    with_simulator(world, story)
    console = Console(width=80, record=True, no_color=True, file=StringIO())
    console.print(board.render())
    shown = console.export_text()
    assert "4 requests · 0 in flight · billed $0.00" in shown
    assert "status" in shown
    assert "status ×2" not in shown, "it struck one request, at both providers of the model"
    row = next(line for line in shown.splitlines() if line.strip().startswith(MODEL))
    assert row.split()[1:3] == ["2", "1"]
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert board.summary().startswith("4 requests came, 1 fault fired, billed $0.00")


@pytest.mark.parametrize("height", [4, 6, 9, 14, 24, 60])
def test_the_board_fits_into_a_terminal_of_any_height_and_says_whose_key_is_strange(height):
    from rich.console import Console

    world = World(faults=[Fault(kind="status", status=503, attempts=(1,))])
    board = Board(world, "http://127.0.0.1:1/api/v1")
    world.observers.append(board.observe)

    async def story(sim):
        for model in list(world.listing.models)[:20]:
            await ask(sim, model)
        await fetch(sim, "/key", key="sk-or-v1-of-another-seed")

    with_simulator(world, story)
    console = Console(width=80, record=True, no_color=True, file=StringIO())
    console.print(board.render(height))
    shown = console.export_text().splitlines()
    assert len(shown) < height
    assert "21 requests" in shown[1]
    assert "The last 1 request had no key of this simulator" in shown[2]
    if height >= 24:
        assert "401" in shown[-1]
        assert any(line.startswith(" and ") for line in shown), (
            "models that have no room are counted"
        )


def test_the_same_question_is_read_anew_once_its_model_has_changed():
    row = load_catalogue("today").models[MODEL]
    heedless = replace(row, parameters=[name for name in row.parameters if name != "stop"])

    async def story(sim):
        return [await ask(sim, stop=["the"]) for _ in range(2)]

    heard = with_simulator(World(changes=[Change(requests=1, add=heedless)]), story)
    before, after = (one.body["choices"][0]["message"]["content"] for one in heard)
    assert after.startswith(f"{before}the")
