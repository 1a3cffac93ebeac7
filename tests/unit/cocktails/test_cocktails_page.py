"""The page about cocktails says what the data says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ultrai.policy.corrections import correct
from ultrai.settings.cocktails import (
    parse_cocktails_json,
    parse_cocktails_table,
    shipped_book,
    shipped_file,
)

PAGE = (Path(__file__).parents[3] / "docs" / "cocktails.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    return re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], flags=re.MULTILINE)[0]


def _rows(text: str) -> list[list[list[str]]]:
    """Tables' rows with code in them: the code of each cell."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [
        [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")] for line in lines
    ]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_table_of_retired_ids_is_the_data_files():
    rows = {
        row[0][0]: tuple(row[2]) for row in _rows(_section("What has changed since the report"))
    }
    assert rows == dict(shipped_file().successions.retired)


@pytest.mark.parametrize("name", ["PREMIUM", "SPEEDY", "BUDGET", "DEPTH", "LOCAL"])
def test_each_cocktails_table_has_its_slots_and_backups_in_order(name):
    cocktail = shipped_book().find(name)
    assert cocktail is not None
    rows = [(row[0][0], tuple(row[2])) for row in _rows(_section(name))]
    assert rows == [(slot.primary, slot.backups) for slot in cocktail.slots]


def test_the_shipped_panels_are_as_diverse_as_the_page_says():
    exceptions = []
    for name in ("PREMIUM", "SPEEDY", "BUDGET", "DEPTH"):
        cocktail = shipped_book().find(name)
        assert cocktail is not None
        makers = [slot.primary.partition("/")[0] for slot in cocktail.slots]
        assert len(set(makers)) == len(makers)
        for slot, maker in zip(cocktail.slots, makers, strict=True):
            of_maker = [i for i, b in enumerate(slot.backups) if b.startswith(f"{maker}/")]
            if of_maker:
                exceptions.append((name, of_maker))
    assert exceptions == [("BUDGET", [0])] * 3


def test_the_table_of_corrections_is_what_happens():
    for written, meant, _ in _rows(_section("Corrections")):
        correction = correct(written[0].replace("…", "model"), shipped_file().corrections)
        assert correction is not None
        assert correction.corrected == meant[0].replace("…", "model")


def test_every_example_is_read_without_an_error():
    for block in _blocks("toml"):
        parse_cocktails_table(tomllib.loads(block).get("cocktails", {}), path="page")
    for block in _blocks("json"):
        assert parse_cocktails_json(block, path="page").cocktails
    assert (len(_blocks("toml")), len(_blocks("json"))) == (3, 1)


def test_the_page_counts_the_ids_right():
    four = [c for c in shipped_book() if c.name != "LOCAL"]
    ids = {model_id for cocktail in four for model_id in cocktail.model_ids}
    retired = set(shipped_file().successions.retired)
    counted = re.search(r"Of the (\d+) ids of the four cocktails, (\d+) are gone or going", PAGE)
    assert counted is not None
    assert (int(counted[1]), int(counted[2])) == (len(ids), len(ids & retired))
