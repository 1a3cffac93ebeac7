"""`ultrai index` and `--index`: a folder that is asked about, with files and lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.surfaces.conftest import Shell

Upstream = Callable[[str, Path], Shell]
MODEL = "mistralai/mistral-large"
SECRET = "The apothecary Quillon hid the astrolabe beneath the third step."
QUESTION = "Where did Quillon hide the astrolabe?"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    paragraphs = [f"Paragraph {n} tells of rivers, bridges and markets." for n in range(900)]
    paragraphs.insert(450, SECRET)
    (folder / "book.txt").write_text("\n\n".join(paragraphs), encoding="utf-8")
    (folder / "empty.txt").write_text("")
    (folder / "data.dat").write_bytes(b"\0\1\2" * 100)
    (folder / "scan.pdf").write_bytes(b"%PDF-1.7\nnothing that is one\n")
    return folder


def test_a_folder_is_indexed_and_asked_about(
    upstream: Upstream, tmp_path: Path, library: Path
) -> None:
    shell = upstream("seed = 1\n", tmp_path)
    added = shell.run("index", "add", str(library))
    assert added.code == 3
    assert added.out.startswith("library: 3 added\n")
    assert "scan.pdf: " in added.out
    assert "ask: ultrai ask --index library 'QUESTION'" in added.out
    assert all(len(line) <= 80 for line in added.out.splitlines() if "scan.pdf" not in line)
    found = shell.run("index", "search", "library", "Quillon's", "astrolabe")
    assert "book.txt:" in found.out
    assert f"901: {SECRET}" in found.out
    ended = shell.run("ask", QUESTION, "--index", "library", "-m", MODEL)
    assert ended.code == 0
    assert "note: 1 part of 1 file of the index library is used\n" in ended.err
    report = json.loads(shell.run("show", "last", "--json").out)
    (source,) = report["slots"][0]["fit"]["sources"]
    assert report["slots"][0]["fit"]["mode"] == "retrieve"
    assert source["name"] == "book.txt"
    assert source["coverage_percent"] < 20
    (passage,) = source["passages"]
    assert passage["first_line"] <= 901 <= passage["last_line"]
    (document,) = report["query"]["documents"]
    assert document["first_line"] == passage["first_line"]
    assert f"book.txt from line {passage['first_line']} (" in shell.run("show", "last").out


def test_a_changed_file_is_told_and_a_dead_word_refused(
    upstream: Upstream, tmp_path: Path, library: Path
) -> None:
    shell = upstream("seed = 1\n", tmp_path)
    shell.run("index", "add", str(library), "--name", "books")
    (library / "book.txt").write_text(f"{SECRET} And it was changed.")
    stale = shell.run("ask", QUESTION, "--index", "books", "-m", MODEL)
    assert "book.txt changed since: run 'ultrai index update books'" in stale.err
    updated = json.loads(shell.run("index", "update", "books", "--json").out)
    assert updated["change"]["changed"] == 1
    whole = shell.run("ask", QUESTION, "--index", "books", "-m", MODEL, "--json")
    fit = json.loads(whole.out)["slots"][0]["fit"]
    assert (fit["mode"], fit["sources"][0]["coverage_percent"]) == ("whole", 100.0)
    refused = shell.run("ask", "xyzzy plugh", "--index", "books", "-m", MODEL)
    assert refused.code == 2
    assert "no passage of the index books has a word of the question; nothing was sent" in (
        refused.err
    )
    resumed = shell.run("ask", "--resume", "last", "--index", "books")
    assert (resumed.code, "no index" in resumed.err) == (2, True)


def test_indexes_are_listed_shown_and_removed(shell: Shell, library: Path) -> None:
    assert "no index yet" in shell.run("index").out
    shell.run("index", "add", str(library), "--exclude", "*.pdf")
    listed = json.loads(shell.run("index", "ls", "--json").out)["indexes"]
    assert [(each["name"], each["files"]) for each in listed] == [("library", 3)]
    shown = shell.run("index", "show", "library")
    assert "book.txt" in shown.out
    assert "holds no text: binary" in shown.out
    gone = shell.run("index", "rm", "library", "other")
    assert (gone.code, "there is no index other" in gone.err) == (2, True)
    assert shell.run("index", "rm", "library").out == "deleted: library\n"
    assert (library / "book.txt").exists()
    missing = shell.run("index", "add", str(library / "nowhere"))
    assert (missing.code, "does not exist" in missing.err) == (2, True)
