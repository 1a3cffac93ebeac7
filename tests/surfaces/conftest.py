"""A screen for renderers, golden files, and `ultrai` as a process against a simulator."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ultrai.cli.render.palette import Palette
from ultrai.cli.terminal import Terminal

GOLDEN = Path(__file__).parent / "golden"
SOURCES = Path(__file__).parents[2] / "src"
PATIENCE_S = 60


class Screen(io.StringIO):
    """A stream that remembers what was written."""

    def terminal(
        self, *, width: int = 80, height: int = 24, watched: bool = False, colour: bool = False
    ) -> Terminal:
        """This stream as a terminal, or as a pipe."""
        return Terminal(
            stream=self,
            is_terminal=watched,
            redraws=watched,
            palette=Palette(colour=colour),
            size=lambda: (width, height),
        )


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with a file; `UPDATE_GOLDEN=1 make test` writes the files anew."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare


@dataclass(frozen=True)
class Ended:
    """A finished command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Runs `ultrai` as its own process, in the test's own environment."""

    environment: Mapping[str, str]

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "ultrai.cli", *arguments],
            env={**os.environ, **self.environment, "PYTHONPATH": str(SOURCES)},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, stdin: bytes = b"") -> Ended:
        with self.start(*arguments, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(stdin, timeout=PATIENCE_S)
        return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
def shell() -> Shell:
    """A shell without a key."""
    return Shell({})


@pytest.fixture
def upstream() -> Iterator[Callable[..., Shell]]:
    """Starts a simulator with a scenario; returns a shell whose key and address are its own."""
    started: list[subprocess.Popen[str]] = []

    def start(scenario: str, folder: Path) -> Shell:
        path = folder / f"scenario-{len(started)}.toml"
        path.write_text(scenario, encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "ultrai_sim", "--port", "0", "--scenario", str(path)],
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        exports = [process.stdout.readline().strip() for _ in range(2)]
        return Shell(dict(_exported(exports)))

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def _exported(lines: Sequence[str]) -> list[tuple[str, str]]:
    pairs = [line.removeprefix("export ").partition("=") for line in lines]
    return [(name, value) for name, _, value in pairs]
