"""A simulator for the documented commands and programs, and a place in which each page is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.docs.pages import ROOT

PATIENCE_S = 60
Ended = subprocess.CompletedProcess[str]
Runs = Callable[[list[str]], Ended]


@pytest.fixture(scope="session")
def upstream() -> Iterator[Mapping[str, str]]:
    """The two variables that a simulator prints; one serves all tests of a process."""
    with subprocess.Popen(
        [sys.executable, "-m", "ultrai_sim", "--port", "0", "--seed", "1"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        assignments = [line.removeprefix("export ").strip().partition("=") for line in lines]
        yield {name: value for name, _, value in assignments}
        process.terminate()


@pytest.fixture
def typed(upstream: Mapping[str, str], tmp_path: Path) -> Runs:
    """Runs a command line in the test's own directory, where `ultrai` and `python3` are ours."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, arguments in (("ultrai", "-m ultrai"), ("python3", "")):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', encoding="utf-8")
        tool.chmod(0o755)
    environment = {
        **os.environ,
        **upstream,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONWARNINGS": "error",
    }

    def run(command: list[str]) -> Ended:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    return run
