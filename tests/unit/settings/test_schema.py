from __future__ import annotations

import dataclasses
import math
from decimal import Decimal

import pytest

from ultrai.domain.errors import SettingsError
from ultrai.domain.fitting import FitWish
from ultrai.settings import Settings
from ultrai.settings.schema import SCALARS

GOOD = {
    "deadline_s": [("0.5", 0.5), ("86400", 86400.0), ("'none'", None)],
    "max_attempts": [("1", 1), ("10", 10), ("3.0", 3)],
    "backoff_base_s": [("0", 0.0), ("1e-3", 0.001)],
    "connect_timeout_s": [("1_000", 1000.0)],
    "concurrency": [("1", 1), ("10000", 10_000), ("0x10", 16)],
    "quorum": [("1", 1), ("'None'", None)],
    "synthesis": [("'none'", "none")],
    "price_headroom": [("1", "1"), ("1.10", "1.10"), ("1e2", "100")],
    "max_price_per_million_usd": [("0.05", "0.05"), ("'none'", None)],
    "free_may_become_paid": [("true", True)],
    "streaming": [("false", False)],
    "fit": [("'auto'", FitWish.AUTO), ("'Refuse'", FitWish.REFUSE)],
    "fit_retrieve_tokens": [("200", 200)],
    "fit_summariser": [("'a/b'", "a/b"), ("'none'", None)],
}
BAD = {
    "deadline_s": ["0", "-1", "86401", "nan", "inf", "'5'", "true", "[5]", "1979-05-27"],
    "max_attempts": ["0", "11", "2.5", "true", "''", "{a = 1}"],
    "backoff_cap_s": ["-0.1", "1e400", "1e99999999999999999999", "1e-99999999", "-nan"],
    "concurrency": ["0", "10001", "0x" + "f" * 5000],
    "quorum": ["0", "'many'"],
    "synthesis": ["'fuse'", "'vote'", "'mix'", "1"],
    "price_headroom": ["0.99", "101", "1." + "0" * 50, "'1.5'", "'none'"],
    "max_price_per_million_usd": ["0", "1e-99999999", "-1"],
    "fit": ["'summary'", "true", "''"],
    "fit_retrieve_tokens": ["199", "'none'"],
    "fit_summariser": ["'gpt'", "1"],
    "history": ["'yes'", "1", "'none'"],
}


@pytest.mark.parametrize(
    ("name", "written", "value"), [(n, w, v) for n, pairs in GOOD.items() for w, v in pairs]
)
def test_a_value_within_bounds_is_taken(loaded, name, written, value):
    found = getattr(loaded(f"{name} = {written}"), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("name", "written"), [(n, w) for n, values in BAD.items() for w in values])
def test_a_value_out_of_bounds_is_an_error_of_one_line_with_file_and_key(
    loaded, tmp_path, name, written
):
    with pytest.raises(SettingsError) as caught:
        loaded(f"{name} = {written}")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'ultrai.toml'}: {name} ")
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("ULTRAI_DEADLINE_S", " 12.5 ", "deadline_s", 12.5),
        ("ULTRAI_MAX_ATTEMPTS", "2", "max_attempts", 2),
        ("ULTRAI_PRICE_HEADROOM", "1.5", "price_headroom", "1.5"),
        ("ULTRAI_STREAMING", "Off", "streaming", False),
        ("ULTRAI_HISTORY", "0", "history", False),
        ("ULTRAI_FREE_MAY_BECOME_PAID", "yes", "free_may_become_paid", True),
        ("ULTRAI_SYNTHESIS", "NONE", "synthesis", "none"),
    ],
)
def test_the_environment_holds_values_as_text(loaded, variable, text, field, value):
    assert getattr(loaded(None, {variable: text}), field) == value


@pytest.mark.parametrize(
    "text", ["soon", "nan", "inf", "1e999999999999", "-3", "0", "'5'", "1" * 999]
)
def test_text_that_is_no_number_names_the_variable_and_the_bounds(loaded, text):
    with pytest.raises(SettingsError) as caught:
        loaded(None, {"ULTRAI_DEADLINE_S": text})
    message = str(caught.value)
    assert message.startswith("environment: ULTRAI_DEADLINE_S must be a number of seconds above 0")
    assert len(message) < 300


@pytest.mark.parametrize("value", [5, 5.0, Decimal(5), "5"])
def test_a_flag_may_be_any_number(loaded, value):
    assert loaded(flags={"deadline_s": value}).deadline_s == 5.0


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, True, [], object(), pytest.param(10**5000, id="huge")]
)
def test_a_flag_that_is_no_number_is_an_error(loaded, value):
    with pytest.raises(SettingsError, match="flags: deadline_s must be"):
        loaded(flags={"deadline_s": value})


def test_every_scalar_is_a_field_of_settings_and_takes_its_default():
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    assert set(SCALARS) <= set(fields)


def test_every_default_passes_its_own_rule(loaded):
    defaults = loaded()
    for name in SCALARS:
        default = getattr(defaults, name)
        if default is not None:
            assert getattr(loaded(flags={name: default}), name) == default
