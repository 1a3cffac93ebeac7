"""Runs that are cancelled or killed leave nothing held."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.contract.money.leaks import leak


def test_nothing_is_held_by_nobody(tmp_path: Path) -> None:
    found = leak(tmp_path, runs=1200, kills=2)
    assert found.problems == []
    assert found.killed == 2
    assert found.cut_off > 0
    assert found.cancelled > 0.15 * found.runs
    assert found.held_nanos == 0


@pytest.mark.usefixtures("server")
def test_nor_in_a_database_of_a_server(tmp_path: Path, address: str) -> None:
    found = leak(tmp_path, runs=600, kills=1, server=address)
    assert found.problems == []
    assert (found.killed, found.held_nanos) == (1, 0)
