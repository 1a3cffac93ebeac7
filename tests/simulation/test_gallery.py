"""The published gallery is what the code does, and every scenario shows what it promises."""

from __future__ import annotations

import pytest
from tests.simulation.gallery import LESSONS, PAGE, meet, page

from ultrai_sim.scenario import gallery


def test_the_published_gallery_is_what_the_code_does():
    assert PAGE.read_text("utf-8") == page(), "run `make matrix` and look at what has changed"


def test_every_scenario_has_its_lesson():
    assert set(LESSONS) == set(gallery())


@pytest.mark.parametrize(
    ("name", "exits"),
    [
        ("outage-and-recovery", [0, 4, 0]),
        ("provider-down", [0]),
        ("rate-limited", [0]),
        ("cut-streams", [0]),
        ("free-tier-exhausted", [0]),
        ("price-change", [0, 0]),
        ("retired-models", [0]),
        ("hostile-bytes", [0]),
        ("slow-first-token", [0]),
    ],
)
def test_a_run_ends_as_it_should(name, exits):
    assert [report.exit_code for _, report in meet(name)] == exits
