"""Files too long for a model, on the command line: shown before, done, shown after."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.surfaces.conftest import Shell

Upstream = Callable[[str, Path], Shell]
SMALL, LARGE = "mistralai/mistral-large", "google/gemini-2.5-flash"
TWO = ("-m", SMALL, "-m", LARGE)
CALM = "seed = 1\n"
SECRET = "The apothecary Quillon hid the astrolabe beneath the third step."
QUESTION = "Where did Quillon hide the astrolabe?"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> str:
    paragraphs = [f"Paragraph {n} tells of rivers, bridges and markets." * 4 for n in range(2600)]
    paragraphs.insert(1300, SECRET)
    path = tmp_path_factory.mktemp("books") / "book.txt"
    path.write_text("\n\n".join(paragraphs), encoding="utf-8")
    return str(path)


def test_what_each_model_gets_is_shown_before_and_behind(
    upstream: Upstream, tmp_path: Path, book: str
) -> None:
    shell = upstream(CALM, tmp_path)
    plan = shell.run("plan", QUESTION, "-f", book, *TWO)
    assert "sent   to slot 1: 1 passage, 0.6 % of book.txt" in plan.out
    assert "sent   to slot 2: whole" in plan.out
    ended = shell.run("ask", QUESTION, "-f", book, *TWO)
    assert ended.code == 0
    assert "\nsent: [1] 1 passage, 0.6 % of book.txt · [2] whole\n" in ended.err
    shown = shell.run("show", "last").out
    assert "sent: 1 passage, 0.6 % of book.txt\n  book.txt, lines 25" in shown
    assert "documents:\nbook.txt (" in shown
    report = json.loads(shell.run("show", "last", "--json").out)
    (passage,) = report["slots"][0]["fit"]["sources"][0]["passages"]
    assert passage["first_line"] <= 2601 <= passage["last_line"]
    assert [notice["code"] for notice in report["notices"]] == ["input_retrieved"]


def test_a_summary_shows_its_progress_and_its_cost(
    upstream: Upstream, tmp_path: Path, book: str
) -> None:
    shell = upstream(CALM, tmp_path)
    ended = shell.run("ask", "Summarise it.", "-f", book, "-m", SMALL, "--max-tokens", "50")
    assert ended.code == 0
    assert "note: mistralai/mistral-large writes the summary in " in ended.err
    assert "\nsummarising first, in " in ended.err
    assert "\nsent to all: summarised" in ended.err or "\nsent: [1] summarised" in ended.err
    report = json.loads(shell.run("show", "last", "--json").out)
    parts = [float(part["cost_usd"]) for part in report["summary"]["parts"]]
    total = sum(parts) + float(report["slots"][0]["cost_usd"])
    assert len(parts) > 5
    assert abs(float(report["cost_usd"]) - total) < 1e-9
    (run,) = json.loads(shell.run("history", "--json").out)["runs"]
    assert run["cost_usd"] == report["cost_usd"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--fit", "refuse"), "the input does not fit: mistralai/mistral-large holds"),
        (("--fit", "half"), "--fit 'half' is not a mode"),
        (("--pin", "unheard of"), "--pin 'unheard of' stands in no document"),
        (("--pin", "book.txt:9-99999"), "book.txt has lines 1 to "),
        (("--strict",), "--strict: mistralai/mistral-large gets"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    upstream: Upstream, tmp_path: Path, book: str, flags: tuple[str, ...], said: str
) -> None:
    ended = upstream(CALM, tmp_path).run("ask", QUESTION, "-f", book, *TWO, *flags)
    assert ended.code == 2
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_resumed_run_wants_the_same_files_where_they_are_large(
    upstream: Upstream, tmp_path: Path, book: str
) -> None:
    dead = CALM + '[[faults]]\nkind = "status"\nmodel = "mistralai/*"\nstatus = 403\n'
    shell = upstream(dead, tmp_path)
    ended = shell.run("ask", QUESTION, "-f", book, *TWO)
    assert ended.code == 3
    refused = shell.run("ask", "--resume", "last")
    assert refused.code == 2
    assert "give the same again: book.txt" in refused.err
    assert shell.run("ask", "--resume", "last", "-f", book, "--max-cost", "9").code == 4
    notes = tmp_path / "notes.md"
    notes.write_text("The date is open.", encoding="utf-8")
    assert shell.run("ask", "What is open?", "-f", str(notes), *TWO).code == 3
    assert shell.run("ask", "--resume", "last").code == 4, "small files are kept with the run"
    report = json.loads(shell.run("show", "last", "--json").out)
    assert report["query"]["documents"][0]["name"] == "notes.md"
