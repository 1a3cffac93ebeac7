"""What an Attempt may cost is never less than what it does cost."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.catalog import PriceOverride, Prices, Rates
from ultrai.domain.outcome import Usage
from ultrai.policy.pricing import (
    affordable_tokens,
    bound_nanos,
    price_cap,
    rates_at,
    reckoned_nanos,
)

rates = st.builds(
    Rates,
    prompt=st.decimals(0, "0.0001", places=10),
    completion=st.decimals(0, "0.0005", places=10),
    request=st.none() | st.decimals(0, "0.1", places=6),
    cache_read=st.none() | st.decimals(0, "0.00001", places=10),
)
overrides = st.builds(
    PriceOverride,
    rates=rates,
    min_prompt_tokens=st.none() | st.integers(0, 300_000),
    utc_start=st.none() | st.integers(0, 23).map(lambda hour: hour * 100),
    utc_end=st.none() | st.integers(0, 23).map(lambda hour: hour * 100),
)
prices = st.builds(Prices, base=rates, overrides=st.lists(overrides, max_size=3).map(tuple))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001 - made aware below
    lambda naive: naive.replace(tzinfo=UTC)
)


@given(prices, st.integers(0, 400_000), st.integers(1, 100_000), moments, st.data())
def test_the_bound_covers_every_usage_within_it(
    price: Prices, prompt: int, most: int, moment: datetime, data: st.DataObject
) -> None:
    bound = bound_nanos(price, prompt_tokens=prompt, max_tokens=most, headroom=Decimal(1))
    used = Usage(data.draw(st.integers(0, prompt)), data.draw(st.integers(0, most)), 0, 0)
    actual = reckoned_nanos(price, used, moment=moment)
    assert actual is not None
    assert actual <= bound


def test_an_override_by_size_needs_the_size_to_be_exceeded_and_prices_the_whole_request() -> None:
    cheap, dear = Rates(Decimal(1), Decimal(2)), Rates(Decimal(3), Decimal(4))
    price = Prices(cheap, (PriceOverride(dear, min_prompt_tokens=100),))
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert rates_at(price, 100, moment=noon) is cheap
    assert rates_at(price, 101, moment=noon) is dear


def test_an_override_by_time_may_wrap_midnight_and_ends_before_its_end() -> None:
    day, night = Rates(Decimal(3), Decimal(3)), Rates(Decimal(1), Decimal(1))
    price = Prices(day, (PriceOverride(night, utc_start=2200, utc_end=600),))
    at = {
        hour: rates_at(price, 1, moment=datetime(2026, 11, 23, hour, tzinfo=UTC))
        for hour in (5, 6, 21, 22)
    }
    assert at == {5: night, 6: day, 21: day, 22: night}


def test_an_override_by_day_holds_on_that_day_alone() -> None:
    day, monday = Rates(Decimal(3), Decimal(3)), Rates(Decimal(1), Decimal(1))
    price = Prices(day, (PriceOverride(monday, utc_days=("mon",)),))
    assert rates_at(price, 1, moment=datetime(2026, 11, 23, tzinfo=UTC)) is monday
    assert rates_at(price, 1, moment=datetime(2026, 11, 24, tzinfo=UTC)) is day


def test_cached_tokens_are_reckoned_at_their_own_price() -> None:
    price = Prices(Rates(Decimal("0.00001"), Decimal(0), cache_read=Decimal("0.000001")))
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    assert reckoned_nanos(price, Usage(100, 0, 0, 90), moment=moment) == 100_000 + 90_000


def test_usage_that_is_not_known_is_not_reckoned() -> None:
    price = Prices(Rates(Decimal(1), Decimal(1)))
    assert reckoned_nanos(price, Usage(5, None), moment=datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_the_cap_that_goes_out_is_the_price_with_its_headroom_per_million() -> None:
    price = Prices(Rates(Decimal("0.0000025"), Decimal("0.00001")))
    cap = price_cap(price, prompt_tokens=10, headroom=Decimal("1.25"))
    assert (cap.prompt, cap.completion) == (Decimal("3.125"), Decimal("12.5"))


@given(prices, st.integers(0, 10**12), st.integers(1, 100_000))
def test_what_is_affordable_is_the_most_whose_bound_is_within_the_amount(
    price: Prices, nanos: int, most: int
) -> None:
    def bound(tokens: int) -> int:
        return bound_nanos(price, prompt_tokens=tokens, max_tokens=most, headroom=Decimal(1))

    tokens = affordable_tokens(price, nanos, max_tokens=most, headroom=Decimal(1))
    assert tokens == 0 or bound(tokens) <= nanos
    assert tokens == 1 << 30 or bound(tokens + 1) > nanos
