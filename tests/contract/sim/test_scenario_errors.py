"""What is wrong with a scenario is one line: file, line, key, what is expected."""

from __future__ import annotations

import tomllib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ultrai_sim import ScenarioError, load_scenario
from ultrai_sim.__main__ import main
from ultrai_sim.reading import WrongValue
from ultrai_sim.scenario import TABLES, TOP, gallery, read_scenario

WRONG = [
    ("models = [1]", 1, "models[1]: expected a table, not 1"),
    ("\n[account]\ncredits_usd = 'NaN'", 3, "account.credits_usd"),
    ("says = {'*' = 5}", 1, "expected a text, not 5"),
    ("[account]\nfree_per_minute = 'x'", 2, "expected a whole number"),
    ("[account]\nbyok = 'OpenAI'", 2, "expected a list of texts"),
    ("[account]\nbyok_fee = 1.5", 2, "a part from 0 to 1"),
    ("[[keys]]\nkey = 'a'\n[[keys]]\nkey = 'a'", 4, "another key has the same secret"),
    ("[account]\nkey_limit_status = 404", 2, "404 is not one of 402, 403"),
    ("[[models]]\nid = 'a/b'\ncontext_length = 'x'", 3, "context_length"),
    ("[[models]]\nid = 'a/b'\n[[models]]\nid = 'a/c'\nproviders = []", 5, "models[2].providers"),
    ("[[models]]\nid = 'ab'", 2, "'id' must be a text like"),
    ("[[faults]]\nkind = 'cut'\n\n[[faults]]\nkind = 'cut'\nattempts = []", 6, "at least one"),
    ("[[faults]]\nkind = 'status'\nattempts = ['one']", 3, "'attempts'"),
    ("[[faults]]\nkind = 'status'\nstatus = 7", 3, "from 200 to 599"),
    ("[[faults]]\nkind = 'slow'\nhead_s = -1", 3, "0 to 1,000,000,000"),
    ("[[faults]]\nkind = 'sttus'", 2, "nearest valid kind: 'status'"),
    ("[[faults]]\nmodel = 'a/b'", 1, "'kind' is missing"),
    ("[latency]\nhead_s = nan", 2, "latency.head_s"),
    ("[latency]\nhead_s = -0.5", 2, "latency.head_s"),
    ("[latency]\nfirst_token_s = {p50 = 3, p95 = 1}", 2, "0 < p50 <= p95"),
    ("[latency]\nfirst_token_s = {p5 = 3}", 2, "nearest valid key: 'p95'"),
    ("[[latencies]]\nmodel = 5", 2, "expected a text"),
    ("[[keys]]\nkey = 'a'\nkind = 'golden'", 3, "not one of inference, management"),
    ("[[keys]]\nkey = 'a'\nexpires_at = 'soon'", 1, "not a moment in UTC"),
    ("[[changes]]\nmodel = 'a/b'\nretired = true", 1, "give 'at_s' or 'requests'"),
    ("[[changes]]\nat_s = 5", 1, "it changes nothing"),
    ("[[changes]]\nat_s = 5\nretired = true", 1, "'model' goes with"),
    ("[[changes]]\nat_s = 5\nfaults = [{kind = 'no'}]", 1, "no fault is called 'no'"),
    ("seed = 1\nseed =", 2, "not TOML"),
    ("tokens_per_frame = 0", 1, "expected 1 or more"),
]


@pytest.mark.parametrize(("text", "line", "said"), WRONG)
def test_a_mistake_is_named_with_its_line(tmp_path, text, line, said):
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert said in message
    assert "\n" not in message


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("status")
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [*TOP, *TABLES, "id", "kind", "pricing", "attempts", "model", "at_s", "key", "head_s"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        KEYS,
        st.one_of(
            VALUES,
            st.dictionaries(KEYS, VALUES, max_size=4),
            st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=2),
        ),
        max_size=4,
    )
)
def test_whatever_a_scenario_holds_it_is_a_world_or_a_clear_complaint(document):
    with suppress(WrongValue):
        read_scenario(document)


@pytest.mark.parametrize("name", gallery())
def test_every_scenario_of_the_gallery_is_good(name, capsys):
    assert main(["--check", name]) == 0
    assert f"{name} is good" in capsys.readouterr().out
    assert gallery()[name].endswith(".")


def test_the_gallery_is_named_where_a_name_is_wrong(capsys):
    assert len(gallery()) == 12
    assert main(["--scenario", "outtage"]) == 2
    assert "nearest: 'outage-and-recovery'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags", [("--port", "99999"), ("--port", "abc"), ("--seed", "x"), ("--sed", "1")]
)
def test_a_wrong_flag_is_one_line_and_exit_2(flags, capsys):
    with pytest.raises(SystemExit) as ended:
        main(list(flags))
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_scenario_of_the_page_is_good(tmp_path):
    from pathlib import Path

    page = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
    blocks = [part.partition("```")[0] for part in page.split("```toml\n")[1:]]
    assert blocks
    for block in blocks:
        read_scenario(tomllib.loads(block))


