"""A Document: a named source text that a Query brings along."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A source text. Its name says what kind of text it is, and is what answers cite.

    A part of a file says at which of the file's lines it begins, and how long the file is in all.
    """

    name: str
    text: str
    first_line: int = 1
    file_characters: int | None = None

    @property
    def is_part(self) -> bool:
        """Whether there is more of the file than this."""
        return self.file_characters is not None

    @property
    def sha256(self) -> str:
        """Of the text in UTF-8, as hex; a lone surrogate counts as its three bytes."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    def to_dict(self) -> dict[str, object]:
        """JSON types: which text it was, without the text."""
        shape: dict[str, object] = {
            "name": self.name,
            "characters": len(self.text),
            "sha256": self.sha256,
        }
        if self.file_characters is not None:
            shape |= {"first_line": self.first_line, "file_characters": self.file_characters}
        return shape
