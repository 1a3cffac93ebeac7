"""`ultrai savings`: what was not spent, from real runs before the simulated upstream."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from tests.surfaces.conftest import Shell

Upstream = Callable[[str, Path], Shell]
MODEL = "openai/gpt-4o"


def test_cache_fitting_and_selection_are_told_with_their_methods(
    upstream: Upstream, tmp_path: Path
) -> None:
    shell = upstream("seed = 1\n", tmp_path)
    empty = shell.run("savings")
    assert "$0 in 0 runs, as far as known" in empty.out
    for _ in range(3):
        asked = shell.run("ask", "Which is larger, 9.11 or 9.9?", "-m", MODEL, "--json")
    first = Decimal(json.loads(shell.run("history", "--json").out)["runs"][-1]["cost_usd"])
    assert json.loads(asked.out)["slots"][0]["answer"]["cached"]
    notes = tmp_path / "notes.txt"
    paragraphs = [f"Paragraph {n} tells of rivers and markets." for n in range(900)]
    notes.write_text("\n\n".join([*paragraphs, "Quillon hid the astrolabe."]))
    about = ("-f", str(notes), "--fit", "retrieve", "-m", MODEL, "--json")
    fitted = shell.run("ask", "Where is the astrolabe?", *about)
    fit = json.loads(fitted.out)["slots"][0]["fit"]["sources"][0]
    shell.run("ask", "Hello there, who are you?")  # the cocktail is chosen
    found = json.loads(shell.run("savings", "--json").out)
    rows = {row["source"]: row for row in found["savings"]}
    assert found["runs"] == 5
    assert (rows["cache"]["times"], rows["cache"]["unknown"]) == (2, 0)
    assert Decimal(rows["cache"]["saved_usd"]) == 2 * first
    left_out = fit["tokens"] - fit["sent_tokens"]
    assert left_out > 5000
    assert Decimal(rows["fitting"]["saved_usd"]) == left_out * Decimal("0.0000025")
    assert rows["selection"] == {
        "source": "selection",
        "times": 1,
        "saved_usd": None,
        "unknown": 1,
        "method": "not known: the cocktails that were not chosen were not asked",
    }
    table = shell.run("savings")
    assert table.code == 0
    assert "fitting: estimated tokens of documents" in table.out
    sheet = list(csv.DictReader(io.StringIO(shell.run("savings", "--csv").out)))
    assert [row["source"] for row in sheet] == ["cache", "fitting", "prompt_cache", "selection"]
    both = shell.run("savings", "--csv", "--json")
    assert (both.code, "exclude each other" in both.err) == (2, True)


def test_what_could_not_have_been_sent_saves_nothing(upstream: Upstream, tmp_path: Path) -> None:
    shell = upstream("seed = 1\n", tmp_path)
    book = tmp_path / "book.txt"
    book.write_text("\n\n".join(f"Paragraph {n} tells of rivers." * 4 for n in range(20_000)))
    ended = shell.run("ask", "Which rivers?", "-f", str(book), "-m", MODEL, "--json")
    assert json.loads(ended.out)["slots"][0]["fit"]["mode"] == "retrieve"
    rows = json.loads(shell.run("savings", "--json").out)["savings"]
    assert next(row for row in rows if row["source"] == "fitting")["times"] == 0
