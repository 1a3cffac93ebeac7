from datetime import UTC, datetime

import pytest

from ultrai.upstream.complaint import Complaint
from ultrai.upstream.hints import Circumstances, resets_at_ms, retry_after_s

NOW = datetime(2026, 11, 23, 20, 0, 0, tzinfo=UTC)


def wait(head=None, now=NOW, **metadata):
    return retry_after_s(Complaint(metadata=metadata), Circumstances(head or {}, now))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("25", 25.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Mon, 23 Nov 2026 20:00:30 GMT", 30.0),
        ("Monday, 23-Nov-26 20:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 19:59:00 GMT", 0.0),
        ("-3", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert wait({"Retry-After": value}) == seconds


def test_a_date_without_a_clock_to_hold_it_against_says_nothing():
    assert wait({"Retry-After": "Mon, 23 Nov 2026 20:00:30 GMT"}, now=None) is None


def test_milliseconds_are_understood():
    assert wait({"retry-after-ms": "1500"}) == 1.5


def test_the_header_comes_before_the_metadata_and_that_before_quoted_headers():
    quoted = {"Retry-After": "9"}
    assert wait({"Retry-After": "3"}, retry_after_seconds=5, headers=quoted) == 3
    assert wait({"Retry-After": "soon"}, retry_after_seconds=5, headers=quoted) == 5
    assert wait(retry_after_seconds="5.5", headers=quoted) == 5.5
    assert wait(headers=quoted) == 9
    assert wait(headers={"retry-after": 9}) == 9


@pytest.mark.parametrize("junk", [None, True, [], {}, "x", float("inf")])
def test_metadata_of_any_type_is_no_accident(junk):
    assert wait(retry_after_seconds=junk, headers=junk) is None


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("1795478400000", 1_795_478_400_000),
        ("1795478400", 1_795_478_400_000),
        ("60", None),
        ("-1", None),
        ("99999999999999999", None),
        ("tomorrow", None),
    ],
)
def test_a_reset_is_an_epoch_in_milliseconds_or_seconds(value, moment):
    around = Circumstances({"X-RateLimit-Reset": value})
    assert resets_at_ms(Complaint(), around) == moment
    quoted = Complaint(metadata={"headers": {"X-RateLimit-Reset": value}})
    assert resets_at_ms(quoted, Circumstances()) == moment


def test_the_reset_of_a_budget_is_a_date():
    budget = Complaint(metadata={"resets_at": "2026-11-24T00:00:00Z"})
    assert resets_at_ms(budget, Circumstances()) == 1_795_478_400_000
