"""`doctor --write` in files that make it hard: only the ids that were meant change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ultrai.cli.amending import amend_settings
from ultrai.cli.json_cocktails import with_replaced_ids
from ultrai.domain.cocktail import CocktailBook, Slot
from ultrai.domain.errors import SettingsError
from ultrai.settings.cocktails import parse_cocktails_json, shipped_book
from ultrai.settings.load import load

HOSTILE_TOML = """\
# "old/a" stays in this comment
concurrency = 3

[pace_per_minute]
"old/a" = 5  # the same id, but no cocktail

[cocktails.mine]  # 'old/a'
slots = [
  {primary = "old/a", backups = ['old/b']},  # "old/a"
  "old/a*3",
]

[cocktails.other]
"keep/x" = ["keep/y"]
"""
HOSTILE_JSON = """\
{ "version": "2.0",
  "successions": {"as_of": "2026-11-01", "retired": {"old/a": ["new/a"]}},
    "cocktails": {
  "mine":   {"old\\/a*3": ["old/b"], "keep/x" : [ ]},
  "other": {"slots": ["keep/x"]}
  } }
"""
TO_NEW = {"old/a": "new/a", "old/b": "new/b"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, with no settings anywhere."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ULTRAI_ENV", raising=False)
    return folder


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return [(old, new) for old, new in pairs if old != new]


def json_edit(text: str, replacements: Mapping[str, str]) -> str:
    cocktail = parse_cocktails_json(text, path="file.json").book.find("mine")
    assert cocktail is not None
    return with_replaced_ids(text, cocktail, replacements=replacements)


def test_only_the_ids_inside_the_cocktail_change(place: Path) -> None:
    file = place / "ultrai.toml"
    file.write_text(HOSTILE_TOML, encoding="utf-8")
    assert amend_settings(load(), TO_NEW) == {file: place / "ultrai.toml.before"}
    assert changed_lines(HOSTILE_TOML, file.read_text(encoding="utf-8")) == [
        (
            """  {primary = "old/a", backups = ['old/b']},  # "old/a\"""",
            """  {primary = "new/a", backups = ["new/b"]},  # "old/a\"""",
        ),
        ('  "old/a*3",', '  "new/a*3",'),
    ]
    assert (place / "ultrai.toml.before").read_text(encoding="utf-8") == HOSTILE_TOML


def test_a_shipped_cocktail_becomes_a_table_of_the_users_file(place: Path) -> None:
    premium = shipped_book().find("PREMIUM")
    assert premium is not None
    gone = premium.slots[0].primary
    written = amend_settings(load(), {gone: "new/a"})
    new = place.parent / "config" / "ultrai" / "ultrai.toml"
    assert written == {new: None}
    found = CocktailBook(load().cocktails).find("PREMIUM")
    assert found is not None
    assert found.slots[0].primary == "new/a"
    assert not new.with_name("ultrai.toml.before").exists()


def test_toml_json_and_shipped_cocktails_are_amended_together(place: Path) -> None:
    file, recipes = place / "ultrai.toml", place / "mine.json"
    text = 'cocktails_file = "mine.json"\n[cocktails.third]\nslots = ["old/a"]\n'
    file.write_text(text, encoding="utf-8")
    recipes.write_text(HOSTILE_JSON, encoding="utf-8")
    speedy = shipped_book().find("SPEEDY")
    assert speedy is not None
    gone = speedy.slots[0].primary
    assert set(amend_settings(load(), {**TO_NEW, gone: "new/c"})) >= {file, recipes}
    book = CocktailBook(load().cocktails)
    found = {cocktail.name: cocktail.slots[0].primary for cocktail in book}
    assert found["third"] == "new/a"
    assert found["mine"] == "new/a"
    assert found["SPEEDY"] == "new/c"
    assert file.read_text(encoding="utf-8").startswith(text.replace("old/a", "new/a"))


def test_nothing_to_replace_writes_nothing(place: Path) -> None:
    assert amend_settings(load(), {"no/such": "new/a"}) == {}
    assert list(place.iterdir()) == []


def test_a_cocktail_that_a_profile_defines_is_left_and_every_file_put_back(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, recipes = place / "ultrai.toml", place / "mine.json"
    profile = b'[profiles.dev.cocktails.third]\r\n"old/a" = []\r\n'
    text = b'\xef\xbb\xbfcocktails_file = "mine.json"\r\n' + profile
    file.write_bytes(text)
    recipes.write_text(HOSTILE_JSON, encoding="utf-8")
    monkeypatch.setenv("ULTRAI_ENV", "dev")
    with pytest.raises(SettingsError, match=r"nothing was changed: .*profile, defines third"):
        amend_settings(load(), TO_NEW)
    assert file.read_bytes() == text
    assert recipes.read_text(encoding="utf-8") == HOSTILE_JSON
    assert sorted(each.name for each in place.iterdir()) == ["mine.json", "ultrai.toml"]


def test_no_copy_of_an_earlier_call_is_overwritten(place: Path) -> None:
    file = place / "ultrai.toml"
    file.write_text(HOSTILE_TOML, encoding="utf-8")
    amend_settings(load(), {"old/a": "mid/a"})
    between = file.read_text(encoding="utf-8")
    second = place / "ultrai.toml.before.2"
    assert amend_settings(load(), {"mid/a": "new/a"}) == {file: second}
    assert (place / "ultrai.toml.before").read_text(encoding="utf-8") == HOSTILE_TOML
    assert second.read_text(encoding="utf-8") == between


def test_putting_back_removes_only_the_copy_of_this_call(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "ultrai.toml").write_text('[profiles.dev.cocktails.third]\n"old/a" = []\n')
    (place / "ultrai.toml.before").write_text("the user's own")
    monkeypatch.setenv("ULTRAI_ENV", "dev")
    with pytest.raises(SettingsError, match="nothing was changed"):
        amend_settings(load(), TO_NEW)
    assert sorted(each.name for each in place.iterdir()) == ["ultrai.toml", "ultrai.toml.before"]
    assert (place / "ultrai.toml.before").read_text() == "the user's own"


def test_a_link_stays_a_link(place: Path) -> None:
    real = place / "real.toml"
    real.write_text(HOSTILE_TOML, encoding="utf-8")
    (place / "ultrai.toml").symlink_to(real)
    amend_settings(load(), TO_NEW)
    assert (place / "ultrai.toml").is_symlink()
    assert '"new/a*3"' in real.read_text(encoding="utf-8")


def test_in_json_only_the_cocktail_changes_whatever_else_bears_the_id() -> None:
    assert changed_lines(HOSTILE_JSON, json_edit(HOSTILE_JSON, TO_NEW)) == [
        (
            '  "mine":   {"old\\/a*3": ["old/b"], "keep/x" : [ ]},',
            '  "mine":   {"new/a*3": ["new/b"], "keep/x" : [ ]},',
        )
    ]


def test_a_json_cocktail_is_written_anew_where_a_model_would_be_a_key_twice() -> None:
    edited = json_edit(HOSTILE_JSON, {"old/a": "keep/x", "old/b": "keep/x"})
    mine = parse_cocktails_json(edited, path="").book.find("mine")
    assert mine is not None
    assert mine.slots == (Slot("keep/x"),) * 4
    before, after = json.loads(HOSTILE_JSON), json.loads(edited)
    assert before.pop("cocktails")["other"] == after.pop("cocktails")["other"]
    assert before == after
