"""`ultrai tokens`, as a person and as a program read it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ultrai.cli.files import read_texts
from ultrai.cli.render.token_table import token_table
from ultrai.domain.errors import UsageError
from ultrai.domain.overview import TokenRow

ROWS = [
    TokenRow("a/measured-one", "GPT", (10,), 1234, 1605, 1.3, True, 128_000, 2060, 2000),
    TokenRow("b/too-small-for-this-text", "Grok", (10,), 1400, 2240, 1.6, False, 2000),
    TokenRow("c/not-in-the-catalogue", None, (10,), 1500, 2400, 1.6, False),
]


def lines(width: int | None) -> list[str]:
    return ["".join(cell.text for cell in line).rstrip() for line in token_table(ROWS, width=width)]


def test_a_model_that_does_not_hold_the_plan_is_marked() -> None:
    _, first, second, third = lines(None)
    assert first.split() == (
        ["✓", "a/measured-one", "GPT", "1,234", "103", "%", "1,605", "128,000", "×1.3", "measured"]
    )
    assert second.startswith("✗")
    assert second.endswith("×1.6 not measured")
    assert third.startswith("–")


def test_the_table_fits_80_columns_and_still_says_what_is_measured() -> None:
    assert max(map(len, lines(80))) <= 80
    assert "not measured" in lines(80)[2]


def test_standard_input_stands_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("from a file")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("piped é".encode())))
    found = read_texts([file, Path("-"), file], most_mb=64)
    assert [document.text for document in found] == ["from a file", "piped é", "from a file"]
    assert found[1].name == "-"


def test_standard_input_is_read_once() -> None:
    with pytest.raises(UsageError, match="twice"):
        read_texts([Path("-"), Path("-")], most_mb=64)
