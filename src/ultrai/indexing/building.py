"""Brings an Index in step with its folders: new and changed files are read, missing ones dropped.

Theory of operation. The folders are walked first; a file whose size and time are those of its row
is not opened. What has to be read is read outside any transaction and written in batches, each in
one, so that an interrupted run keeps what it has written and others can search meanwhile. A file
that changes between the two looks at it is left for the next time and told. Two processes at the
same Index do the same work twice and take turns in writing it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from ultrai.domain.errors import UltraiError, UsageError
from ultrai.domain.index import IndexChange, IndexProgress, Skipped
from ultrai.indexing.schema import writing
from ultrai.indexing.walking import Found, UnreadableFolder, look
from ultrai.policy.chunking import Chunk, chunk_text, kind_of
from ultrai.policy.relevance import pairs_of
from ultrai.policy.retrieving import CHUNK_TOKENS

_BATCH_CHARACTERS = 2_000_000
_BATCH_FILES = 500
_WORTH_MERGING = 2_000  # passages written; fewer do not slow a search down


class Text(Protocol):
    """What a reader makes of a file. `remark` says what of it is missing."""

    @property
    def text(self) -> str:
        """All of it."""

    @property
    def remark(self) -> str:
        """Empty: nothing is missing."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What reading takes. `now` is a stamp.

    `read` turns a file into text and raises UltraiError where it cannot; `tell` hears how far it
    is.
    """

    read: Callable[[Path], Text]
    tell: Callable[[IndexProgress], None]
    now: str


@dataclass(slots=True)
class _Entry:
    """A file that was looked at: what its row is to say, and its passages."""

    root: int
    found: Found
    sha: str = ""
    characters: int = 0
    remark: str = ""
    trouble: str = ""
    chunks: Sequence[Chunk] = ()


@dataclass(slots=True)
class _Count:
    """What has changed so far, and what is to be written."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    pending: list[_Entry] = field(default_factory=list)
    characters: int = 0
    passages: int = 0


