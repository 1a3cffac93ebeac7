"""All Indexes of a user: one file each in a folder; they are made, listed, looked into and removed.

Everything here blocks. READ THIS FIRST; `building` writes, `searching` finds, `schema` is the file.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ultrai.domain.errors import NotFound, UsageError
from ultrai.domain.index import Hit, IndexChange, IndexedFile, IndexSummary
from ultrai.indexing.building import Builder, Workshop
from ultrai.indexing.schema import connect, explained
from ultrai.indexing.searching import Searcher

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PARTS = ("", "-wal", "-shm")
WITH_NEIGHBOURS = 8  # of the best hits, as for files that are given


class IndexShelf:
    """The Indexes in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Of all Indexes, in order."""
        if not self._folder.is_dir():
            return []
        return sorted(each.stem for each in self._folder.glob("*.db") if _NAME.fullmatch(each.stem))

    def add(
        self,
        name: str,
        roots: Sequence[Path],
        *,
        excluded: Sequence[str],
        workshop: Workshop,
    ) -> IndexChange:
        """Add folders or files and read them; the Index is made where it is missing.

        Raises UsageError for a name or a folder that cannot be used, and StoreError.
        """
        _check_name(name)
        places = [_existing(root) for root in roots]
        with self._open(name, create=True) as connection:
            builder = Builder(connection, workshop)
            for place in places:
                builder.add_root(place, excluded)
            return builder.update(places)

    def update(self, name: str, workshop: Workshop) -> IndexChange:
        """Read what has changed since. Raises NotFound, UsageError and StoreError."""
        with self._open(name) as connection:
            return Builder(connection, workshop).update()

    def summary(self, name: str) -> IndexSummary:
        """What it holds. Raises NotFound and StoreError."""
        with self._open(name) as connection:
            roots = connection.execute("SELECT path FROM roots ORDER BY id").fetchall()
            files, characters = connection.execute(
                "SELECT count(*), coalesce(sum(characters), 0) FROM files WHERE trouble = ''"
            ).fetchone()
            (passages,) = connection.execute("SELECT count(*) FROM chunks").fetchone()
            updated = connection.execute(
                "SELECT value FROM facts WHERE name = 'updated_at'"
            ).fetchone()
        return IndexSummary(
            name=name,
            roots=tuple(path for (path,) in roots),
            files=files,
            passages=passages,
            characters=characters,
            size=sum(part.stat().st_size for part in self._parts(name) if part.exists()),
            updated_at=updated[0] if updated else None,
        )

    def files(self, name: str) -> list[IndexedFile]:
        """Its files in the order of their paths. Raises NotFound and StoreError."""
        with self._open(name) as connection:
            rows = connection.execute(
                "SELECT roots.path, files.path, size, characters,"
                " (SELECT count(*) FROM chunks WHERE chunks.file = files.id), remark, trouble"
                " FROM files JOIN roots ON roots.id = files.root ORDER BY roots.id, files.path"
            ).fetchall()
        return [IndexedFile(str(Path(root, path)), *rest) for root, path, *rest in rows]

    def remove(self, name: str) -> None:
        """Delete it; the files that it was made of stay. Raises NotFound and StoreError."""
        self.must_exist(name)
        with explained(self._path(name)):
            for part in self._parts(name):
                part.unlink(missing_ok=True)

    def search(self, name: str, question: str, *, limit: int) -> list[Hit]:
        """The passages that have most to do with a question, the best first."""
        with self._open(name) as connection:
            return Searcher(connection).search(question, limit=limit)

    def surroundings(self, name: str, question: str, *, limit: int) -> tuple[list[Hit], list[Hit]]:
        """The same, and what stands beside the best of them."""
        with self._open(name) as connection:
            searcher = Searcher(connection)
            hits = searcher.search(question, limit=limit)
            beside = [n for hit in hits[:WITH_NEIGHBOURS] for n in searcher.neighbours(hit)]
        return hits, beside

    def changed_since(self, name: str, files: Sequence[int]) -> list[str]:
        """Which of these files are not on the disk any more as they were when they were read."""
        changed = []
        with self._open(name) as connection:
            for file in files:
                row = connection.execute(
                    "SELECT roots.path, files.path, size, modified_ns FROM files"
                    " JOIN roots ON roots.id = files.root WHERE files.id = ?",
                    (file,),
                ).fetchone()
                if row is not None and not _is_as_it_was(
                    Path(row[0]), row[1], size=row[2], modified_ns=row[3]
                ):
                    changed.append(str(row[1]))
        return changed

    @contextmanager
    def _open(self, name: str, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        if not create:
            self.must_exist(name)
        path = self._path(name)
        with explained(path), closing(connect(path)) as connection:
            yield connection

    def must_exist(self, name: str) -> None:
        """Raises UsageError for what is no name, NotFound where there is none of that name."""
        _check_name(name)
        if not self._path(name).is_file():
            known = self.names()
            there = f"there are: {', '.join(known)}" if known else "there is none yet"
            raise NotFound(
                f"there is no index {name}; {there}",
                hint=f"Make it: ultrai index add FOLDER --name {name}",
            )

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.db"

    def _parts(self, name: str) -> list[Path]:
        return [self._folder / f"{name}.db{part}" for part in _PARTS]


def name_for(root: Path) -> str:
    """A name for the Index of a folder: the folder's own, with what no name may hold left out."""
    made = re.sub(r"[^A-Za-z0-9._-]+", "-", root.resolve().name).strip("-._")[:64]
    if not made:
        raise UsageError(f"{root} gives no name for an index", hint="Name it with --name.")
    return made


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"an index cannot be called {name!r}",
            hint="Use up to 64 letters, digits, dots, dashes and underscores.",
        )


def _existing(root: Path) -> Path:
    try:
        place = root.expanduser().resolve(strict=True)
        str(place).encode()
    except (OSError, RuntimeError):
        raise UsageError(f"{root} does not exist", hint="Name a folder or a file.") from None
    except UnicodeEncodeError:
        raise UsageError(f"{root!a} is not valid UTF-8", hint="Rename it.") from None
    return place


def _is_as_it_was(root: Path, path: str, *, size: int, modified_ns: int) -> bool:
    try:
        status = (root if root.is_file() else root / path).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (size, modified_ns)
