"""The published fault matrix is what the code does."""

from __future__ import annotations

from tests.simulation.matrix import PAGE, faults, page

from ultrai_sim.faults import KINDS


def test_the_published_matrix_is_what_the_code_does():
    assert PAGE.read_text("utf-8") == page(), "run `make matrix` and look at what has changed"


def test_every_kind_of_fault_has_its_rows():
    assert {fault.kind for _, fault in faults()} == set(KINDS)