class Builder:
    """Updates one Index."""

    def __init__(self, connection: sqlite3.Connection, workshop: Workshop) -> None:
        self._connection = connection
        self._workshop = workshop

    def add_root(self, path: Path, excluded: Sequence[str]) -> None:
        """Remember a folder or file. Raises UsageError where it lies within one that is there."""
        for (known,) in self._connection.execute("SELECT path FROM roots"):
            other = Path(known)
            if path != other and (path.is_relative_to(other) or other.is_relative_to(path)):
                raise UsageError(
                    f"{path} and {other}, which is in the index already, hold the same files",
                    hint="Give it an index of its own with --name.",
                )
        with writing(self._connection):
            self._connection.execute(
                "INSERT INTO roots (path, excluded) VALUES (?, ?)"
                " ON CONFLICT (path) DO UPDATE SET excluded = excluded.excluded",
                (str(path), json.dumps(list(excluded))),
            )

    def update(self, roots: Sequence[Path] | None = None) -> IndexChange:
        """Bring the roots up to date, or all. What was written stays, whatever happens then."""
        count = _Count()
        known = self._connection.execute("SELECT id, path, excluded FROM roots ORDER BY id")
        work = [
            (root, Path(path), json.loads(excluded))
            for root, path, excluded in known.fetchall()
            if roots is None or Path(path) in roots
        ]
        todo: list[tuple[int, Found]] = []
        for root, path, excluded in work:
            todo += [
                (root, found) for found in self._changed(root, path, excluded=excluded, count=count)
            ]
        tell = self._workshop.tell
        for done, (root, found) in enumerate(todo):
            tell(IndexProgress(done, len(todo), found.path))
            self._take(self._entry(root, found), count)
        self._write(count)
        tell(IndexProgress(len(todo), len(todo), ""))
        self._finish(count)
        return IndexChange(
            count.added, count.changed, count.removed, count.unchanged, tuple(count.skipped)
        )

    def _changed(
        self, root: int, path: Path, *, excluded: Sequence[str], count: _Count
    ) -> list[Found]:
        """What has to be read; files that are gone are dropped here."""
        if not path.exists():
            raise UsageError(
                f"{path} is gone; the index still has what it held",
                hint="Put it back, or make the index anew without it: ultrai index rm NAME.",
            )
        rows = self._connection.execute(
            "SELECT path, size, modified_ns, trouble FROM files WHERE root = ?", (root,)
        )
        known = {row[0]: row[1:] for row in rows}
        todo: list[Found] = []
        not_seen: list[str] = []
        seen: set[str] = set()
        for each in look(path, excluded):
            if isinstance(each, UnreadableFolder):
                not_seen.append(each.path)
                count.skipped.append(Skipped(each.path, f"the folder cannot be read: {each.why}"))
                continue
            if not _is_text(each.path):
                shown = each.path.encode("utf-8", "replace").decode()
                count.skipped.append(Skipped(shown, "its name is not UTF-8"))
                continue
            seen.add(each.path)
            before = known.get(each.path)
            if before is None or before[:2] != (each.size, each.modified_ns):
                todo.append(each)
            elif before[2]:
                count.skipped.append(Skipped(each.path, before[2]))
            else:
                count.unchanged += 1
        gone = [
            each
            for each in known
            if each not in seen and not any(_is_below(each, folder) for folder in not_seen)
        ]
        self._drop(root, gone)
        count.removed += len(gone)
        return todo

    def _drop(self, root: int, paths: Sequence[str]) -> None:
        if not paths:
            return
        with writing(self._connection):
            for path in paths:
                self._connection.execute(
                    "DELETE FROM chunks WHERE file ="
                    " (SELECT id FROM files WHERE root = ? AND path = ?)",
                    (root, path),
                )
                self._connection.execute(
                    "DELETE FROM files WHERE root = ? AND path = ?", (root, path)
                )

    def _entry(self, root: int, found: Found) -> _Entry:
        """What there is to say of a file, as it is now."""
        try:
            text = self._workshop.read(found.place)
            after = found.place.stat()
        except UltraiError as error:
            return _Entry(root, found, trouble=_without_path(str(error), found.place))
        except OSError as error:
            return _Entry(root, found, trouble=error.strerror or str(error))
        if (after.st_size, after.st_mtime_ns) != (found.size, found.modified_ns):
            # Its row must not look up to date: the next run has to read it again.
            moved = Found(found.path, found.place, -1, 0)
            return _Entry(root, moved, trouble="it changed while it was read")
        coded = text.text.encode("utf-8", "surrogatepass")
        kind = kind_of(found.path, text.text)
        return _Entry(
            root,
            found,
            sha=sha256(coded).hexdigest(),
            characters=len(text.text),
            remark=text.remark,
            chunks=chunk_text(text.text, kind=kind, most_tokens=CHUNK_TOKENS),
        )

    def _take(self, entry: _Entry, count: _Count) -> None:
        if entry.trouble:
            count.skipped.append(Skipped(entry.found.path, entry.trouble))
        count.pending.append(entry)
        count.characters += entry.characters
        if count.characters >= _BATCH_CHARACTERS or len(count.pending) >= _BATCH_FILES:
            self._write(count)

    def _write(self, count: _Count) -> None:
        """All that is pending, in one transaction."""
        pending, count.pending, count.characters = count.pending, [], 0
        if not pending:
            return
        added = changed = same = passages = 0
        with writing(self._connection):
            for entry in pending:
                before = self._connection.execute(
                    "SELECT id, sha256 FROM files WHERE root = ? AND path = ?",
                    (entry.root, entry.found.path),
                ).fetchone()
                file = self._put_row(entry)
                if before is not None and before[1] == entry.sha and entry.sha:
                    same += 1
                    continue
                self._connection.execute("DELETE FROM chunks WHERE file = ?", (file,))
                self._put_chunks(file, entry.chunks)
                passages += len(entry.chunks)
                if not entry.trouble:
                    added, changed = added + (before is None), changed + (before is not None)
        # Counted only now that it is written.
        count.added, count.changed = count.added + added, count.changed + changed
        count.unchanged, count.passages = count.unchanged + same, count.passages + passages

    def _put_row(self, entry: _Entry) -> int:
        found = entry.found
        row = self._connection.execute(
            "INSERT INTO files (root, path, size, modified_ns, sha256, characters, remark, trouble)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root, path) DO UPDATE SET"
            " size = excluded.size, modified_ns = excluded.modified_ns, sha256 = excluded.sha256,"
            " characters = excluded.characters, remark = excluded.remark,"
            " trouble = excluded.trouble RETURNING id",
            (
                *(entry.root, found.path, found.size, found.modified_ns, entry.sha),
                *(entry.characters, entry.remark, entry.trouble),
            ),
        ).fetchone()
        return int(row[0])

    def _put_chunks(self, file: int, chunks: Sequence[Chunk]) -> None:
        self._connection.executemany(
            "INSERT INTO chunks (file, place, first_line, last_line, text, pairs)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                (file, place, chunk.line, chunk.last_line, text, " ".join(pairs_of(text)))
                for place, chunk in enumerate(chunks)
                for text in [_storable(chunk.text)]
            ),
        )

    def _finish(self, count: _Count) -> None:
        with writing(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO facts VALUES ('updated_at', ?)", (self._workshop.now,)
            )
        if count.passages >= _WORTH_MERGING:
            self._connection.execute("INSERT INTO words (words) VALUES ('optimize')")


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _storable(text: str) -> str:
    """SQLite takes no half characters, which a file may hold all the same."""
    return text.encode("utf-8", "replace").decode()


def _is_below(path: str, folder: str) -> bool:
    return folder in (".", path) or path.startswith(f"{folder}/")


def _without_path(message: str, place: Path) -> str:
    """The reason alone: the path stands beside it."""
    rest = message.removeprefix(str(place)).lstrip(": ")
    return rest.removeprefix("cannot be read: ") or message
