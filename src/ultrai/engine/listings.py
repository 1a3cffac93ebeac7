"""Keeps the Catalog: fetched when it is needed, kept on disk, renewed in the background.

Theory of operation. Each upstream's listing has an age. Younger than `FRESH_S`: used as it is.
Younger than `OLD_S`: used, and renewed by a background task that belongs to this object. Older or
missing: fetched now, with as much patience as the caller has; where that fails or takes longer, the
stale one is served and marked so, and where there is none the upstream stays unknown. The fetch
itself goes on in the background. For `RETRY_AFTER_FAILURE_S` after either, nobody fetches or waits
unless told to. Concurrent callers share one look at the disk and one fetch. The listing of a `live`
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
PATIENCE_S = 10.0
REFRESH_PATIENCE_S = 30.0


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
        self._looks: dict[str, asyncio.Lock] = {}
        self._looked: set[str] = set()
        self._failed_s: dict[str, float] = {}
        self._fetches: dict[str, asyncio.Task[None]] = {}
        self._catalog = Catalog()
        self.problems: dict[str, UpstreamUnavailable] = {}

    async def current(
        self, names: Iterable[str], *, refresh: bool = False, patience_s: float | None = None
    ) -> Catalog:
        """The Catalog of these upstreams (and of those asked for before).

        Waits at most `patience_s` seconds for what must be fetched, all upstreams together; None:
        `PATIENCE_S`, or `REFRESH_PATIENCE_S` for a refresh. Then it goes on with what is there.
        """
        if patience_s is None:
            patience_s = REFRESH_PATIENCE_S if refresh else PATIENCE_S
        needed: dict[str, asyncio.Task[None]] = {}
        for name in names:
            if name not in self._upstreams:
                continue
            if name not in self._live:
                await self._look_on_shelf(name)
            if self._is_needed(name, refresh=refresh):
                needed[name] = self._fetch_later(name)
            elif self._is_due(name):
                self._fetch_later(name)
        await self._wait_for(needed, patience_s)
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
        async with self._looks.setdefault(name, asyncio.Lock()):
            if name in self._looked:
                return
            kept = await self._shelf.load(name)
            self._looked.add(name)  # only now: a look that was cancelled has seen nothing
        if kept is not None and name not in self._listings:
            self._install(name, _Listing(*kept))

    def _is_needed(self, name: str, *, refresh: bool) -> bool:
        """Whether the caller should wait for a fetch."""
        if refresh or name in self._live:
            return True
        age_s = self._age_s(name)
        return (age_s is None or age_s > OLD_S) and not self._has_just_failed(name)

    def _is_due(self, name: str) -> bool:
        """Whether it should be renewed in the background."""
        age_s = self._age_s(name)
        return age_s is not None and age_s > FRESH_S and not self._has_just_failed(name)

    def _has_just_failed(self, name: str) -> bool:
        failed_s = self._failed_s.get(name)
        now_s = asyncio.get_running_loop().time()
        return failed_s is not None and now_s - failed_s < RETRY_AFTER_FAILURE_S

    def _age_s(self, name: str) -> float | None:
        listing = self._listings.get(name)
        if listing is None:
            return None
        return (self._clock.now() - listing.snapshot.fetched_at).total_seconds()

    async def _wait_for(self, fetches: Mapping[str, asyncio.Task[None]], patience_s: float) -> None:
        if not fetches:
            return
        # This leaves the fetches alone when the time is over or the caller is cancelled: others
        # may wait for them too.
        await asyncio.wait(fetches.values(), timeout=max(0.0, patience_s))
        for name, task in fetches.items():
            if task.done():
                task.result()  # a Failure of the upstream is noted already; a bug must be seen
            else:
                message = f"{name} did not give its catalogue within {patience_s:g} s"
                self._failed(name, UpstreamUnavailable(message))

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
            self._failed(name, error)
            return
        self.problems.pop(name, None)
        self._failed_s.pop(name, None)
        now = self._clock.now()
        self._install(name, _Listing(models, Snapshot(now)))
        if self._shelf is not None and name not in self._live:
            await self._shelf.save(name, models, fetched_at=now)

    def _failed(self, name: str, error: UpstreamUnavailable) -> None:
        self.problems[name] = error
        self._failed_s[name] = asyncio.get_running_loop().time()
        listing = self._listings.get(name)
        if listing is not None:
            stale = Snapshot(listing.snapshot.fetched_at, stale=True)
            self._install(name, _Listing(listing.models, stale))

    def _install(self, name: str, listing: _Listing) -> None:
        self._listings[name] = listing
        models = {model.id: model for each in self._listings.values() for model in each.models}
        snapshots = {each: kept.snapshot for each, kept in self._listings.items()}
        self._catalog = Catalog(models, snapshots)
