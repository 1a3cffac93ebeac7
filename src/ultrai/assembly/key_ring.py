"""The keys of a process that may change while it runs: one cache for each reference."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Final

from ultrai.domain.errors import CredentialsError
from ultrai.domain.secret import Secret
from ultrai.settings.key_reference import KeyReference
from ultrai.settings.model import OPENROUTER, Settings
from ultrai.upstream.key_cache import KeyCache, in_a_thread

_LOG: Final = logging.getLogger("ultrai.keys")


class KeyRing:
    """Two upstreams with the same reference share a cache, so that it is read once for both."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
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

    async def missing(self, upstreams: Collection[str]) -> Mapping[str, CredentialsError]:
        """Those of the upstreams whose key cannot be had, and why. Stores are asked at once."""
        missing: dict[str, CredentialsError] = {}

        async def look(name: str, cache: KeyCache) -> None:
            try:
                await cache.current()
            except CredentialsError as error:
                missing[name] = error

        found = {name: self._cache_of(name) for name in upstreams}
        await asyncio.gather(
            *(look(name, cache) for name, cache in found.items() if cache is not None)
        )
        return missing

    def _cache_of(self, upstream: str) -> KeyCache | None:
        settings = self._settings
        if upstream == OPENROUTER:
            return self.of(settings.key_reference, known=settings.key)
        further = settings.upstreams.get(upstream)
        return None if further is None else self.of(further.key_reference, known=further.key)

    async def aclose(self) -> None:
        """Read nothing any more."""
        for cache in self._caches.values():
            await cache.aclose()
