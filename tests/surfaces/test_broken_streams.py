"""Standard streams that are closed or full: one line, a code of the contract, no paid Run lost."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.surfaces.conftest import PATIENCE_S, SOURCES, Ended, Shell

Upstream = Callable[[str, Path], Shell]
CALM = """
seed = 1
[says]
"openai/gpt-4o" = "Forty-two."
"""
ASK = ("ask", "What?", "-m", "openai/gpt-4o")
LOST = "error: standard output cannot be written: No space left on device"
CLOSED = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-")

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full and sh")


def redirected(shell: Shell, redirection: str, *arguments: str) -> Ended:
    """`ultrai arguments redirection`, as sh runs it."""
    command = shlex.join([sys.executable, "-m", "ultrai.cli", *arguments])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} {redirection}"],
        env={**os.environ, **shell.environment, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("flag", ["--plain", "--json", "--jsonl"])
def test_a_run_goes_on_and_is_stored_when_its_output_cannot_be_written(
    flag: str, upstream: Upstream, tmp_path: Path
) -> None:
    shell = upstream(CALM, tmp_path)
    ended = redirected(shell, "> /dev/full", *ASK, flag)
    stored = json.loads(shell.run("show", "last", "--json").out)
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith(f"{LOST} — 'ultrai show {stored['id']}'")
    assert stored["status"] == "complete"
    assert stored["slots"][0]["answer"]["text"] == "Forty-two."


@pytest.mark.parametrize(
    "arguments", [("--help",), ("cocktails",), ("cocktails", "--json"), ("history", "--json")]
)
def test_a_full_output_is_one_line_and_exit_2(arguments: tuple[str, ...], shell: Shell) -> None:
    ended = redirected(shell, "> /dev/full", *arguments)
    assert (ended.code, ended.err) == (2, f"{LOST}\n")


def test_a_full_standard_error_takes_no_answer_away(upstream: Upstream, tmp_path: Path) -> None:
    shell = upstream(CALM, tmp_path)
    assert redirected(shell, "2> /dev/full", *ASK) == Ended(0, "Forty-two.\n", "")
    assert redirected(shell, "2> /dev/full", "frobnicate") == Ended(2, "", "")


@pytest.mark.parametrize("closed", CLOSED)
def test_closed_streams_change_no_exit_code(
    closed: str, upstream: Upstream, tmp_path: Path
) -> None:
    shell = upstream(CALM, tmp_path)
    for arguments in (ASK, ("history",)):
        ended = redirected(shell, closed, *arguments)
        assert ended.code == 0
        assert "Traceback" not in ended.err
    assert json.loads(shell.run("show", "last", "--json").out)["status"] == "complete"


def test_a_closed_standard_input_is_no_prompt(shell: Shell) -> None:
    ended = redirected(shell, "<&-", "ask")
    assert ended.code == 2
    assert ended.err.startswith("error: the prompt is empty")
