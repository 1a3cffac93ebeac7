"""The folder of weights: verification, its memory, removal, the lock."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ultrai.domain.errors import LocalModelError
from ultrai.local import weights as weights_module
from ultrai.local.filelock import locked
from ultrai.local.models import LocalModel, find_model
from ultrai.local.weights import installed, part_path, remove, verify, weights_path


@pytest.fixture
def home(tmp_path: Path, model: LocalModel, weights: bytes) -> Path:
    path = weights_path(model, tmp_path)
    path.parent.mkdir()
    path.write_bytes(weights)
    return tmp_path


def test_whole_weights_verify_to_their_path(home: Path, model: LocalModel) -> None:
    assert verify(model, home) == home / "models" / "tiny.gguf"


def test_verified_weights_are_not_hashed_again(
    home: Path, model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify(model, home)

    def refuse(path: Path) -> str:
        raise AssertionError(path)

    monkeypatch.setattr(weights_module, "sha256_of", refuse)
    verify(model, home)


def test_weights_changed_after_verification_are_found_out_and_removed(
    home: Path, model: LocalModel, weights: bytes
) -> None:
    path = verify(model, home)
    path.write_bytes(weights[::-1])
    with pytest.raises(LocalModelError, match="damaged") as raised:
        verify(model, home)
    assert "ultrai local pull local/tiny" in raised.value.hint
    assert not path.exists()


def test_missing_weights_name_the_command_that_brings_them(
    tmp_path: Path, model: LocalModel
) -> None:
    with pytest.raises(LocalModelError, match="not here") as raised:
        verify(model, tmp_path)
    assert "ultrai local pull local/tiny" in raised.value.hint


def test_removal_frees_the_file_and_what_a_broken_pull_left(home: Path, model: LocalModel) -> None:
    verify(model, home)
    part_path(model, home).write_bytes(b"12345")
    assert remove(model, home) > model.size_bytes + 5
    assert not list((home / "models").glob("tiny.gguf*part"))
    assert not weights_path(model, home).exists()
    assert remove(model, home) == 0


def test_removal_where_nothing_was_ever_pulled_frees_nothing(
    tmp_path: Path, model: LocalModel
) -> None:
    assert remove(model, tmp_path) == 0


def test_only_files_of_the_right_size_count_as_installed(tmp_path: Path) -> None:
    smollm = find_model("smollm2-135m-instruct")
    path = weights_path(smollm, tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"half")
    assert installed(tmp_path) == ()
    with path.open("wb") as file:
        file.truncate(smollm.size_bytes)
    assert installed(tmp_path) == (smollm,)


def test_an_unreadable_folder_is_one_clear_error(tmp_path: Path, model: LocalModel) -> None:
    path = weights_path(model, tmp_path)
    path.mkdir(parents=True)
    (tmp_path / "models" / "tiny.gguf.lock").mkdir()
    with pytest.raises(LocalModelError, match=r"cannot use .*tiny\.gguf\.lock"):
        remove(model, tmp_path)


def test_the_lock_is_held_by_one_at_a_time_and_the_other_is_told_to_wait(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    waits, enters = threading.Event(), threading.Event()

    def second() -> None:
        with locked(path, waiting=waits.set):
            enters.set()

    other = threading.Thread(target=second)
    with locked(path):
        other.start()
        assert waits.wait(10)
        assert not enters.is_set()
    other.join(10)
    assert enters.is_set()
