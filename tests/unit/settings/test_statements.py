from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.settings.statements import quoted, statements, with_strings_replaced

KEYS = st.sampled_from(["a", "b-c", "1_2", '"d e"', "'f.g'", '"\\u0041]"', "'#'", '"="', '""'])
STRINGS = st.sampled_from(
    ['"x"', "'y'", '"""z"""', "'''\n[t]\n'''", '"""\\"""\n# no\n"""', '""""q"""""', '"\\\\"', '""']
)
VALUES = st.recursive(
    st.sampled_from(["1", "1.5", "true", "1979-05-27T07:32:00Z", "+inf"]) | STRINGS,
    lambda inner: st.lists(inner, max_size=3).map(lambda v: "[\n " + ", # ]\n".join(v) + "\n]"),
    max_leaves=4,
)
LINES = st.one_of(
    st.builds("{} . {} = {} # [x]".format, KEYS, KEYS, VALUES),
    st.builds("{}={{ {} = {} }}".format, KEYS, KEYS, STRINGS.filter(lambda s: "\n" not in s)),
    st.builds("[ {} . {} ] # x = 1".format, KEYS, KEYS),
    st.builds("[[{}]]".format, KEYS),
    st.sampled_from(["", "  # [c] = 'd", "\t"]),
)


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def leaves(table: dict[str, object], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found = set()
    for key, value in table.items():
        below = leaves(value, (*path, key)) if isinstance(value, dict) else set()
        found |= below or {(*path, key)}
    return found


def found_at(path: tuple[str, ...], value: object) -> Iterator[object]:
    """What stands at a path, for every element of the tables on the way that are arrays."""
    if isinstance(value, list) and path:
        for element in value:
            yield from found_at(path, element)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from found_at(path[1:], value[path[0]])


TEXTS = st.builds(
    lambda lines, ending, last: ending.join(lines) + last,
    st.lists(LINES, max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
).filter(is_toml)


@given(TEXTS)
def test_statements_cover_the_text_without_gaps(text):
    assert "".join(text[s.start : s.end] for s in statements(text)) == text


@given(TEXTS)
def test_statements_define_what_the_parser_finds(text):
    table = tomllib.loads(text)
    paths = {s.path for s in statements(text) if s.path}
    for leaf in leaves(table):
        assert any(leaf[: len(path)] == path for path in paths)
    for path in paths:
        assert any(True for _ in found_at(path, table))


@given(TEXTS)
def test_strings_that_do_not_change_stay_as_they_are_written(text):
    assert with_strings_replaced(text, lambda word: word) == text


@pytest.mark.parametrize("text", ["a/b", 'a"b\\c', "tab\t, é, \u2028, \x7f"])
def test_a_quoted_text_means_itself(text):
    assert tomllib.loads(f"v = {quoted(text)}")["v"] == text
