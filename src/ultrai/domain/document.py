"""A Document: a named source text that a Query brings along."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A source text. Its name says what kind of text it is, and is what answers cite."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Of the text in UTF-8, as hex; a lone surrogate counts as its three bytes."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    def to_dict(self) -> dict[str, object]:
        """JSON types: which text it was, without the text."""
        return {"name": self.name, "characters": len(self.text), "sha256": self.sha256}
