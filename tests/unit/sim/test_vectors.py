"""Vectors are of length one, repeatable, and near where texts share words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai_sim.embedders import Piece, embedders, embedders_body, read_vector_order
from ultrai_sim.refusals import Refusal
from ultrai_sim.vectors import shortened, vector_of

SMALL = "openai/text-embedding-3-small"


def near(one, other):
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


@given(text=st.text(max_size=40), size=st.integers(1, 300))
def test_every_vector_has_length_one(text, size):
    vector = vector_of(text, salt="m", size=size)
    assert len(vector) == size
    assert near(vector, vector) == pytest.approx(1.0)
    assert vector == vector_of(text, salt="m", size=size)


@pytest.mark.parametrize("size", [1536, 256])
def test_texts_that_share_words_are_near_and_others_are_not(size):
    pairs = [
        ("How do I reset my password?", "I forgot my password, how can I reset it?"),
        ("quantum computing basics", "an introduction to quantum computers"),
        ("best pizza in Naples", "where to eat pizza in Naples"),
    ]
    vectors = [
        [shortened(vector_of(text, salt="m", size=1536), size) for text in pair] for pair in pairs
    ]
    for n, (one, other) in enumerate(vectors):
        assert near(one, other) > 0.3
        strangers = (pair[1] for m, pair in enumerate(vectors) if m != n)
        assert all(abs(near(one, stranger)) < 0.2 for stranger in strangers)


def test_models_see_the_same_text_differently():
    assert abs(near(*(vector_of("the same", salt=salt, size=1536) for salt in "ab"))) < 0.2


def read(given=None, **fields):
    return read_vector_order({"model": SMALL, "input": "x" if given is None else given, **fields})


@pytest.mark.parametrize(
    ("given", "pieces"),
    [
        ("hello", (Piece("hello"),)),
        (["a", "b"], (Piece("a"), Piece("b"))),
        ([1, 22], (Piece("1 22", 2),)),
        ([[1], [2, 3]], (Piece("1", 1), Piece("2 3", 2))),
        ([{"content": [{"type": "text", "text": "t"}]}], (Piece("t"),)),
        (
            [{"content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {}}]}],
            (Piece("t", images=1),),
        ),
    ],
)
def test_inputs_of_every_form_are_read(given, pieces):
    assert read(given).pieces == pieces


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "openai/gpt-4o"},
        {"input": ""},
        {"input": []},
        {"input": [""]},
        {"input": [None]},
        {"input": 3},
        {"input": [{"content": []}]},
        {"input": ["x"] * 2049},
        {"input": "word " * 8193},
        {"dimensions": 0},
        {"dimensions": 1537},
        {"dimensions": "many"},
        {"encoding_format": "int8"},
    ],
)
def test_what_cannot_be_embedded_is_refused(fields):
    with pytest.raises(Refusal) as refused:
        read_vector_order({"model": SMALL, "input": "x", **fields})
    assert refused.value.status == 400


def test_tokens_and_images_are_counted():
    order = read([{"content": [{"type": "text", "text": "one two"}, {"type": "image_url"}]}])
    assert (order.text_tokens, order.image_tokens) == (2, 765)
    assert read([7, 7, 7]).text_tokens == 3


def test_a_model_that_does_not_shorten_ignores_the_wish():
    assert read("x", model="baai/bge-m3", dimensions=5).size == 1024
    assert read("x", dimensions=5).size == 5


def test_the_models_are_listed_as_what_they_are():
    body = embedders_body()
    assert body["total_count"] == len(embedders()) >= 6
    for row in body["data"]:
        assert row["architecture"]["output_modalities"] == ["embeddings"]
        assert row["architecture"]["modality"] == "text->embeddings"
        assert float(row["pricing"]["prompt"]) > 0
