"""Money: nanodollars in, decimal strings out, nothing lost on the way."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.money import format_usd, parse_usd, reported_nanos, reserve_nanos


@given(st.integers(min_value=0, max_value=10**18))
def test_what_is_formatted_parses_back_to_the_same_nanos(nanos: int) -> None:
    assert parse_usd(format_usd(nanos)) == nanos
    assert "e" not in format_usd(nanos).lower()


@given(st.decimals(min_value=0, max_value=10**6, places=15))
def test_a_reservation_never_falls_below_the_amount(usd: Decimal) -> None:
    nanos = reserve_nanos(usd)
    assert Decimal(nanos) / 10**9 >= usd
    assert Decimal(nanos - 1) / 10**9 < usd


@given(st.decimals(min_value=0, max_value=10**6, places=15))
def test_a_reported_figure_is_off_by_half_a_nano_at_most(usd: Decimal) -> None:
    nanos = reported_nanos(str(usd))
    assert nanos is not None
    assert abs(Decimal(nanos) / 10**9 - usd) <= Decimal("0.5e-9")


@pytest.mark.parametrize(
    ("raw", "nanos"),
    [
        ("5.500000000000001e-05", 55_000),
        ("4.1400000000000003e-05", 41_400),
        ("0.0000048", 4_800),
        ("0", 0),
        ("1e-10", 0),
        (3, 3_000_000_000),
    ],
)
def test_the_noise_of_json_doubles_is_rounded_away(raw: str | int, nanos: int) -> None:
    assert reported_nanos(raw) == nanos


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "-1", "-0.000001", "1e308", "", "abc", "1 2"])
def test_what_is_no_figure_is_none_and_not_zero(raw: str) -> None:
    assert reported_nanos(raw) is None


@pytest.mark.parametrize("text", ["-1", "NaN", "inf", "abc", "", "1e30"])
def test_a_cap_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount in USD"):
        parse_usd(text)


@pytest.mark.parametrize(
    ("nanos", "text"),
    [(0, "0"), (4_800, "0.0000048"), (12_300_000, "0.0123"), (10**9, "1"), (-5, "-0.000000005")],
)
def test_amounts_are_written_without_exponent_or_trailing_zeros(nanos: int, text: str) -> None:
    assert format_usd(nanos) == text
