"""Two hundred worlds in every test run; `make soak N=…` plays as many as you like."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.simulation.invariants import violations
from tests.simulation.soak import judge, main
from tests.simulation.stage import play, play_seed
from tests.simulation.worlds import CRASH_POINTS, draw_world

from ultrai.domain.outcome import Cost, CostState

ROOT = Path(__file__).parents[2]
BATCH = 20


@pytest.mark.parametrize("first", range(0, 200, BATCH))
def test_no_world_breaks_an_invariant(first):
    found = {seed: judge(seed)[0] for seed in range(first, first + BATCH)}
    wrong = {f"make simulate SEED={seed}": lines for seed, lines in found.items() if lines}
    assert wrong == {}


@pytest.mark.parametrize("seed", [3, 4, 11])
def test_the_same_seed_gives_the_same_trace(seed):
    assert play_seed(seed).trace() == play_seed(seed).trace()


def test_the_trace_does_not_depend_on_the_order_of_hashes():
    traces = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT}/src"}
        told = subprocess.run(
            [sys.executable, "-m", "tests.simulation.soak", "--seed", "5"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        traces.add(told.stdout.splitlines()[-1])
    assert len(traces) == 1
    assert traces.pop().startswith("trace ")


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_process_that_dies_there_loses_nothing_that_was_shown(point):
    """The first world that reaches the point when it is told to die there."""
    for seed in range(40):
        terms = replace(draw_world(seed), crash_at=point, crash_after=1)
        played = play(terms)
        if played.died_at == point:
            assert violations(played) == []
            return
    pytest.fail(f"no world reached {point!r}")


def _told_by(played):
    return next(a for a in played.asked if a.report is not None and a.report.slots[0].attempts)


def _world_with_a_report():
    for seed in range(20):
        played = play_seed(seed)
        if any(a.report is not None and a.report.slots[0].attempts for a in played.asked):
            return played
    raise AssertionError


def _forge_attempt(played, is_it=lambda _: True, **changes):
    """Change the first attempt of some report that `is_it`; False: there is none."""
    for asked in played.asked:
        for slot in asked.report.slots if asked.report else ():
            for attempt in slot.attempts:
                if is_it(attempt):
                    forged = replace(attempt, **changes)
                    attempts = tuple(forged if a is attempt else a for a in slot.attempts)
                    other = replace(slot, attempts=attempts)
                    slots = tuple(other if s is slot else s for s in asked.report.slots)
                    asked.report = replace(asked.report, slots=slots)
                    return True
    return False


def test_a_report_that_its_events_do_not_tell_is_noticed():
    played = _world_with_a_report()
    _forge_attempt(played, elapsed_ms=-1)
    assert any("do not amount" in line for line in violations(played))


def test_an_unknown_cost_counted_as_nothing_is_noticed():
    played = _world_with_a_report()
    _forge_attempt(played, cost=Cost(0, CostState.ESTIMATED), model="maker0/paid")
    assert any("counted as 0" in line for line in violations(played))


def test_a_cost_that_is_not_the_bill_is_noticed():
    for seed in range(40):
        played = play_seed(seed)
        assert violations(played) == []
        wrong = Cost(123_456_789, CostState.REPORTED)
        if _forge_attempt(played, lambda a: a.cost.state is CostState.REPORTED, cost=wrong):
            assert any("billed was" in line for line in violations(played))
            return
    pytest.fail("no world reported a cost")


def test_a_missing_event_is_noticed():
    played = _world_with_a_report()
    del _told_by(played).events[2]
    assert any("is missing" in line for line in violations(played))


def test_one_world_is_told_event_by_event(capsys):
    assert main(["--seed", "1"]) == 0
    told = capsys.readouterr().out
    assert "upstream    /chat/completions" in told
    assert "attempt 1: asks " in told
    assert '{"' not in told, "for a person, not for a parser"
    assert "a day later all is asked again" in told.split("healed:")[0]
