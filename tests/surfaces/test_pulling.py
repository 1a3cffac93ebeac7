"""Progress of a pull: a line now and then where nobody watches, a bar on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.surfaces.conftest import Screen

from ultrai.cli import pulling
from ultrai.local.fetch import Progress, Report, Stage
from ultrai.local.models import SMOLLM, LocalModel


def _pull(model: LocalModel, *, home: Path, progress: Report, source: Path | None) -> Path:
    total = model.size_bytes
    for percent in range(0, 101, 2):
        done = total * percent // 100
        progress(Progress(model, Stage.FETCHING, done, total, "huggingface.co"))
    progress(Progress(model, Stage.FETCHING, 0, total, "mirror", "hub: no answer\x1b[2J"))
    progress(Progress(model, Stage.DONE, total, total))
    return home / model.file_name


@pytest.mark.parametrize("watched", [False, True])
def test_progress_and_notes_are_told(
    watched: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pulling, "pull", _pull)
    screen = Screen()
    terminal = screen.terminal(watched=watched)
    paths = pulling.pull_models((SMOLLM,), home=tmp_path, terminal=terminal)
    assert paths == [tmp_path / SMOLLM.file_name]
    shown = screen.getvalue()
    assert "note: hub: no answer" in shown
    assert "done" in shown
    assert "\x1b[2J" not in shown
    if not watched:
        assert shown.count("fetching") <= 13
        assert "local/smollm2-135m-instruct: fetching 50 % of 98 MB from huggingface.co" in shown
