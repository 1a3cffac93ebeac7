"""`docs/settings.md` names every setting, with its default and variable, and its example loads."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from ultrai.settings import Settings
from ultrai.settings.layers import (
    NAMED,
    OPEN_TABLES,
    PLACES,
    PRODUCTION,
    PROFILES,
    TABLES,
    VARIABLES,
)
from ultrai.settings.schema import SCALARS
from ultrai.settings.secrets import RESOLVERS

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
COLUMNS = 4
ROWS = [
    [cell.strip().strip("`") for cell in line.split("|")[1:4]]
    for line in PAGE.read_text().splitlines()
    if re.match(r"\| (`|\|)", line) and line.count("|") == COLUMNS + 1
]
BY_KEY = {key: (default, variable) for key, default, variable in ROWS}
FOUND_BY_LOADING = {
    "proxy",
    "source",
    "traces",
    "environment",
    "key_reference",
    "key_problem",
    "management_key_reference",
    "management_key_problem",
    "corrections",
    "successions",
}
OTHER_NAMES = {
    "key": "openrouter.api_key",
    "base_url": "openrouter.base_url",
    "management_key": "openrouter.management_key",
}


def test_every_field_that_a_user_can_set_is_documented():
    documented = {key.partition(".")[0] for key in BY_KEY}
    for field in dataclasses.fields(Settings):
        if field.name not in FOUND_BY_LOADING:
            name = OTHER_NAMES.get(field.name, field.name)
            assert name in BY_KEY or name in documented, field.name


def test_every_key_of_the_file_is_documented_and_none_besides():
    named = {"openrouter", "attribution", "alerts"}
    keys = {f"{table}.{key}" for table in named for key in TABLES[table]}
    keys |= {f"{table}.NAME.{key}" for table in NAMED for key in TABLES[table]}
    keys.add(f"{PROFILES}.NAME.{PRODUCTION}")
    keys |= {*SCALARS, *PLACES, "attribution", "cocktails.NAME", "pace_per_minute"}
    assert set(OPEN_TABLES) == {"cocktails", "pace_per_minute"}
    assert {key for key in BY_KEY if key} == keys


@pytest.mark.parametrize(("variable", "path"), VARIABLES.items())
def test_every_variable_is_documented_beside_its_key(variable, path):
    key = "" if path == ("environment",) else ".".join(path)
    assert BY_KEY[key][1] == variable


@pytest.mark.parametrize("name", SCALARS)
def test_the_documented_default_is_the_default(loaded, name):
    default, _ = BY_KEY[name]
    first = default.partition(";")[0].strip("`")
    value = getattr(loaded(), name)
    if value is None:
        assert first in {"none", "60", "180"}
    else:
        assert getattr(loaded(f"{name} = {first}"), name) == value


def test_every_kind_of_reference_is_documented():
    page = PAGE.read_text()
    assert all(f"`{scheme}:" in page for scheme in RESOLVERS)


def test_the_example_loads_and_every_line_of_it_tells(loaded):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    settings = loaded(example, {"ULTRAI_ENV": "dev", "MY_OPENROUTER_KEY": "k"})
    assert settings.deadline_s == 120.0
    assert settings.concurrency == 5
    assert settings.pace_per_minute == {"*": 600, "openai/gpt-4o": 60}
    assert [len(cocktail.slots) for cocktail in settings.cocktails] == [4]
    assert settings.upstreams["ollama"].free
    assert settings.key_problem is not None
    assert "openrouter-dev" in settings.key_problem
    assert loaded(example, {"MY_OPENROUTER_KEY": "k"}).key is not None
