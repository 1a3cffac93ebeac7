from __future__ import annotations

import json
import tomllib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.cocktail import Slot
from ultrai.domain.errors import SettingsError
from ultrai.settings.cocktails import (
    parse_cocktails_json,
    parse_cocktails_table,
    read_cocktails_file,
    shipped_file,
)

REPORT_SHAPE = {
    "version": "2.0",
    "last_updated": "2026-11-20",
    "cocktails": {"MINE": {"openai/gpt-4o": ["x-ai/grok-4", "deepseek/deepseek-r1"]}},
    "model_corrections": {
        "DEPRECATED": [
            "meta/llama-2-70b-chat (replaced by llama-3.3/llama-4)",
            "anthropic/claude-3.5-sonnet (superseded by claude-3.7-sonnet)",
        ],
        "PREFIX_CORRECTIONS": {"xai/": "x-ai/ (hyphen required)"},
    },
}


def _toml(text: str):
    return parse_cocktails_table(tomllib.loads(text)["cocktails"], path="ultrai.toml")


def _corrections(**sections):
    text = json.dumps({"model_corrections": sections})
    return parse_cocktails_json(text, path="mine.json").corrections


def test_a_file_of_the_reports_shape_is_read_whole():
    file = parse_cocktails_json(json.dumps(REPORT_SHAPE), path="mine.json")
    assert file.cocktails[0].slots == (
        Slot("openai/gpt-4o", ("x-ai/grok-4", "deepseek/deepseek-r1")),
    )
    assert file.cocktails[0].source == "mine.json"
    assert file.corrections.prefixes == {"xai/": "x-ai/"}
    assert file.corrections.deprecated == {
        "meta/llama-2-70b-chat": "meta-llama/llama-3.3-70b-instruct",
        "anthropic/claude-3.5-sonnet": "anthropic/claude-3.7-sonnet",
    }
    assert (file.version, file.last_updated) == ("2.0", "2026-11-20")


def test_both_ways_of_writing_a_cocktail_in_toml_mean_the_same():
    listed, keyed = _toml("""
        [cocktails.LISTED]
        slots = [{primary = "a/b", backups = ["c/d", "e/f"]}, "g/h", "i/j*2"]
        quorum = 3
        synthesis = "none"
        [cocktails.KEYED]
        quorum = 3
        "a/b" = ["c/d", "e/f"]
        "g/h" = []
        "i/j*2" = []
    """)
    assert listed.slots == keyed.slots
    assert listed.slots == (
        Slot("a/b", ("c/d", "e/f")), Slot("g/h"), Slot("i/j"), Slot("i/j"),
    )  # fmt: skip
    assert (listed.quorum, keyed.quorum, listed.synthesis) == (3, 3, "none")


def test_a_seat_of_three_shares_its_backups():
    (cocktail,) = _toml('[cocktails.X]\nslots = [{primary = "a/b*3", backups = ["c/d"]}]')
    assert cocktail.slots == (Slot("a/b", ("c/d",)),) * 3


def test_ids_stay_as_written_until_a_run_is_planned():
    (cocktail,) = _toml('[cocktails.X]\n"xai/grok-4" = ["meta/llama-2-70b-chat"]')
    assert cocktail.slots == (Slot("xai/grok-4", ("meta/llama-2-70b-chat",)),)


def test_a_byte_order_mark_is_no_error():
    assert parse_cocktails_json("\ufeff{}", path="f.json").cocktails == ()
    assert parse_cocktails_json(b"\xef\xbb\xbf{}", path="f.json").cocktails == ()


