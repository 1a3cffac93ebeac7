"""Which files of a folder belong into an Index: in order, without what nobody means.

Left out are hidden files and folders, folders of packages and of caches, links (what they point to
is either met anyway or lies outside), what is no ordinary file, kinds that hold no text, and what
the user excludes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

_NOBODY_MEANS = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})
_NO_TEXT = frozenset(
    {
        *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".ico", ".bmp", ".tif", ".tiff"),
        *(".heic", ".mp3", ".mp4", ".wav", ".ogg", ".flac", ".mov", ".avi", ".mkv"),
        *(".webm", ".zip", ".gz", ".xz", ".bz2", ".zst", ".7z", ".rar", ".tar"),
        *(".tgz", ".whl", ".jar", ".so", ".dylib", ".dll", ".exe", ".o", ".a"),
        *(".pyc", ".class", ".wasm", ".woff", ".woff2", ".ttf", ".otf", ".eot", ".db"),
        *(".sqlite", ".sqlite3", ".bin", ".gguf", ".onnx", ".pt", ".safetensors", ".npy", ".npz"),
        *(".parquet", ".pkl", ".iso", ".dmg"),
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """A file below a root: its path from there with `/`, and what says whether it has changed."""

    path: str
    place: Path
    size: int
    modified_ns: int


class UnreadableFolder(Exception):
    """A folder below the root could not be looked through; its files are not known to be gone."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


def look(root: Path, excluded: Sequence[str]) -> Iterator[Found | UnreadableFolder]:
    """The files below a folder, or the file itself, in the order of their names."""
    if root.is_file():
        yield _found(root.name, root, status=root.stat())
        return
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                mine = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield UnreadableFolder(_below(root, folder), error.strerror or str(error))
            continue
        below = []
        for entry in mine:
            place = Path(entry.path)
            if _is_left_out(entry, _below(root, place), excluded=excluded):
                continue
            if entry.is_dir(follow_symlinks=False):
                below.append(place)
            elif (status := _status(entry)) is not None:
                yield _found(_below(root, place), place, status=status)
        folders += reversed(below)


def _is_left_out(entry: os.DirEntry[str], path: str, *, excluded: Sequence[str]) -> bool:
    name = entry.name
    if name.startswith(".") or entry.is_symlink():
        return True
    if any(fnmatchcase(each, pattern) for pattern in excluded for each in (name, path)):
        return True
    if entry.is_dir(follow_symlinks=False):
        return name in _NOBODY_MEANS or Path(entry.path, "pyvenv.cfg").exists()
    return Path(name).suffix.lower() in _NO_TEXT


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Of an ordinary file; None for what is none, and for what is gone already."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _found(path: str, place: Path, *, status: os.stat_result) -> Found:
    return Found(path, place, status.st_size, status.st_mtime_ns)


def _below(root: Path, place: Path) -> str:
    return place.relative_to(root).as_posix()
