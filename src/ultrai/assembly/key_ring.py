"""The keys of a process that may change while it runs: one cache for each reference."""

from __future__ import annotations

import logging
from typing import Final

from ultrai.domain.secret import Secret
from ultrai.settings.key_reference import KeyReference
from ultrai.upstream.key_cache import KeyCache, in_a_thread

_LOG: Final = logging.getLogger("ultrai.keys")


class KeyRing:
    """Two upstreams with the same reference share a cache, so that it is read once for both."""

    def __init__(self) -> None:
        self._caches: dict[KeyReference, KeyCache] = {}

    def of(self, reference: KeyReference | None, *, known: Secret | None) -> KeyCache | None:
        """What knows the key behind a reference; None for a key that cannot change."""
        if reference is None:
            return None
        cache = self._caches.get(reference)
        if cache is None:
            cache = KeyCache(
                lambda: in_a_thread(reference.read),
                fresh_s=reference.fresh_s,
                tell=_LOG.warning,
                known=known,
            )
            self._caches[reference] = cache
        return cache

    async def aclose(self) -> None:
        """Read nothing any more."""
        for cache in self._caches.values():
            await cache.aclose()