def test_a_file_is_read_from_disk(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(REPORT_SHAPE), encoding="utf-8")
    assert read_cocktails_file(path).cocktails[0].source == str(path)
    with pytest.raises(SettingsError, match=r"(?i)no such file"):
        read_cocktails_file(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("toml", "place", "cause", "hint"),
    [
        ('MINE.slots = ["a/b", {primary = "gpt4o"}]', "MINE.slots[1].primary", "'gpt4o'",
         "did you mean openai/gpt-4o"),
        ('MINE.slots = [{primary = "a/b", backups = ["x", "c/d"]}]', "MINE.slots[0].backups[0]",
         "'x' is not a model id", "maker/model"),
        ('MINE.slots = ["a/b*21"]', "MINE.slots[0]", "1 to *20 times", ""),
        ('MINE.slots = [{primry = "a/b"}]', "MINE.slots[0]", "'primry'",
         "did you mean primary? valid: primary, backups"),
        ('MINE.slots = [{backups = ["a/b"]}]', "MINE.slots[0]", "no primary", "primary ="),
        ("MINE.slots = [3]", "MINE.slots[0]", "text in quotes, not 3", ""),
        ('MINE.slots = "a/b"', "MINE.slots", "a list in brackets, not 'a/b'", ""),
        ("MINE.slots = []", "MINE", "no slots", "slots ="),
        ('MINE.slot = ["a/b"]', "MINE", "'slot'",
         "did you mean slots? valid: slots, quorum, synthesis"),
        ('MINE = {slots = ["a/b"], "c/d" = []}', "MINE", "both slots and ids", "one of the two"),
        ('MINE = {"a/b" = "c/d"}', "MINE.'a/b'", "a list in brackets", ""),
        ('MINE = {"a/b" = ["c/d", "c/d"]}', "MINE.'a/b'[1]", "twice", ""),
        ('MINE = {"a/b" = ["a/b"]}', "MINE.'a/b'", "its own backup", ""),
        ('MINE = {"a/b" = [], quorum = 2}', "MINE.quorum", "from 1 to 1, not 2", ""),
        ('MINE = {"a/b" = [], quorum = true}', "MINE.quorum", "not true", ""),
        ('MINE = {"a/b" = [], synthesis = "fuse"}', "MINE.synthesis", "not available yet", "none"),
        ('MINE = {"a/b" = [], synthesis = "nome"}', "MINE.synthesis", "'nome'",
         "did you mean none? valid: none"),
        ("MINE = 3", "MINE", "must be a table, not 3", ""),
        ('auto = {"a/b" = []}', "auto", "cannot be defined", ""),
        ('"my own" = {"a/b" = []}', "'my own'", "not a name", "letters"),
        ('a = {"a/b" = []}\nA = {"a/b" = []}', "A", "case does not count", ""),
        (f"MINE.slots = {['a/b*20'] * 5 + ['a/g']}", "MINE", "101 slots; 100 are the most", ""),
    ],
)  # fmt: skip
def test_an_error_names_file_path_value_and_what_is_valid(toml, place, cause, hint):
    with pytest.raises(SettingsError) as caught:
        _toml(f"[cocktails]\n{toml}")
    message = str(caught.value)
    assert message.startswith(f"ultrai.toml: cocktails.{place}: ")
    assert cause in message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "line 1, column 1 is not JSON"),
        ("[1", "is not JSON"),
        ("[]", "must be a table, not a list"),
        ("[" * 100_000, "nested too deep"),
        ("[" + "9" * 5000 + "]", "too many digits"),
        (" " * 2_000_000, "larger than 1 MiB"),
        (b"{}\n\xff", "line 2 is not UTF-8"),
        ('{"coctails": {}}', "'coctails' is not a section"),
        ('{"version": "1.0"}', "version: '1.0' is not a version"),
        ('{"version": 2.0}', "version: must be text in quotes, not 2.0"),
        ('{"last_updated": "yesterday"}', "'yesterday' is not a date"),
        ('{"cocktails": {"X": {"a/b": [], "a/b": []}}}', "cocktails.X: 'a/b' stands here twice"),
        ('{"cocktails": {}, "cocktails": {}}', "'cocktails' stands here twice"),
        ('{"cocktails": {"X": {"a/\\ud800": []}}}', "a model id has the form"),
        ('{"successions": {"asof": "2026-01-01"}}', "'asof' is not a key of successions"),
        ('{"successions": {"retired": {"a/b": ["~a/latest"]}}}', "is an alias"),
        ('{"successions": {"retired": {"a/b": ["a/b"]}}}', "succeeds itself"),
        ('{"references": {"models": {"a/b": {"prompt": "1"}}}}', "no price called completion"),
        (
            '{"references": {"models": {"a/b": {"prompt": "-1", "completion": "1"}}}}',
            "references.models.'a/b'.prompt: '-1' is not a price",
        ),
        ('{"references": {"models": {"a/b": {"price": "1"}}}}', "'price' is not a key"),
        ('{"successions": {"retired": {"ab": ["a/b"]}}}', "'ab' is not a model id"),
    ],
)
def test_a_broken_json_file_is_one_clear_line(text, cause):
    with pytest.raises(SettingsError) as caught:
        parse_cocktails_json(text, path="mine.json")
    message = str(caught.value)
    assert message.startswith("mine.json: ")
    assert cause in message
    assert "\n" not in message
    assert message.isprintable()


