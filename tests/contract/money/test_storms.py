"""Four processes, one budget that covers half of what they want, and `kill -9`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.contract.money.storm import storm


@pytest.mark.parametrize(("seed", "kills"), [(0, 0), (1, 5)])
def test_a_budget_is_never_exceeded_and_all_of_it_is_usable(
    tmp_path: Path, seed: int, kills: int
) -> None:
    outcome = storm(tmp_path, runs=1200, kills=kills, seed=seed)
    assert outcome.problems == []
    assert outcome.kills >= min(kills, 2)
    assert outcome.looks > 10
    assert outcome.posted_units <= outcome.limit_units
    assert outcome.usable >= 0.99
    if not kills:
        assert (outcome.posted_units, outcome.unknown) == (outcome.limit_units, 0)
