"""JSON made for a schema satisfies it, whatever the schema."""

from __future__ import annotations

import json
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sim.schemas import FORMATS, satisfies

from ultrai_sim.patterns import matching
from ultrai_sim.structured import Maker, SchemaError

NODE = {
    "type": "object",
    "properties": {
        "value": {"type": "integer"},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
    "required": ["value", "next"],
    "additionalProperties": False,
}
PATTERNS = (
    r"^[A-Z]{3}$",
    r"^\d{4}-\d{2}$",
    r"^(foo|bar)[_-]?\w+$",
    r"^#[0-9a-fA-F]{6}$",
    r"^[^,\s]{2,5}$",
    r"^a?b*c+$",
    r"^(?:x|y){2,}z$",
    r"^[\w.+-]+@\w+\.\w{2,}$",
    r"^(?P<year>20\d\d)\/(?<month>0[1-9])$".replace("?<month>", ""),
    r"^\(\d{3}\) \d{3}-\d{4}$",
    r"^[\]\\^-]+$",
    r".{4}\t",
)


def small(values):
    return st.integers(0, values)


def schemas(parts):
    names = st.sampled_from(["a", "b", "query", "city"])
    bounded = st.tuples(small(3), small(4))
    return st.one_of(
        st.builds(
            lambda properties, required, other: {
                "type": "object",
                "properties": properties,
                "required": [name for name in properties if name in required],
                "additionalProperties": other,
            },
            st.dictionaries(names, parts, max_size=4),
            st.sets(names),
            st.booleans() | parts,
        ),
        st.builds(
            lambda items, first, sizes: {
                "type": "array",
                "items": items,
                "prefixItems": first,
                "minItems": sizes[0],
                "maxItems": sum(sizes),
            },
            parts,
            st.lists(parts, max_size=2),
            bounded,
        ),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(parts, min_size=1, max_size=3)),
        st.builds(
            lambda one, other: {
                "allOf": [
                    {"type": "object", "properties": {"a": one}, "required": ["a"]},
                    {"type": "object", "properties": {"b": other}, "required": ["b"]},
                ]
            },
            parts,
            parts,
        ),
    )


simple = st.one_of(
    st.sampled_from(["boolean", "null", "string", "integer", "number"]).map(lambda k: {"type": k}),
    st.builds(
        lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
        small(30),
        small(9),
    ),
    st.builds(
        lambda least, more, kind: {"type": kind, "minimum": least, "maximum": least + more},
        st.integers(-50, 50),
        small(50),
        st.sampled_from(["integer", "number"]),
    ),
    st.builds(
        lambda step, kind: {"type": kind, "multipleOf": step},
        st.sampled_from([1, 2, 5, 10]),
        st.sampled_from(["integer", "number"]),
    ),
    st.builds(lambda bound: {"type": "integer", "exclusiveMinimum": bound}, small(50)),
    st.builds(lambda bound: {"type": "number", "exclusiveMaximum": bound}, small(50)),
    st.sampled_from(sorted(FORMATS)).map(lambda name: {"type": "string", "format": name}),
    st.sampled_from(PATTERNS).map(lambda text: {"type": "string", "pattern": text}),
    st.just({"enum": [1, "x", None, [1]]}),
    st.just({"const": {"k": 1}}),
    st.just({"type": ["string", "null"]}),
    st.just({"$ref": "#/$defs/node"}),
    st.just({}),
)


def make(schema, seed=0, **fields):
    return Maker(schema, Random(seed), **fields).value()


@settings(max_examples=400)
@given(schema=st.recursive(simple, schemas, max_leaves=8), seed=st.integers(0, 99))
def test_a_value_made_for_a_schema_satisfies_it(schema, seed):
    document = {**schema, "$defs": {"node": NODE}}
    value = make(document, seed, words=["Quantum", "computing"], numbers=[123.0, 4.5])
    assert satisfies(json.loads(json.dumps(value)), document)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 4},
        {"type": "array", "contains": {"const": 7}, "items": {"type": "integer"}},
        {"type": "array", "items": False, "prefixItems": [{"type": "null"}]},
        {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
        {"type": "object", "additionalProperties": False, "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "maxProperties": 1},
        {"required": ["undeclared"]},
        {"minimum": 3, "maximum": 3},
        {"type": "number", "minimum": 0.25, "maximum": 0.26},
        {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        {"allOf": [{"type": "number"}, {"type": "integer"}, {"minimum": 5}, {"maximum": 6}]},
        {"allOf": [{"enum": [1, 2, 3]}, {"enum": [3, 4]}]},
        {"allOf": [{"anyOf": [{"minimum": 2}]}, {"anyOf": [{"type": "integer"}]}]},
        {"properties": {"a": {"minLength": 3}}, "allOf": [{"properties": {"a": {"maxLength": 3}}}]},
        {"$ref": "#/definitions/x", "definitions": {"x": {"type": "boolean"}}},
        {"type": "array", "items": {"$ref": "#"}},
        True,
    ],
)
def test_every_rule_that_is_understood_holds(schema):
    for seed in range(20):
        value = make(schema, seed)
        assert satisfies(value, schema), value


def test_the_same_chance_makes_the_same_value():
    assert make(NODE | {"$defs": {"node": NODE}}) == make(NODE | {"$defs": {"node": NODE}})


def test_numbers_of_the_question_are_used_in_their_order_where_they_fit():
    number = {"type": "number"}
    schema = {
        "type": "object",
        "properties": {"numerator": number, "denominator": number, "small": {"maximum": 3}},
        "required": ["numerator", "denominator", "small"],
    }
    value = make(schema, numbers=[123.0, 456.0])
    assert (value["numerator"], value["denominator"]) == (123, 456)
    assert value["small"] <= 3


def test_words_of_the_question_become_texts():
    schema = {"properties": {"city": {"type": "string"}}, "required": ["city"]}
    assert make(schema, words=["weather", "Paris"]) == {"city": "Paris"}
    schema = {"properties": {"query": {"type": "string"}}, "required": ["query"]}
    assert make(schema, words=["weather", "Paris"]) == {"query": "weather Paris"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "string", "minLength": "long"},
        {"type": "array", "items": {"type": "array", "minItems": 99}, "minItems": 99},
        {"type": "integer", "minimum": "1"},
        {"anyOf": 3},
    ],
)
def test_a_schema_that_is_none_or_has_no_end_is_an_error(schema):
    with pytest.raises(SchemaError):
        make(schema)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_text_made_for_a_pattern_matches_it(pattern):
    for seed in range(30):
        assert re.search(pattern, matching(pattern, Random(seed)))


@pytest.mark.parametrize(
    "pattern", ["(", "[", "[a", "a{", "a{x}", "\\", "(?=a)b", "(?<=a)b", "x{9999}"]
)
def test_a_pattern_that_is_not_understood_makes_some_text(pattern):
    assert len(matching(pattern, Random(0))) <= 200


def test_properties_of_letters_are_understood():
    assert re.fullmatch(r"[A-Za-z]{3}\d", matching(r"^\p{L}{3}\p{Nd}$", Random(1)))