def test_a_users_successions_are_read():
    text = '{"successions": {"as_of": "2026-11-20", "retired": {"a/b": ["a/c", "a/d"]}}}'
    successions = parse_cocktails_json(text, path="mine.json").successions
    assert successions.as_of == "2026-11-20"
    assert successions.retired == {"a/b": ("a/c", "a/d")}


def test_references_are_exact_prices_and_windows():
    row = {"prompt": "0.0434", "completion": "2.50", "window": 128000}
    text = json.dumps({"references": {"as_of": "2026-11-20", "models": {"a/b": row}}})
    reference = parse_cocktails_json(text, path="mine.json").references["a/b"]
    assert reference.prompt_usd_per_million == Decimal("0.0434")
    assert reference.completion_usd_per_million == Decimal("2.5")
    assert reference.context_length == 128_000


@pytest.mark.parametrize(
    ("prose", "right"),
    [
        ("x/old -> x/new", "x/new"),
        ("x/old → new", "x/new"),
        ("x/old (superseded by new)", "x/new"),
        ("x/old (replaced with y/new, since May)", "y/new"),
        ("x/old (use x/new instead)", "x/new"),
        ("openai/gpt-4 (succeeded by gpt-4o)", "openai/gpt-4o"),
        ("meta/llama-2-13b (replaced by llama-3.3/llama-4)", "meta-llama/llama-3.3-70b-instruct"),
        ("meta/llama-2-13b (replaced by llama-4)", "meta-llama/llama-4-maverick"),
        ("google/palm (replaced by google/gemini-2.5-pro)", "google/gemini-2.5-pro"),
    ],
)
def test_prose_about_a_replacement_is_understood(prose, right):
    (found,) = _corrections(DEPRECATED=[prose]).deprecated.values()
    assert found == right


def test_a_table_of_deprecated_ids_is_understood_too():
    found = _corrections(DEPRECATED={"x/old": "replaced by new", "x/older": "x/new (really)"})
    assert found.deprecated == {"x/old": "x/new", "x/older": "x/new"}
    clear = _corrections(CLARIFICATIONS=["mistralai/mixtral-8x7b -> mixtral-8x7b-instruct"])
    assert clear.clarifications == {"mistralai/mixtral-8x7b": "mistralai/mixtral-8x7b-instruct"}


