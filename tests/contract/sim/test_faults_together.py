"""Faults that strike together: the order in which they are written does not matter."""

from __future__ import annotations

import asyncio
from itertools import permutations

import pytest
from tests.contract.sim.talking import MODEL, ask, one, with_simulator

from ultrai_sim import Fault, World

DONE = "data: [DONE]"


def heard_in_every_order(*faults, stream=True):
    """What comes of each order of the faults."""
    return [one(World(faults=list(order)), stream=stream) for order in permutations(faults)]


@pytest.mark.parametrize("other", ["frames_joined", "drip", "carriage_returns", "frame_twice"])
def test_a_cut_stream_stays_cut(other):
    options = {"every_s": 0, "size": 100} if other == "drip" else {}
    ways = heard_in_every_order(Fault(kind="cut", after=3), Fault(kind=other, **options))
    assert all(DONE not in heard.raw.decode() for heard in ways)
    assert len({heard.raw.count(b"chat.completion.chunk") for heard in ways}) == 1


@pytest.mark.parametrize(
    ("early", "late"),
    [
        (Fault(kind="cut", after=1), Fault(kind="error_mid_stream", after=4)),
        (Fault(kind="cut", after=1), Fault(kind="length_then_error_400", after=3)),
    ],
)
def test_the_earlier_end_wins(early, late):
    for heard in heard_in_every_order(early, late):
        assert '"error":' not in heard.raw.decode()
    for heard in heard_in_every_order(late, Fault(kind="cut", at="done")):
        assert '"error":' in heard.raw.decode()


def test_the_end_is_missing_whatever_else_is_done_to_the_frames():
    drip = Fault(kind="drip", size=50, every_s=0)
    for heard in heard_in_every_order(
        Fault(kind="done_missing"), drip, Fault(kind="frames_joined")
    ):
        assert DONE not in heard.raw.decode()
        assert '"usage":{' in heard.raw.decode()


@pytest.mark.parametrize("other", ["comments_flood", "bom", "blanks_first", "huge_line"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_length_counts_what_all_others_left(other, stream):
    options = {
        "comments_flood": {"size": 3000},
        "blanks_first": {"seconds": 0.05, "every_s": 0.01},
        "huge_line": {"size": 3000},
    }
    added = Fault(kind=other, **options.get(other, {}))
    for heard in heard_in_every_order(Fault(kind="length_too_long"), added, stream=stream):
        assert heard.broken is not None  # all came, and the client waits for more


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_at_head_means_that_no_head_comes(kind):
    heard = one(World(faults=[Fault(kind=kind, at="head")]), stream=True)
    assert heard.status == 0
    assert heard.broken is not None


def test_a_silence_at_the_head_comes_before_it():
    fault = Fault(kind="stall_mid_text", at="head", seconds=0.3)

    async def story(sim):
        asked = asyncio.create_task(ask(sim, stream=True))
        await asyncio.sleep(0.1)
        status = sim.world.requests[0].status
        return status, (await asked).status

    assert with_simulator(World(faults=[fault]), story) == (None, 200)


def test_a_place_in_a_body_is_a_place_in_its_bytes():
    whole = one(World(), stream=False).raw
    usage = one(World(faults=[Fault(kind="cut", at="usage")]), stream=False).raw
    done = one(World(faults=[Fault(kind="cut", at="done")]), stream=False).raw
    assert usage.endswith(b",")
    assert b'"usage"' not in usage
    assert b'"content"' in usage
    assert len(done) == len(whole) - 1


def test_the_chance_is_the_requests_and_not_each_endpoints():
    fault = Fault(kind="status", status=503, probability=0.5)

    async def story(sim):
        statuses = [(await ask(sim)).status for _ in range(60)]
        struck = sum(1 for seen in sim.world.chats() if seen.faults)
        return statuses, struck

    statuses, struck = with_simulator(World(faults=[fault]), story)
    assert statuses.count(503) == struck
    assert 15 < struck < 45


def test_times_counts_requests_at_once_as_well():
    fault = Fault(kind="status", status=503, times=3)

    async def story(sim):
        return [
            heard.status for heard in await asyncio.gather(*(ask(sim, MODEL) for _ in range(5)))
        ]

    assert sorted(with_simulator(World(faults=[fault]), story)) == [200, 200, 503, 503, 503]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", ["error_first_event", "choice_error", "error_mid_stream"])
def test_the_code_of_an_error_inside_a_200_may_be_anything(kind, stream):
    heard = one(World(faults=[Fault(kind=kind, code="overloaded")]), stream=stream)
    assert '"code":"overloaded"' in heard.raw.decode()


@pytest.mark.parametrize(
    ("pattern", "status"),
    [("openai/gpt-4?", 503), ("openai/gpt-4[ox]", 503), ("openai/gpt-5?", 200), ("*", 503)],
)
def test_a_pattern_may_have_any_wildcard(pattern, status):
    fault = Fault(kind="status", status=503, model=pattern)

    async def story(sim):
        return (await ask(sim, "openai/gpt-4o")).status

    assert with_simulator(World(faults=[fault]), story) == status
