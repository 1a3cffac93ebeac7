"""What a person asks of an answer cache in Valkey: what is in it, how full it is; to empty it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from valkey import Valkey
from valkey.exceptions import ValkeyError

from ultrai.domain.errors import StoreError
from ultrai.domain.kept import CacheStats, KeptRow
from ultrai.store.answer_payload import unpacked
from ultrai.store.valkey_answers import ANSWER, PATIENCE_S, label_of

_TOGETHER = 200


class ValkeyShelf:
    """The cache looked at from outside a Run. Every method raises StoreError."""

    def __init__(self, url: str) -> None:
        self.path = label_of(url)
        self._client: Any = Valkey.from_url(
            url, socket_timeout=10 * PATIENCE_S, socket_connect_timeout=PATIENCE_S
        )

    def list_answers(self, *, limit: int, model: str | None = None) -> Sequence[KeptRow]:
        """What is kept, the newest first; `model` as the upstream named it, or a part of that."""
        with self._explained():
            rows = [row for row in self._rows() if model is None or model in row.model]
        return sorted(rows, key=lambda row: (-row.kept_s, row.key))[:limit]

    def stats(self) -> CacheStats:
        """How many, how large, from when to when."""
        with self._explained():
            rows = list(self._rows())
        times = [row.kept_s for row in rows]
        size = sum(row.size for row in rows)
        return CacheStats(len(rows), size, min(times, default=None), max(times, default=None))

    def clear(self, *, model: str | None = None, before_s: float | None = None) -> int:
        """Delete what fits all conditions, kept before then (Unix time); how many that were."""
        with self._explained():
            wanted = [
                f"{ANSWER}{row.key}"
                for row in self._rows()
                if (model is None or model in row.model)
                and (before_s is None or row.kept_s < before_s)
            ]
            parts = range(0, len(wanted), _TOGETHER)
            return sum(self._client.delete(*wanted[at : at + _TOGETHER]) for at in parts)

    def close(self) -> None:
        """Let the server go."""
        self._client.close()

    def _rows(self) -> Iterator[KeptRow]:
        names = [name.decode() for name in self._client.scan_iter(f"{ANSWER}*", count=_TOGETHER)]
        for at in range(0, len(names), _TOGETHER):
            some = names[at : at + _TOGETHER]
            for name, payload in zip(some, self._client.mget(some), strict=True):
                key = name.removeprefix(ANSWER)
                kept = None if payload is None else unpacked(key, payload)
                if payload is not None and kept is not None:
                    moment_s = kept.kept_at.timestamp()
                    model = kept.answer.model or ""
                    yield KeptRow(key, model, moment_s, moment_s, len(payload), kept.cost.nanos)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ValkeyError, OSError) as error:
            raise StoreError(
                f"the cache at {self.path} cannot be used: {type(error).__name__}",
                hint="Check that the server runs, and valkey_url.",
            ) from error
