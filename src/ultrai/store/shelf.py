"""CatalogShelf in files: one JSON file per upstream, replaced as a whole.

Files and not tables, because a listing is a cache of half a megabyte that may be deleted at will,
and nothing else refers to it. Prices stay exact: a Decimal is stored as a string.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from ultrai.domain.catalog import Model, Snapshot

FORMAT = 1
_ENCODER = msgspec.json.Encoder(order="deterministic")

_Result = TypeVar("_Result")


class _Listing(msgspec.Struct, frozen=True):
    """What a file holds. Files of another `format` are as good as none."""

    format: int
    fetched_at: datetime
    models: list[Model]


class FileShelf:
    """Fits `engine.ports.CatalogShelf`.

    `base_urls` maps an upstream's name to its address, so that two addresses under one name do not
    share a listing; a name without one has the empty address. `inline` stays in the calling thread.
    """

    def __init__(
        self, directory: Path, base_urls: Mapping[str, str], *, inline: bool = False
    ) -> None:
        self._directory = directory
        self._base_urls = dict(base_urls)
        self._inline = inline

    async def load(self, upstream: str) -> tuple[Sequence[Model], Snapshot] | None:
        """The listing kept last; None if there is none, or none that can be read."""
        return await self._run(lambda: self._load(self._path(upstream)))

    async def save(self, upstream: str, models: Sequence[Model], *, fetched_at: datetime) -> None:
        """Keep this listing. A disk that refuses it is no error: it will be fetched again."""
        listing = _Listing(FORMAT, fetched_at, list(models))
        await self._run(lambda: self._save(self._path(upstream), listing))

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        return work() if self._inline else await asyncio.to_thread(work)

    def _path(self, upstream: str) -> Path:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", upstream)[:40]
        identity = f"{upstream}\n{self._base_urls.get(upstream, '')}"
        digest = hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:16]
        return self._directory / f"{name}-{digest}.json"

    def _load(self, path: Path) -> tuple[Sequence[Model], Snapshot] | None:
        try:
            listing = msgspec.json.decode(path.read_bytes(), type=_Listing)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        if listing.format != FORMAT or listing.fetched_at.tzinfo is None:
            return None
        return tuple(listing.models), Snapshot(listing.fetched_at)

    def _save(self, path: Path, listing: _Listing) -> None:
        with suppress(OSError, UnicodeEncodeError):
            payload = _ENCODER.encode(listing)
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(path, payload)


def _replace(path: Path, payload: bytes) -> None:
    """Put `payload` in the file's place; a reader sees the old or the new, never a part."""
    descriptor, temporary = tempfile.mkstemp(prefix=path.stem, suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
