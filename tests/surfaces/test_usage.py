"""Bad usage: one line on standard error, exit 2, and nothing sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.surfaces.conftest import SOURCES, Shell

from ultrai.cli.app import COMMANDS, LATER, run

Capture = pytest.CaptureFixture[str]


def failing(capsys: Capture, *arguments: str) -> str:
    """Run in this process; the one line on standard error."""
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    return captured.err


@pytest.mark.parametrize("name", sorted(LATER))
def test_a_command_of_a_later_issue_says_so_and_is_not_in_the_help(
    name: str, capsys: Capture
) -> None:
    assert "not available yet" in failing(capsys, name, "--json")
    run(["--help"])
    assert f"  {name} " not in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "sim"])
def test_every_command_has_help_and_json(name: str, capsys: Capture) -> None:
    assert run([name, "--help"]) == 0
    assert "--json" in capsys.readouterr().out or name == "local"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("-c", "SPEEDY", "-m", "a/b"), "exclude each other"),
        (("--synthesis", "fuse"), "not available yet"),
        (("--synthesis", "nonsense"), "not a mode"),
        (("--temperature", "2.1"), "--temperature"),
        (("--temperature", "nan"), "finite"),
        (("--max-tokens", "0"), "--max-tokens"),
        (("--quorum", "0"), "--quorum"),
        (("--deadline", "0"), "--deadline"),
        (("--deadline", "inf"), "finite"),
        (("--max-cost", "cheap"), "--max-cost"),
        (("--max-cost", "-1"), "--max-cost"),
        (("--json", "--jsonl"), "exclude each other"),
        (("-m", "a/b", "--user", "caf\udce9"), "the user 'caf\\udce9' is not printable"),
        (("-m", "a/b", "--feature", "\udcff"), "the feature '\\udcff' is not printable"),
        (("-m", "a/b", "--tag", "team=\udcff"), "the tag 'team=\\udcff' is not printable"),
        (("-m", " "), "empty"),
        (("-f", "missing.txt"), "missing.txt"),
        (("--frobnicate",), "--frobnicate"),
        (("--resume", "run_1"), "takes no prompt"),
    ],
)
def test_wrong_flags_are_told_before_anything_is_sent(
    flags: tuple[str, ...], words: str, capsys: Capture
) -> None:
    assert words in failing(capsys, "ask", "What?", *flags)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("caf\udce9",), "the prompt"),
        (("What?", "-s", "caf\udce9"), "-s"),
        (("What?", "-c", "caf\udce9"), "-c"),
        (("What?", "-m", "a/b", "-m", "a/\udce9"), "-m"),
        (("What?", "-f", "caf\udce9.txt"), "-f"),
    ],
)
def test_an_argument_that_is_not_utf8_is_named(
    arguments: tuple[str, ...], name: str, capsys: Capture
) -> None:
    line = failing(capsys, "ask", *arguments)
    assert name in line
    assert "not valid UTF-8" in line


def test_a_misspelt_command_gets_the_nearest(capsys: Capture) -> None:
    assert "did you mean 'ask'" in failing(capsys, "aks", "What?")


def test_a_file_that_is_not_text_is_named(capsys: Capture, tmp_path: Path) -> None:
    binary = tmp_path / "picture.png"
    binary.write_bytes(b"\x89PNG\x00\xff")
    assert "picture.png is binary, not text" in failing(capsys, "ask", "What?", "-f", str(binary))


def test_a_file_that_is_too_large_is_named_with_the_limit(capsys: Capture, tmp_path: Path) -> None:
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(1_000_000_000)
    assert "larger than 64 MB: 1,000 MB" in failing(capsys, "ask", "What?", "-f", str(large))


def test_an_unknown_cocktail_lists_the_valid_names(capsys: Capture) -> None:
    line = failing(capsys, "cocktails", "show", "PREMUM")
    assert "PREMIUM" in line


def test_a_missing_settings_file_is_named(capsys: Capture) -> None:
    assert "nowhere.toml" in failing(capsys, "history", "--config", "nowhere.toml")


def test_debug_works_before_and_after_the_command(capsys: Capture) -> None:
    for arguments in (("--debug", "history"), ("history", "--debug")):
        assert run([*arguments, "--config", "nowhere.toml"]) == 2
        assert "Traceback" in capsys.readouterr().err


def test_empty_standard_input_is_no_prompt(shell: Shell) -> None:
    for arguments in (("ask",), ("ask", "-")):
        ended = shell.run(*arguments, stdin=b" \n")
        assert ended.code == 2
        assert "prompt is empty" in ended.err


def test_without_a_key_and_weights_the_pull_command_is_named(shell: Shell) -> None:
    ended = shell.run("ask", "What?")
    assert ended.code == 2
    assert "ultrai local pull" in ended.err
    assert ended.out == ""


def test_the_cocktails_are_listed_for_programs(shell: Shell) -> None:
    shape = json.loads(shell.run("cocktails", "--json").out)
    names = [cocktail["name"] for cocktail in shape["cocktails"]]
    assert names == ["PREMIUM", "SPEEDY", "BUDGET", "DEPTH", "LOCAL"]


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys; from ultrai.cli.app import run; run(sys.argv[1:]); "
        "heavy = {'rich', 'aiohttp', 'sqlalchemy', 'alembic', 'xllamacpp', 'msgspec'};"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    for flag in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code, flag],
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert done.returncode == 0
