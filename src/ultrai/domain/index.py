"""An Index: folders and files whose texts are kept in parts, to be found again by words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What an Index holds. `size` is that of its file in bytes; `updated_at` is UTC, ISO 8601."""

    name: str
    roots: tuple[str, ...]
    files: int
    passages: int
    characters: int
    size: int
    updated_at: str | None

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "name": self.name,
            "roots": list(self.roots),
            "files": self.files,
            "passages": self.passages,
            "characters": self.characters,
            "bytes": self.size,
            "updated_at": self.updated_at,
        }


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file of an Index. `trouble`: why it gave no text; `remark`: what of it is missing."""

    path: str
    size: int
    characters: int
    passages: int
    remark: str = ""
    trouble: str = ""

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "path": self.path,
            "bytes": self.size,
            "characters": self.characters,
            "passages": self.passages,
            "remark": self.remark or None,
            "trouble": self.trouble or None,
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that gave no text, and the one line that says why."""

    path: str
    why: str

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {"path": self.path, "why": self.why}


@dataclass(frozen=True, slots=True)
class IndexChange:
    """What bringing an Index up to date has changed, in files."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: tuple[Skipped, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "skipped": [each.to_dict() for each in self.skipped],
        }


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far the reading of files is."""

    done: int
    total: int
    path: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. `file` and `place` say which; `score` is 0 for a neighbour.

    `file_characters` is the length of its file's text; `path` is as answers cite it.
    """

    file: int
    place: int
    path: str
    first_line: int
    last_line: int
    text: str
    score: float
    file_characters: int

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "path": self.path,
            "first_line": self.first_line,
            "last_line": self.last_line,
            "score": self.score,
            "text": self.text,
        }
