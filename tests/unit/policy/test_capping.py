"""A cost cap leaves whom it can, and a larger one never leaves fewer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ultrai.policy.capping import backup_ceiling_nanos, held_nanos, needed_nanos

slots = st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=4), min_size=1, max_size=5)


@given(slots, st.integers(0, 6000))
def test_what_is_left_fits_and_first_candidates_are_never_passed_over(
    bounds: list[list[int]], cap: int
) -> None:
    ceiling = backup_ceiling_nanos(bounds, cap)
    assert (ceiling is None) == (needed_nanos(bounds) > cap)
    if ceiling is not None:
        assert held_nanos(bounds, ceiling) <= cap


@given(slots, st.integers(0, 6000), st.integers(0, 6000))
def test_a_larger_cap_leaves_as_many_backups_or_more(
    bounds: list[list[int]], one: int, other: int
) -> None:
    small, large = sorted((one, other))
    before, after = backup_ceiling_nanos(bounds, small), backup_ceiling_nanos(bounds, large)
    if before is not None:
        assert after is not None
        assert after >= before


def test_the_dearest_backup_goes_first() -> None:
    assert backup_ceiling_nanos([[10, 50, 20], [10]], 100) == 50
    assert backup_ceiling_nanos([[10, 50, 20], [10]], 40) == 20
    assert backup_ceiling_nanos([[10, 50, 20], [10]], 20) == 0
    assert backup_ceiling_nanos([[10, 50, 20], [10]], 19) is None
