"""The status strip on a real terminal: tmux is told what to show, and asked what it shows."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.surfaces.conftest import PATIENCE_S, SOURCES, Shell

Upstream = Callable[[str, Path], Shell]
SCENARIO = """
seed = 1
[latency]
first_token_s = 0.2
per_token_s = 0.02
[[faults]]
kind = "cut"
model = "openai/gpt-4o"
after = 15
"""

pytestmark = [
    pytest.mark.terminal,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]


class Pane:
    """A terminal of its own."""

    def __init__(self, width: int) -> None:
        self._name = f"ultrai-{uuid4().hex[:8]}"
        size = ("-x", str(width), "-y", "24")
        self._tmux("-f", "/dev/null", "new-session", "-d", "-s", "pane", *size, "sh")

    def type(self, line: str) -> None:
        self._tmux("send-keys", "-t", "pane", line, "Enter")

    def wait_for(self, text: str) -> str:
        """The scrollback and the screen, once `text` is in it."""
        end_s = time.monotonic() + PATIENCE_S
        shown = ""
        while text not in shown:
            assert time.monotonic() < end_s, shown
            time.sleep(0.05)
            shown = self._tmux("capture-pane", "-p", "-J", "-S", "-500", "-t", "pane")
        return shown

    def close(self) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._name, *arguments]
        done = subprocess.run(
            command, env=dict(os.environ), capture_output=True, text=True, check=True
        )
        return done.stdout


@pytest.fixture
def panes() -> Iterator[Callable[[int], Pane]]:
    opened: list[Pane] = []

    def make(width: int) -> Pane:
        opened.append(Pane(width))
        return opened[-1]

    yield make
    for pane in opened:
        pane.close()


def _script(shell: Shell, folder: Path, arguments: str) -> Path:
    """A shell script that runs the command: no environment has to be typed."""
    exports = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in shell.environment.items())
    path = folder / "run.sh"
    path.write_text(
        f"{exports}export PYTHONPATH={shlex.quote(str(SOURCES))}\n"
        f"{shlex.quote(sys.executable)} -m ultrai.cli {arguments}\necho ended with $?\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("width", [40, 80])
def test_the_strip_leaves_nothing_behind(
    width: int, upstream: Upstream, panes: Callable[[int], Pane], tmp_path: Path
) -> None:
    shell = upstream(SCENARIO, tmp_path)
    pane = panes(width)
    script = _script(shell, tmp_path, "ask What? -m openai/gpt-4o -m mistralai/mistral-large")
    pane.type(f"clear; sh {script}")
    pane.wait_for("streaming")
    shown = pane.wait_for("ended with")
    assert "streaming" not in shown
    assert "asking" not in shown
    assert "the text above is withdrawn" in " ".join(shown.split())
    assert shown.count("── mistralai/mistral-large") == 1
    assert all(len(line) <= width for line in shown.splitlines() if line.startswith("──"))
