"""Opens the store and the engine: the only place where concrete classes meet.

mypy checks here that every adapter fits its port. Heavy packages are imported when they are needed:
a command that only reads the history never loads the HTTP client.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ultrai import __version__
from ultrai.assembly.tuned import LOCAL, keyless_upstreams, tuning_of
from ultrai.domain.attempt import Account
from ultrai.domain.catalog import Catalog, Endpoint
from ultrai.domain.errors import UpstreamUnavailable
from ultrai.engine.attempt import Rooms
from ultrai.engine.desk import Desk, House, Records
from ultrai.engine.gate import Gate
from ultrai.engine.listings import Listings
from ultrai.engine.ports import CatalogShelf, Clock, HealthMemory, Upstream
from ultrai.engine.quota import FreeQuota
from ultrai.engine.tuning import Tuning
from ultrai.engine.wellbeing import HealthBook, RetryBudget
from ultrai.settings.model import OPENROUTER, Settings

USER_AGENT = f"ultrai/{__version__}"

if TYPE_CHECKING:
    import aiohttp

    from ultrai.local.runtime import Endpoint as LocalEndpoint
    from ultrai.store.history import SqlHistory
    from ultrai.upstream.client import HttpUpstream


@dataclass(frozen=True, slots=True)
class StoreRoom:
    """The open database."""

    history: SqlHistory
    memory: HealthMemory
    shelf: CatalogShelf


@dataclass(frozen=True, slots=True)
class Opened:
    """The running engine."""

    desk: Desk
    tuning: Tuning
    listings: Listings
    upstreams: Mapping[str, Upstream]
    keyless: frozenset[str]

    async def catalog(self, *, refresh: bool) -> Catalog:
        """All that can be listed. Raises UpstreamUnavailable when nothing can be."""
        names = [name for name in self.upstreams if name not in self.keyless or name == OPENROUTER]
        catalog = await self.listings.current(names, refresh=refresh)
        if not catalog.knows(OPENROUTER) and OPENROUTER in self.listings.problems:
            raise self.listings.problems[OPENROUTER]
        return catalog

    async def endpoints(self, model_id: str) -> Sequence[Endpoint]:
        """Who serves a model."""
        return await self._upstream_of(model_id).list_endpoints(model_id)

    async def account(self) -> Account | None:
        """What the key may do."""
        return await self.upstreams[OPENROUTER].read_account()

    def _upstream_of(self, model_id: str) -> Upstream:
        upstream = self.upstreams.get(self.desk.upstream_of(model_id))
        if upstream is None:
            message = f"no upstream serves {model_id}"
            raise UpstreamUnavailable(message)
        return upstream


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a program may bring along: clock, chance, an HTTP session, a wire log."""

    clock: Clock
    chance: Callable[[], float]
    session: aiohttp.ClientSession | None = None
    wire_log: Callable[[str], None] | None = None

    @asynccontextmanager
    async def open_store(self, settings: Settings) -> AsyncIterator[StoreRoom]:
        """Open the database in the state directory; everything queued is committed at the end."""
        from ultrai.store.database import open_database
        from ultrai.store.health import SqlHealthMemory
        from ultrai.store.history import SqlHistory
        from ultrai.store.shelf import FileShelf

        async with open_database(_database_path(settings)) as database:
            yield StoreRoom(
                history=SqlHistory(database),
                memory=SqlHealthMemory(database),
                shelf=FileShelf(settings.home / "catalogues", _addresses(settings)),
            )

    @asynccontextmanager
    async def open_engine(
        self, settings: Settings, house: House, *, store: StoreRoom
    ) -> AsyncIterator[Opened]:
        """Open upstreams, rooms and desk; at the end Runs are cancelled and settled."""
        async with AsyncExitStack() as stack:
            upstreams = await self._open_upstreams(settings, stack)
            tuning = tuning_of(settings)
            rooms = Rooms(
                gate=Gate(
                    concurrency=tuning.concurrency,
                    queue_limit=tuning.queue_limit,
                    paces=tuning.paces,
                ),
                health=HealthBook(await store.memory.load()),
                retries=RetryBudget(),
                upstreams=upstreams.__getitem__,
                tuning=tuning,
                clock=self.clock,
                chance=self.chance,
                quota=FreeQuota(upstreams.get(OPENROUTER), self.clock),
            )
            stack.callback(rooms.gate.close)
            listings = Listings(upstreams, store.shelf, clock=self.clock, live=frozenset({LOCAL}))
            stack.push_async_callback(listings.aclose)
            desk = Desk(
                house,
                rooms,
                listings=listings,
                records=Records(store.history if settings.history else None, store.memory),
            )
            stack.push_async_callback(desk.aclose)
            keyless = frozenset(keyless_upstreams(settings))
            yield Opened(desk, tuning, listings, upstreams, keyless)

    async def _open_upstreams(
        self, settings: Settings, stack: AsyncExitStack
    ) -> dict[str, Upstream]:
        from ultrai.assembly.embedded import EmbeddedUpstream
        from ultrai.local.runtime import LocalRuntime
        from ultrai.upstream.session import open_session

        session = self.session
        if session is None:
            session = await stack.enter_async_context(
                open_session(connect_timeout_s=settings.connect_timeout_s)
            )
        upstreams: dict[str, Upstream] = {OPENROUTER: self._openrouter(settings, session)}
        for name in settings.upstreams:
            upstreams[name] = self._further(settings, name, session=session)
        runtime = LocalRuntime(settings.home)
        stack.push_async_callback(runtime.close)

        def connect(endpoint: LocalEndpoint) -> Upstream:
            return self._embedded(endpoint, session)

        upstreams[LOCAL] = EmbeddedUpstream(settings.home, runtime, connect=connect)
        return upstreams

    def _openrouter(self, settings: Settings, session: aiohttp.ClientSession) -> HttpUpstream:
        from ultrai.upstream.client import HttpUpstream
        from ultrai.upstream.config import UpstreamConfig

        headers = {
            "HTTP-Referer": settings.attribution.referer,
            "X-OpenRouter-Title": settings.attribution.title,
        }
        config = UpstreamConfig(
            name=OPENROUTER,
            base_url=settings.base_url,
            key=settings.key,
            prefix="",
            headers={name: value for name, value in headers.items() if value},
            proxy=settings.proxy,
            is_openrouter=True,
            free=False,
            wire_log=self.wire_log,
            user_agent=USER_AGENT,
        )
        return HttpUpstream(
            config,
            session,
            now=self.clock.now,
            connect_timeout_s=settings.connect_timeout_s,
        )

    def _further(
        self, settings: Settings, name: str, *, session: aiohttp.ClientSession
    ) -> HttpUpstream:
        from ultrai.upstream.client import HttpUpstream
        from ultrai.upstream.config import UpstreamConfig

        upstream = settings.upstreams[name]
        config = UpstreamConfig(
            name=name,
            base_url=upstream.base_url,
            key=upstream.key,
            prefix=upstream.prefix,
            headers={},
            proxy=upstream.proxy,
            is_openrouter=False,
            free=upstream.free,
            wire_log=self.wire_log,
            user_agent=USER_AGENT,
        )
        return HttpUpstream(
            config,
            session,
            now=self.clock.now,
            connect_timeout_s=settings.connect_timeout_s,
        )

    def _embedded(self, endpoint: LocalEndpoint, session: aiohttp.ClientSession) -> HttpUpstream:
        from ultrai.upstream.client import HttpUpstream
        from ultrai.upstream.config import UpstreamConfig

        config = UpstreamConfig(
            name=LOCAL,
            base_url=endpoint.base_url,
            key=endpoint.api_key,
            prefix="",
            # llama.cpp's server drops idle connections, and a request on a dropped one is lost.
            headers={"Connection": "close"},
            proxy=None,
            is_openrouter=False,
            free=True,
            wire_log=self.wire_log,
            user_agent=USER_AGENT,
        )
        return HttpUpstream(config, session, now=self.clock.now)


def _addresses(settings: Settings) -> dict[str, str]:
    """What a stored listing depends on: the address, and whether its models are called free."""
    further = {
        name: f"{upstream.base_url} free={upstream.free}"
        for name, upstream in settings.upstreams.items()
    }
    return {OPENROUTER: settings.base_url, **further}


def _database_path(settings: Settings) -> Path:
    """Where the history lives: in the state directory, or where `sqlite:///…` says."""
    if settings.database_url is None:
        return settings.home / "ultrai.db"
    return Path(settings.database_url.removeprefix("sqlite:///"))
