"""Opens the store and the engine: the only place where concrete classes meet.

mypy checks here that every adapter fits its port. Heavy packages are imported when they are needed:
a command that only reads the history never loads the HTTP client.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ultrai.assembly.caching import cache_path
from ultrai.assembly.key_desk import KeyDesk, no_management_key
from ultrai.assembly.key_ring import KeyRing
from ultrai.assembly.monitoring import Monitors, open_metrics, open_spans
from ultrai.assembly.tuned import LOCAL, keyless_upstreams, tuning_of
from ultrai.domain.attempt import Account
from ultrai.domain.catalog import Catalog, Endpoint
from ultrai.domain.errors import UpstreamUnavailable
from ultrai.engine.attempt import Rooms
from ultrai.engine.desk import Desk, Records
from ultrai.engine.gate import Gate
from ultrai.engine.house import House
from ultrai.engine.listings import Listings
from ultrai.engine.ports import CatalogShelf, Clock, HealthMemory, Upstream
from ultrai.engine.quota import FreeQuota
from ultrai.engine.recall import Recall
from ultrai.engine.reconciling import Reconciler
from ultrai.engine.tuning import Tuning
from ultrai.engine.wellbeing import HealthBook, RetryBudget
from ultrai.settings.model import CACHE_OFF, OPENROUTER, Settings

if TYPE_CHECKING:
    import aiohttp

    from ultrai.store.answers import FileAnswers
    from ultrai.store.database import Database
    from ultrai.store.history import SqlHistory
    from ultrai.store.ledger import SqlLedger
    from ultrai.store.valkey_answers import ValkeyAnswers


@dataclass(frozen=True, slots=True)
class StoreRoom:
    """The open database."""

    database: Database
    history: SqlHistory
    ledger: SqlLedger
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
    reconciler: Reconciler
    monitors: Monitors

    async def catalog(self, *, refresh: bool, keyless: bool) -> Catalog:
        """All that can be listed. Raises UpstreamUnavailable when nothing can be."""
        public = {OPENROUTER} if keyless else set()
        names = [name for name in self.upstreams if name not in self.keyless or name in public]
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
    """What a program may bring along: clock, chance, an HTTP session, a wire log.

    `inline`: all work is done on the calling thread, as a virtual clock needs it.
    """

    clock: Clock
    chance: Callable[[], float]
    session: aiohttp.ClientSession | None = None
    wire_log: Callable[[str], None] | None = None
    inline: bool = False

    @asynccontextmanager
    async def open_store(self, settings: Settings) -> AsyncIterator[StoreRoom]:
        """Open the database in the state directory; everything queued is committed at the end."""
        # In a thread: loading the database library and a first migration take their time.
        database = await asyncio.to_thread(_open_database, settings, inline=self.inline)
        async with database:
            yield _store_room(database, settings)

    @asynccontextmanager
    async def open_engine(
        self, settings: Settings, house: House, *, store: StoreRoom
    ) -> AsyncIterator[Opened]:
        """Open upstreams, rooms and desk; at the end Runs are cancelled and settled."""
        async with AsyncExitStack() as stack:
            ring = KeyRing(settings)
            upstreams = await self._open_upstreams(settings, stack, ring=ring)
            house = replace(house, missing_keys=ring.missing)
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
                ledger=store.ledger,
                inline=self.inline,
                recall=self._open_recall(settings, stack),
            )
            stack.callback(rooms.gate.close)
            listings = Listings(upstreams, store.shelf, clock=self.clock, live=frozenset({LOCAL}))
            stack.push_async_callback(listings.aclose)
            monitors = await self._open_monitors(
                settings, house, store=store, upstreams=upstreams, stack=stack
            )
            history = store.history if settings.history else None
            records = Records(history, store.memory, monitors.ears)
            desk = Desk(house, rooms, listings=listings, records=records)
            stack.push_async_callback(desk.aclose)
            keyless = frozenset(keyless_upstreams(settings))
            reconciler = Reconciler(store.ledger, upstreams.get, clock=self.clock)
            yield Opened(desk, tuning, listings, upstreams, keyless, reconciler, monitors)

    def _open_recall(self, settings: Settings, stack: AsyncExitStack) -> Recall | None:
        """What remembers answers; None where the settings want none remembered."""
        if settings.cache_mode == CACHE_OFF:
            return None
        answers = self._open_answers(settings)
        stack.push_async_callback(answers.aclose)
        addresses = _addresses(settings)
        return Recall(answers, ttl_s=settings.cache_ttl_s, clock=self.clock, addresses=addresses)

    def _open_answers(self, settings: Settings) -> FileAnswers | ValkeyAnswers:
        """What keeps answers: a server that others share too, or a file."""
        max_bytes, ttl_s = settings.cache_max_mb * 1_000_000, settings.cache_ttl_s
        if settings.valkey_url is not None:
            from ultrai.store.valkey_answers import ValkeyAnswers

            owner = secrets.token_hex(8)
            return ValkeyAnswers(settings.valkey_url, owner=owner, max_bytes=max_bytes, ttl_s=ttl_s)
        from ultrai.store.answers import FileAnswers

        return FileAnswers(
            cache_path(settings),
            max_bytes=max_bytes,
            ttl_s=ttl_s,
            now_s=lambda: self.clock.now().timestamp(),
            inline=self.inline,
        )

    async def _open_monitors(
        self,
        settings: Settings,
        house: House,
        *,
        store: StoreRoom,
        upstreams: Mapping[str, Upstream],
        stack: AsyncExitStack,
    ) -> Monitors:
        """What hears of Runs beside whoever asked."""
        alarm = None
        if settings.alerts is not None:
            from ultrai.assembly.alarms import open_alarm

            alarm = await open_alarm(self, settings, store=store, upstreams=upstreams, stack=stack)
        metrics = open_metrics(settings)
        spans = open_spans(settings, house.upstream_of, stack=stack)
        return Monitors(alarm, metrics, spans)

    @asynccontextmanager
    async def open_keys(self, settings: Settings) -> AsyncIterator[KeyDesk]:
        """What looks after the keys. Raises CredentialsError without a management key."""
        from ultrai.assembly.clients import Clients
        from ultrai.upstream.session import open_session

        if settings.management_key is None and settings.management_key_reference is None:
            raise no_management_key(settings.management_key_problem)
        async with AsyncExitStack() as stack:
            session = self.session
            if session is None:
                session = await stack.enter_async_context(
                    open_session(connect_timeout_s=settings.connect_timeout_s)
                )
            ring = KeyRing(settings)
            stack.push_async_callback(ring.aclose)
            clients = Clients(settings, session, self.clock.now, ring, self.wire_log)
            yield KeyDesk(clients.manager().keys, clients.with_key, self.clock.now)

    async def _open_upstreams(
        self, settings: Settings, stack: AsyncExitStack, *, ring: KeyRing
    ) -> dict[str, Upstream]:
        from ultrai.assembly.clients import Clients
        from ultrai.assembly.embedded import EmbeddedUpstream
        from ultrai.local.runtime import LocalRuntime
        from ultrai.upstream.session import open_session

        session = self.session
        if session is None:
            session = await stack.enter_async_context(
                open_session(connect_timeout_s=settings.connect_timeout_s)
            )
        stack.push_async_callback(ring.aclose)
        clients = Clients(settings, session, self.clock.now, ring, self.wire_log)
        runtime = LocalRuntime(settings.home)
        stack.push_async_callback(runtime.close)
        return {
            OPENROUTER: clients.openrouter(),
            **{name: clients.further(name) for name in settings.upstreams},
            LOCAL: EmbeddedUpstream(settings.home, runtime, connect=clients.embedded),
        }


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


def _open_database(settings: Settings, *, inline: bool) -> Database:
    from ultrai.store.budget_book import BudgetBook
    from ultrai.store.database import open_database, open_server

    url = settings.database_url
    if url is not None and not url.startswith("sqlite:"):
        database = open_server(url, inline=inline)
    else:
        database = open_database(_database_path(settings), inline=inline)
    if database.is_writable and settings.source is not None:
        source = str(settings.source.absolute())
        book = BudgetBook(database)
        book.adopt(settings.budgets, source=source, environment=settings.environment)
    return database


def _store_room(database: Database, settings: Settings) -> StoreRoom:
    from ultrai.store.health import SqlHealthMemory
    from ultrai.store.history import SqlHistory
    from ultrai.store.ledger import SqlLedger
    from ultrai.store.shelf import FileShelf

    return StoreRoom(
        database=database,
        history=SqlHistory(database),
        ledger=SqlLedger(database, settings.budgets),
        memory=SqlHealthMemory(database),
        shelf=FileShelf(settings.home / "catalogues", _addresses(settings)),
    )
