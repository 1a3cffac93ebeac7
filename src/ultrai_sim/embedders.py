"""The models that make vectors, and what a request for vectors says."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from ultrai_sim.catalogue import Catalogue, Model, read_model
from ultrai_sim.listing import model_row
from ultrai_sim.refusals import refuse, unknown_model
from ultrai_sim.tokens import FAMILIES, count

MOST_INPUTS = 2048


@dataclass(frozen=True, slots=True)
class Embedder:
    """A model that answers with vectors of ``size``; ``shortens`` where fewer may be asked for."""

    model: Model
    size: int
    shortens: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing to embed. ``tokens``: how many there are, where it came as tokens, not as text."""

    text: str
    tokens: int | None = None
    images: int = 0

    def count(self, family: str) -> int:
        """Its tokens as models of this family count them, without images."""
        return count(self.text, family) if self.tokens is None else self.tokens


@dataclass(frozen=True, slots=True)
class VectorOrder:
    """A request for vectors of ``size``; ``packed`` as base64."""

    embedder: Embedder
    pieces: tuple[Piece, ...]
    size: int
    packed: bool

    @property
    def text_tokens(self) -> int:
        """The tokens of all texts, in the model's own count."""
        family = self.embedder.model.family
        return sum(piece.count(family) for piece in self.pieces)

    @property
    def image_tokens(self) -> int:
        """The tokens of all images."""
        each = FAMILIES[self.embedder.model.family].image
        return each * sum(piece.images for piece in self.pieces)


@cache
def embedders() -> Mapping[str, Embedder]:
    """The models by id, from the file beside this one."""
    text = resources.files("ultrai_sim").joinpath("embedders.toml").read_text("utf-8")
    read = (
        Embedder(read_model(row["model"], {}), row["size"], row.get("shortens", False))
        for row in tomllib.loads(text)["embedders"]
    )
    return {embedder.model.id: embedder for embedder in read}


def embedders_body() -> dict[str, Any]:
    """The answer of `/embeddings/models`."""
    rows = []
    into = {"modality": "text->embeddings", "output_modalities": ["embeddings"]}
    for embedder in embedders().values():
        row = model_row(embedder.model, Catalogue(()))
        rows.append(row | {"architecture": {**row["architecture"], **into}})
    return {"data": rows, "total_count": len(rows), "links": {"next": None}}


def read_vector_order(body: Mapping[str, Any]) -> VectorOrder:
    """What a request asks for; 400 for an unknown model, no or too much input, a wrong size."""
    wanted = str(body.get("model"))
    embedder = embedders().get(wanted)
    if embedder is None:
        raise unknown_model(wanted)
    pieces = _pieces(body.get("input"))
    if not 0 < len(pieces) <= MOST_INPUTS:
        raise refuse(400, f"input: Expected 1 to {MOST_INPUTS} inputs, got {len(pieces)}")
    window = embedder.model.context_length
    longest = max(piece.count(embedder.model.family) for piece in pieces)
    if window is not None and longest > window:
        text = f"This model's maximum context length is {window} tokens, however you requested"
        raise refuse(400, f"{text} {longest} tokens. Please reduce your prompt.")
    size = body.get("dimensions") if embedder.shortens else None
    size = embedder.size if size is None else size
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= embedder.size:
        raise refuse(400, f"dimensions: Expected 1 to {embedder.size}")
    form = body.get("encoding_format", "float")
    if form not in ("float", "base64"):
        raise refuse(400, "encoding_format: Expected 'float' or 'base64'")
    return VectorOrder(embedder, pieces, size, packed=form == "base64")


def _pieces(value: Any) -> tuple[Piece, ...]:
    if isinstance(value, str):
        return (Piece(value),) if value else ()
    rows = value if isinstance(value, list) else []
    tokens = _tokens(rows)
    if tokens is not None:
        return (_of_tokens(tokens),)
    made = [_piece(row) for row in rows]
    if None in made:
        raise refuse(400, "input: Expected text, tokens or parts")
    return tuple(piece for piece in made if piece is not None)


def _piece(row: Any) -> Piece | None:
    if isinstance(row, str):
        return Piece(row) if row else None
    tokens = _tokens(row)
    if tokens is not None:
        return _of_tokens(tokens)
    parts = row.get("content") if isinstance(row, Mapping) else None
    if not isinstance(parts, list):
        return None
    parts = [part for part in parts if isinstance(part, Mapping)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    images = sum(part.get("type") == "image_url" for part in parts)
    return Piece("\n".join(texts), images=images) if texts or images else None


def _tokens(value: Any) -> list[int] | None:
    """The numbers of a list of tokens; some clients write them as 1.0."""
    if not isinstance(value, list) or not value:
        return None
    whole = [isinstance(one, int) or (isinstance(one, float) and one.is_integer()) for one in value]
    return [int(one) for one in value] if all(whole) else None


def _of_tokens(tokens: Sequence[int]) -> Piece:
    return Piece(" ".join(map(str, tokens)), len(tokens))