@pytest.mark.parametrize(
    ("sections", "cause"),
    [
        ({"DEPRECATED": ["x/old (gone)"]}, "DEPRECATED[0]: 'x/old (gone)' names no replacement"),
        ({"DEPRECATED": ["()"]}, "names nothing to correct"),
        ({"DEPRECATED": ["old -> x/new"]}, "'old -> x/new' is not a model id"),
        ({"DEPRECATED": ["x/old -> x/old"]}, "is corrected to itself"),
        ({"DEPRECATED": ["x/old -> x/a", "X/OLD -> x/b"]}, "is corrected twice"),
        ({"DEPRECATED": ["x/a -> x/b", "x/b -> x/a"]}, "round in a circle"),
        ({"PREFIX_CORRECTIONS": {"x/": "y/", "y/": "x/"}}, "round in a circle"),
        ({"PREFIX_CORRECTIONS": {"xai": "x-ai/"}}, "'xai' is not a prefix"),
        ({"PREFIX_CORRECTIONS": {"x/": "x/"}}, "is corrected to itself"),
        ({"PREFIXES": {}}, "'PREFIXES' is not a section of corrections"),
        ({"DEPRECATED": 3}, "must be a list in brackets"),
    ],
)
def test_prose_that_cannot_be_understood_is_an_error_with_its_place(sections, cause):
    with pytest.raises(SettingsError) as caught:
        _corrections(**sections)
    assert str(caught.value).startswith("mine.json: model_corrections")
    assert cause in str(caught.value)


def test_the_shipped_file_is_a_valid_users_file():
    from importlib import resources

    text = resources.files("ultrai").joinpath("data/cocktails.json").read_text(encoding="utf-8")
    file, shipped = parse_cocktails_json(text, path="copy.json"), shipped_file()
    assert [c.slots for c in file.cocktails] == [c.slots for c in shipped.cocktails]
    assert file.corrections == shipped.corrections
    assert file.successions == shipped.successions


_WORDS = st.sampled_from(
    [
        *("slots", "quorum", "synthesis", "primary", "backups", "cocktails", "model_corrections"),
        *("DEPRECATED", "PREFIX_CORRECTIONS", "CLARIFICATIONS", "successions", "retired", "as_of"),
        *("references", "models", "prompt", "completion", "window", "units"),
        *("version", "last_updated", "a/b", "a/c*3", "x/", "none", "2.0", "x/a (replaced by b)"),
    ]
)
_KEYS = _WORDS | st.text(max_size=8)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | _KEYS
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


def _outcome(read) -> str | None:
    """None where it could be read, else the error's line; any other exception goes through."""
    try:
        read()
    except SettingsError as error:
        return f"{error} {error.hint}"
    return None


@given(_VALUES)
def test_any_table_gives_cocktails_or_a_settings_error(value):
    line = _outcome(lambda: parse_cocktails_table(value, path="ultrai.toml"))
    assert line is None or (line.startswith("ultrai.toml: cocktails") and line.isprintable())


@given(st.dictionaries(_WORDS, st.dictionaries(_KEYS, _VALUES, max_size=3) | _VALUES, max_size=3))
def test_any_json_gives_a_file_or_a_settings_error(value):
    line = _outcome(lambda: parse_cocktails_json(json.dumps(value), path="mine.json"))
    assert line is None or (line.startswith("mine.json: ") and line.isprintable())


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_gives_a_file_or_a_settings_error(text):
    line = _outcome(lambda: parse_cocktails_json(text, path="mine.json"))
    assert line is None or line.startswith("mine.json: ")


@given(st.text(alphabet='{}[]":,/ab*3', max_size=80).map(lambda inner: f'{{"cocktails": {inner}}}'))
def test_any_cocktails_section_gives_a_file_or_a_settings_error(text):
    line = _outcome(lambda: parse_cocktails_json(text, path="mine.json"))
    assert line is None or line.startswith("mine.json: ")


def test_a_huge_number_or_a_deep_table_is_a_settings_error_too():
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"slots": [deep]}
    for value in (
        1 << 100_000,
        {"X": {"slots": [1 << 100_000]}},
        {"X": deep},
        {"X": {"a/b": deep}},
    ):
        line = _outcome(lambda value=value: parse_cocktails_table(value, path="ultrai.toml"))
        assert line is not None
        assert len(line) < 400