LONG = "9" * 5000
HEX = "0x" + "f" * 5000
DEEP = "[" * 3000 + "]" * 3000
ABSURD = [
    (f"comments = 1\nseed = {LONG}", 2, "a number of more than 4,000 digits"),
    (f"seed = {HEX}", 1, "expected a whole number"),
    (f"comments = 1\nflagged = {DEEP}", 2, "more than 50 lists and tables inside each other"),
    ("flagged = " + "[" * 60 + "]" * 60, 1, "more than 50 lists"),
    ("[[faults]]\nkind = ['cut']", 2, "no fault is called ['cut']"),
    ("[[faults]]\nkind = {cut = 1}", 2, "no fault is called {'cut': 1}"),
    ("generation_lag_s = 1e300", 1, "0 to 1,000,000,000"),
    (f"generation_lag_s = {HEX}", 1, "0 to 1,000,000,000"),
    ("comments = 1000000000", 1, "0 to 10,000"),
    ("[latency]\nhead_s = 1e300", 2, "latency.head_s"),
    ("[latency]\nhead_s = {p50 = 1e300, p95 = 1e300}", 2, "0 to 1,000,000,000"),
    ("[account]\ncredits_usd = '1e999999'", 2, "at most 1,000,000,000"),
    ("[account]\ncredits_usd = '1e-999999'", 2, "at most 40 decimals"),
    (f"[account]\ncredits_usd = {HEX}", 2, "account.credits_usd"),
    ("[[models]]\nid = '/'", 2, "'id' must be a text like"),
    ("[[models]]\nid = 'a/ b'", 2, "'id' must be a text like"),
    ("[[models]]\nid = 'a/b'\nalias_of = 'a/b'", 3, "'alias_of' names the model itself"),
    ("[[models]]\nid = 'a/b'\npricing = {prompt = 'NaN'}", 3, "pricing.prompt"),
    ("[[models]]\nid = 'a/b'\npricing = {prompt = inf}", 3, "pricing.prompt"),
    ("[[models]]\nid = 'a/b'\npricing = {prompt = '-2'}", 3, "pricing.prompt"),
    ("[[models]]\nid = 'a/b'\npricing = {promt = '1'}", 3, "nearest valid key: 'prompt'"),
    ("[[models]]\nid = 'a/b'\npricing = {overrides = 1}", 3, "expected a list of tables"),
    ("[[models]]\nid = 'a/b'\npricing = {overrides = [1]}", 3, "expected a table"),
    (
        "[[models]]\nid = 'a/b'\npricing = {overrides = [{min_prompt_tokens = 'x'}]}",
        3,
        "pricing.overrides: number 1: min_prompt_tokens: expected a whole number",
    ),
    (
        "[[models]]\nid = 'a/b'\npricing = {overrides = [{utc_start = 990}]}",
        3,
        "a clock number like 1630",
    ),
    (
        "[[models]]\nid = 'a/b'\npricing = {overrides = [{utc_days = ['someday']}]}",
        3,
        "a list of days",
    ),
    (
        "[[changes]]\nat_s = 5\nmodel = 'a/b'\npricing = {prompt = 'NaN'}",
        4,
        "pricing.prompt: expected an amount",
    ),
    (
        "[[changes]]\nat_s = 1\nmodel = 'a/b'\npricing = {overrides = [{prompt = 'x'}]}",
        4,
        "number 1: prompt: expected an amount",
    ),
    ("[[changes]]\nat_s = 1e99\ncredits_usd = '1'", 2, "changes[1].at_s"),
    ("[[faults]]\nkind = 'status'\nheaders = {Content-Length = '3'}", 3, "'Content-Length'"),
    ("[[faults]]\nkind = 'status'\nheaders = {transfer-encoding = 'x'}", 3, "'headers'"),
    (f"[[faults]]\nkind = 'status'\ncode = {HEX}", 3, "'code' must be a number or a text"),
    (f"{'k' * 9000} = 1", 1, "unknown key"),
]


@pytest.mark.parametrize(("text", "line", "said"), ABSURD)
def test_what_is_absurd_is_named_with_its_line_too(tmp_path, capsys, text, line, said):
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    assert main(["--check", str(path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"ultrai sim: {path}:{line}: ")
    assert said in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models = 5", "expected [[models]] tables"),
        ("models = [5]", "expected a table, not 5"),
        ("parameters = 5", "parameters: expected a table"),
        ("[parameters]\nall = 5", "parameters: expected a list of texts"),
        (f"x = {LONG}", "a number of more than 4,000 digits"),
        ('{"data": [' * 3000, "is no JSON"),
        ('{"data": [{"id": "a/b", "pricing": {"overrides": 5}}]}', "a list of tables"),
        ('{"data": [{"id": "/", "pricing": {}}]}', "'id' must be a text like"),
    ],
)
def test_an_absurd_catalogue_is_one_line_and_exit_2(tmp_path, capsys, text, said):
    path = tmp_path / "catalogue"
    path.write_text(text)
    assert main(["--catalogue", str(path)]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1


def test_prices_with_overrides_and_of_a_router_are_good(tmp_path, capsys):
    path = tmp_path / "scenario.toml"
    path.write_text(
        "[[models]]\nid = 'a/b'\npricing = {prompt = '-1', completion = 1e-7, discount = 0.1, "
        "overrides = [{utc_start = 2200, utc_end = 600, utc_days = [0, 'sat'], prompt = '0'}]}"
    )
    assert main(["--check", str(path)]) == 0
