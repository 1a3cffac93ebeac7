"""The folder of pulled weights: what is there, whether it is whole, and taking it away.

A file is trusted once its sha256 is right. The verdict is written beside it with the file's size
and time of change, so that a start does not hash half a gigabyte again. It does NOT know how
weights get there (see `fetch`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ultrai.domain.errors import LocalModelError
from ultrai.local.filelock import locked
from ultrai.local.models import LOCAL_MODELS, LocalModel

_CHUNK_BYTES = 1 << 20


def weights_folder(home: Path) -> Path:
    """Where weights lie below UltrAI's state directory."""
    return home / "models"


def weights_path(model: LocalModel, home: Path) -> Path:
    """Where that model's weights lie once pulled."""
    return weights_folder(home) / model.file_name


def part_path(model: LocalModel, home: Path) -> Path:
    """Where they grow while they arrive; named by hash, so that a new pin starts afresh."""
    return weights_folder(home) / f"{model.file_name}.{model.sha256[:12]}.part"


def installed(home: Path) -> tuple[LocalModel, ...]:
    """The models whose weights are there with the right size; hashes are `verify`'s."""
    return tuple(model for model in LOCAL_MODELS if is_installed(model, home))


def is_installed(model: LocalModel, home: Path) -> bool:
    """Whether a file of the right size is in its place."""
    try:
        return weights_path(model, home).stat().st_size == model.size_bytes
    except OSError:
        return False


def verify(model: LocalModel, home: Path) -> Path:
    """The path of the weights, with the right hash; LocalModelError if missing or damaged.

    A damaged file is removed: nothing may load it. Blocks while it hashes, about a second for
    500 MB, the first time and whenever the file has changed.
    """
    path = weights_path(model, home)
    if not path.is_file():
        raise LocalModelError(f"the weights of {model.id} are not here", hint=pull_hint(model))
    with readable(path):
        if _is_stamped(model, path):
            return path
        whole = path.stat().st_size == model.size_bytes and sha256_of(path) == model.sha256
        if whole:
            stamp(model, path)
            return path
        path.unlink(missing_ok=True)
        _stamp_path(path).unlink(missing_ok=True)
    raise LocalModelError(
        f"the weights of {model.id} were damaged (wrong sha256); the file was removed",
        hint=pull_hint(model),
    )


def remove(model: LocalModel, home: Path) -> int:
    """Take the weights away, and what a broken-off pull left; returns the bytes set free."""
    path = weights_path(model, home)
    if not path.parent.is_dir():
        return 0
    freed = 0
    with readable(path), locked(lock_path(model, home)):
        for file in (path, part_path(model, home), _stamp_path(path)):
            if file.is_file():
                freed += file.stat().st_size
                file.unlink()
    return freed


def lock_path(model: LocalModel, home: Path) -> Path:
    """The file that whoever changes these weights holds locked."""
    return weights_folder(home) / f"{model.file_name}.lock"


def stamp(model: LocalModel, path: Path) -> None:
    """Note that this very file has been hashed and found right."""
    _stamp_path(path).write_text(json.dumps(_facts(model, path)), encoding="utf-8")


def sha256_of(path: Path, seen: Callable[[int], None] | None = None) -> str:
    """The file's sha256 in hex; `seen` is told the bytes read so far."""
    digest = hashlib.sha256()
    done_bytes = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            done_bytes += len(chunk)
            if seen is not None:
                seen(done_bytes)
    return digest.hexdigest()


def pull_hint(model: LocalModel) -> str:
    """The command that brings these weights."""
    return f"run: ultrai local pull {model.id}"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the system's complaints about files into one LocalModelError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LocalModelError(
            f"cannot use {error.filename or path}: {reason}",
            hint="check the permissions and free space of UltrAI's home (ULTRAI_HOME)",
        ) from error


def _stamp_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _facts(model: LocalModel, path: Path) -> dict[str, int | str]:
    status = path.stat()
    return {"sha256": model.sha256, "size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _is_stamped(model: LocalModel, path: Path) -> bool:
    try:
        noted = json.loads(_stamp_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(noted == _facts(model, path))
