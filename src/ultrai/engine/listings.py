"""Keeps the Catalog: fetched when it is needed, kept on disk, renewed in the background.

Theory of operation. Each upstream's listing has an age. Younger than `FRESH_S`: used as it is.
Younger than `OLD_S`: used, and renewed by a background task that belongs to this object. Older or
missing: fetched now; where that fails, the stale one is served and marked so, and where there is
none the upstream stays unknown. Concurrent callers share one fetch. The listing of a `live`
upstream costs nothing and may change at any moment (which weights lie on the disk): it is read
anew each time and never kept.

It does not know what a model is good for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ultrai.domain.catalog import Catalog, Model, Snapshot
from ultrai.domain.errors import UpstreamUnavailable
from ultrai.engine.ports import CatalogShelf, Clock, Upstream

FRESH_S = 300.0
OLD_S = 24 * 3600.0
RETRY_AFTER_FAILURE_S = 30.0


@dataclass(frozen=True, slots=True)
class _Listing:
    models: Sequence[Model]
    snapshot: Snapshot


class Listings:
    """The Catalog of several upstreams; close it with `aclose`."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        shelf: CatalogShelf | None,
        *,
        clock: Clock,
        live: frozenset[str] = frozenset(),
    ) -> None:
        self._upstreams = upstreams
        self._live = live
        self._shelf = shelf
        self._clock = clock
        self._listings: dict[str, _Listing] = {}
        self._looked: set[str] = set()
        self._failed_s: dict[str, float] = {}
        self._fetches: dict[str, asyncio.Task[None]] = {}
        self._catalog = Catalog()
        self.problems: dict[str, UpstreamUnavailable] = {}

    async def current(self, names: Iterable[str], *, refresh: bool = False) -> Catalog:
        """The Catalog of these upstreams (and of those asked for before)."""
        for name in names:
            if name not in self._upstreams:
                continue
            if name in self._live:
                await self._fetch_shared(name, force=True)
                continue
            await self._look_on_shelf(name)
            age_s = self._age_s(name)
            if refresh or age_s is None or age_s > OLD_S:
                await self._fetch_shared(name, force=refresh)
            elif age_s > FRESH_S:
                self._fetch_later(name)
        return self._catalog

    async def aclose(self) -> None:
        """End what is still being fetched."""
        fetches = list(self._fetches.values())
        for task in fetches:
            task.cancel()
        if fetches:
            await asyncio.wait(fetches)

    async def _look_on_shelf(self, name: str) -> None:
        if name in self._looked or self._shelf is None:
            return
        self._looked.add(name)
        kept = await self._shelf.load(name)
        if kept is not None and name not in self._listings:
            self._install(name, _Listing(*kept))

    def _age_s(self, name: str) -> float | None:
        listing = self._listings.get(name)
        if listing is None:
            return None
        return (self._clock.now() - listing.snapshot.fetched_at).total_seconds()

    async def _fetch_shared(self, name: str, *, force: bool) -> None:
        failed_s = self._failed_s.get(name)
        now_s = asyncio.get_running_loop().time()
        if not force and failed_s is not None and now_s - failed_s < RETRY_AFTER_FAILURE_S:
            return
        # Shielded: one caller's cancellation must not take the listing from the others.
        await asyncio.shield(self._fetch_later(name))

    def _fetch_later(self, name: str) -> asyncio.Task[None]:
        task = self._fetches.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(name))
            self._fetches[name] = task
            task.add_done_callback(lambda _: self._fetches.pop(name, None))
        return task

    async def _fetch(self, name: str) -> None:
        try:
            models = await self._upstreams[name].list_models()
        except UpstreamUnavailable as error:
            self.problems[name] = error
            self._failed_s[name] = asyncio.get_running_loop().time()
            listing = self._listings.get(name)
            if listing is not None:
                stale = Snapshot(listing.snapshot.fetched_at, stale=True)
                self._install(name, _Listing(listing.models, stale))
            return
        self.problems.pop(name, None)
        self._failed_s.pop(name, None)
        now = self._clock.now()
        self._install(name, _Listing(models, Snapshot(now)))
        if self._shelf is not None and name not in self._live:
            await self._shelf.save(name, models, fetched_at=now)

    def _install(self, name: str, listing: _Listing) -> None:
        self._listings[name] = listing
        models = {model.id: model for each in self._listings.values() for model in each.models}
        snapshots = {each: kept.snapshot for each, kept in self._listings.items()}
        self._catalog = Catalog(models, snapshots)
