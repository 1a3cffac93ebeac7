"""A real answer of /models as a catalogue, with its odd rows."""

from __future__ import annotations

import json

import pytest
from tests.contract.sim.talking import ask, fetch, with_simulator

from ultrai_sim import World
from ultrai_sim.__main__ import main
from ultrai_sim.catalogue import CatalogueError
from ultrai_sim.real_catalogue import is_json, read_listing

ROWS = [
    {
        "id": "acme/plain",
        "canonical_slug": "acme/plain-20260101",
        "name": "Plain",
        "created": 1787311563,
        "hugging_face_id": "",
        "context_length": 8000,
        "architecture": {"input_modalities": ["text"], "tokenizer": "GPT", "instruct_type": None},
        "pricing": {"prompt": "0.000001", "completion": "0.000002", "overrides": []},
        "top_provider": {"max_completion_tokens": None, "is_moderated": True},
        "supported_parameters": ["max_tokens", "temperature"],
        "something_new": {"since": 2027},
    },
    {
        "id": "openrouter/odd",
        "context_length": None,
        "architecture": None,
        "pricing": {"prompt": "-1", "completion": "-1", "image": None},
        "top_provider": None,
        "supported_parameters": None,
    },
    {"id": "openai/some", "pricing": {"prompt": 1e-7, "completion": "0"}},
]


@pytest.mark.parametrize("shape", [{"data": ROWS}, ROWS])
def test_a_real_listing_is_served_as_it_was(shape):
    catalogue = read_listing("models.json", json.dumps(shape))

    async def story(sim):
        listed = (await fetch(sim, "/models")).body["data"]
        answer = await ask(sim, "acme/plain")
        other = await ask(sim, "openai/some")
        return listed, answer, other

    listed, answer, other = with_simulator(World(catalogue=catalogue), story)
    assert [row["id"] for row in listed] == [row["id"] for row in ROWS]
    assert listed[0]["top_provider"]["is_moderated"]
    assert listed[1]["pricing"]["prompt"] == "-1"
    assert (answer.body["model"], answer.body["provider"]) == ("acme/plain-20260101", "DeepInfra")
    assert other.body["provider"] == "OpenAI"
    assert answer.body["usage"]["cost"] > 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ('{"data": []}', "holds no list of models"),
        ('{"data": [5]}', "row 1: 'id' must be"),
        ('{"data": [{"id": "a/b"}]}', "row 1 (a/b): 'pricing' must be"),
        ('{"data": [{"id": "a/b", "pricing": {"prompt": "x"}}]}', "pricing.prompt"),
        ('{"data": [{"id": "a/b", "pricing": {"prompt": "-2"}}]}', "pricing.prompt"),
    ],
)
def test_a_wrong_listing_names_its_row(text, told):
    with pytest.raises(CatalogueError) as caught:
        read_listing("models.json", text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_neither_is_one_line_and_exit_2(tmp_path, capsys):
    path = tmp_path / "models.txt"
    path.write_text("what is this")
    assert main(["--catalogue", str(path)]) == 2
    assert "neither TOML nor JSON" in capsys.readouterr().err
    assert is_json('\ufeff {"data": 1}')
