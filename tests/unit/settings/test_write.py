from __future__ import annotations

import os
import tomllib

import pytest

from ultrai.domain.cocktail import Cocktail, Slot
from ultrai.domain.errors import SettingsError
from ultrai.settings.cocktails import parse_cocktails_table, shipped_book
from ultrai.settings.write import edit_file, replaced, with_cocktail, with_replaced_models

MINE = Cocktail("MINE", (Slot("new/a", ("new/b", "new/c")), Slot("new/d")), quorum=1)

TEXT = '''\
# mine
concurrency = 3  # few

[cocktails.OTHER]   # stays
slots = ["a/b"]

# about mine
[cocktails.mine] # the old one
slots = [
  {primary = "old/a", backups = [
     "new/b",  # cheap
     'old/c',
  ]},
  "old/d*2",
]
quorum = 2

# end of mine
[pace_per_minute]
"old/a" = 5
text = """[cocktails.MINE] "old/a" """
'''


def cocktails(text):
    return {
        c.name.casefold(): c
        for c in parse_cocktails_table(tomllib.loads(text)["cocktails"], path="")
    }


def rest(text):
    table = tomllib.loads(text)
    table.get("cocktails", {}).pop("mine", None)
    table.get("cocktails", {}).pop("MINE", None)
    return table


def test_a_cocktail_is_added_to_an_empty_text():
    text = with_cocktail("", MINE, comment="by doctor")
    assert text.splitlines()[:3] == ["# by doctor", "[cocktails.MINE]", "quorum = 1"]
    assert cocktails(text)["mine"].slots == MINE.slots


@pytest.mark.parametrize("text", ["concurrency = 3", "concurrency = 3\n\n", "[cocktails]\n", "#"])
def test_a_cocktail_is_added_at_the_end(text):
    edited = with_cocktail(text, MINE)
    assert edited.startswith(text)
    assert "\n\n\n" not in edited
    assert cocktails(edited)["mine"].quorum == 1


def test_a_cocktail_of_that_name_is_replaced_where_it_stands_and_all_else_stays():
    edited = with_cocktail(TEXT, MINE)
    assert cocktails(edited)["mine"].slots == MINE.slots
    assert rest(edited) == rest(TEXT)
    for comment in (
        "# mine",
        "# few",
        "# stays",
        "# about mine\n[cocktails.MINE]",
        "# end of mine",
    ):
        assert comment in edited
    assert edited.index("[cocktails.MINE]") < edited.index("[pace_per_minute]")


@pytest.mark.parametrize(
    "text",
    [
        "[cocktails]\nmine = {slots = ['x/y']}\nother = {slots = ['x/y']}\n",
        "cocktails.mine.slots = ['x/y']\nconcurrency = 3\n",
        "[cocktails.mine]\n'old/a' = []\n[cocktails.other]\n'x/y' = []\n",
        "[[cocktails.mine.slots]]\nprimary = 'x/y'\n[[cocktails.mine.slots]]\nprimary = 'x/z'\n",
        "[ cocktails . \"mine\" ]\r\nslots = ['x/y']\r\n# c\r\n",
    ],
)
def test_a_cocktail_is_replaced_in_whatever_way_it_was_written(text):
    edited = with_cocktail(text, MINE)
    assert cocktails(edited)["mine"].slots == MINE.slots
    assert rest(edited) == rest(text)


def test_line_breaks_stay_those_of_the_file():
    edited = with_cocktail("concurrency = 3\r\n", MINE)
    assert edited.count("\n") == edited.count("\r\n")


@pytest.mark.parametrize(
    "text", ["cocktails = {mine = {slots = ['x/y']}}", "cocktails = 3", "x = "]
)
def test_a_text_that_cannot_be_edited_safely_is_refused(text):
    with pytest.raises(SettingsError):
        with_cocktail(text, MINE)


@pytest.mark.parametrize("cocktail", shipped_book(), ids=lambda cocktail: cocktail.name)
def test_every_shipped_cocktail_survives_being_written_and_read(cocktail):
    written = cocktails(with_cocktail(TEXT, cocktail))[cocktail.name.casefold()]
    assert (written.name, written.slots) == (cocktail.name, cocktail.slots)


def test_a_name_with_a_dot_is_quoted():
    named = Cocktail("a.b", MINE.slots)
    assert cocktails(with_cocktail("", named))["a.b"].slots == MINE.slots


def test_only_the_ids_change_where_the_text_defines_the_cocktail():
    edited = with_replaced_models(
        TEXT, cocktails(TEXT)["mine"], replacements={"old/a": "new/x", "old/d": "new/d"}
    )
    before, after = TEXT.splitlines(), edited.splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        ('  {primary = "old/a", backups = [', '  {primary = "new/x", backups = ['),
        ('  "old/d*2",', '  "new/d*2",'),
    ]


def test_ids_as_keys_change_too():
    text = "[cocktails.mine]\n'old/a' = ['old/c'] # why\n"
    edited = with_replaced_models(
        text, cocktails(text)["mine"], replacements={"old/a": "n/a", "old/c": "n/c"}
    )
    assert edited == '[cocktails.mine]\n"n/a" = ["n/c"] # why\n'


def test_a_replacement_that_is_already_a_backup_is_not_seated_twice():
    edited = with_replaced_models(TEXT, cocktails(TEXT)["mine"], replacements={"old/c": "new/b"})
    assert cocktails(edited)["mine"].slots[0] == Slot("old/a", ("new/b",))
    assert rest(edited) == rest(TEXT)


def test_a_shipped_cocktail_is_written_whole_with_its_replacements():
    premium = shipped_book().find("premium")
    edited = with_replaced_models(TEXT, premium, replacements={"openai/gpt-4o": "openai/gpt-5"})
    slots = cocktails(edited)["premium"].slots
    assert slots == replaced(premium, {"openai/gpt-4o": "openai/gpt-5"}).slots
    assert slots[0].primary == "openai/gpt-5"


def test_a_replaced_primary_is_not_its_own_backup():
    cocktail = Cocktail("X", (Slot("a/a", ("b/b", "c/c")),))
    assert replaced(cocktail, {"a/a": "b/b"}).slots == (Slot("b/b", ("c/c",)),)


def test_editing_makes_the_file_and_its_folder_for_the_owner_only(tmp_path):
    path = tmp_path / "new" / "ultrai.toml"
    edit_file(path, lambda text: f"{text}# first\n")
    edit_file(path, lambda text: f"{text}# second\n")
    assert path.read_text() == "# first\n# second\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_editing_keeps_mode_line_breaks_and_links(tmp_path):
    real = tmp_path / "real.toml"
    real.write_bytes(b"a = 1\r\n")
    real.chmod(0o640)
    link = tmp_path / "ultrai.toml"
    link.symlink_to(real)
    edit_file(link, lambda text: f"{text}# é\r\n")
    assert link.is_symlink()
    assert real.read_bytes() == "a = 1\r\n# é\r\n".encode()
    assert real.stat().st_mode & 0o777 == 0o640


def test_an_edit_that_fails_leaves_the_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "ultrai.toml"
    path.parent.mkdir()
    path.write_text("a = 1")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match=r"ultrai\.toml: cannot be written: No space left"):
        edit_file(path, lambda _: "b = 2")
    assert path.read_text() == "a = 1"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_cannot_be_edited(tmp_path):
    with pytest.raises(SettingsError, match="Is a directory"):
        edit_file(tmp_path, lambda text: text)
