"""Windows and buckets against a counter that anybody can check."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ultrai.policy.pacing import ExactWindow, Pace, TokenBucket


def starts_of(pace: Pace, arrivals: list[float]) -> list[float]:
    """When requests that come at these moments start, each as early as the pace allows."""
    starts: list[float] = []
    now = 0.0
    for gap in arrivals:
        now = pace.earliest_s(max(now, (starts[-1] if starts else 0.0)) + gap)
        pace = pace.started(now)
        starts.append(now)
    return starts


@given(st.integers(1, 20), st.lists(st.floats(0, 30), max_size=80))
def test_no_window_of_sixty_seconds_holds_more_starts_than_the_limit(
    limit: int, arrivals: list[float]
) -> None:
    starts = starts_of(ExactWindow(limit), arrivals)
    for position, start in enumerate(starts):
        assert sum(1 for other in starts[position:] if other < start + 60) <= limit


@given(st.integers(1, 20))
def test_an_idle_window_lets_the_whole_limit_start_at_once(limit: int) -> None:
    starts = starts_of(ExactWindow(limit), [0.0] * limit)
    assert starts[-1] == starts[0]


@given(st.integers(1, 600), st.lists(st.floats(0, 5), max_size=100))
def test_a_bucket_never_lets_more_than_its_pace_and_burst_through(
    per_minute: int, arrivals: list[float]
) -> None:
    bucket = TokenBucket(per_minute)
    starts = starts_of(bucket, arrivals)
    for position, start in enumerate(starts):
        for later, other in enumerate(starts[position:], start=1):
            allowed = bucket.burst + (other - start) * per_minute / 60 + 1e-6
            assert later <= allowed + 1
