"""`UltrAI`: the library's front door. It opens what is needed when it is needed, and closes it all.

Nothing here decides anything; it wires the rooms together (`opening.py`) and hands questions on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ultrai.assembly.asking import Documents, ask_of, resumed_ask
from ultrai.assembly.books import Books, Reconciliation
from ultrai.assembly.key_desk import KeyDesk
from ultrai.assembly.opening import Opened, Pieces, StoreRoom
from ultrai.assembly.tuned import house_of
from ultrai.domain.ask import Ask
from ultrai.domain.catalog import Catalog
from ultrai.domain.cocktail import CocktailBook
from ultrai.domain.errors import StoreError, UpstreamUnavailable, UsageError
from ultrai.domain.event import Event
from ultrai.domain.plan import Plan
from ultrai.domain.query import DEFAULT_MAX_TOKENS, Message
from ultrai.domain.report import Report, RunSummary
from ultrai.settings.alerts import alerts_off
from ultrai.settings.cocktails import CocktailFile, shipped_file
from ultrai.settings.model import Settings

if TYPE_CHECKING:
    from ultrai.assembly.access_desk import AccessDesk
    from ultrai.assembly.indexes import Indexes
    from ultrai.domain.attempt import Account
    from ultrai.domain.catalog import Endpoint
    from ultrai.domain.drift import Drift
    from ultrai.domain.overview import Check, Finding, ProbeResult, ReadinessRow, TokenRow
    from ultrai.domain.saving import Saving
    from ultrai.engine.alerting import Alarm
    from ultrai.engine.handle import RunHandle
    from ultrai.engine.overview import Overview

Question = str | Sequence[Message]
Price = str | Decimal | None


class UltrAI:
    """Asks cocktails of models. Use it as an async context manager; one per event loop."""

    def __init__(self, settings: Settings, pieces: Pieces) -> None:
        self.settings = settings
        self._pieces = pieces
        self._shipped: CocktailFile = shipped_file()
        self._house = house_of(settings, self._shipped)
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._store: StoreRoom | None = None
        self._opened: Opened | None = None
        self._closed = False

    @property
    def book(self) -> CocktailBook:
        """All cocktails: the shipped ones and the user's own."""
        return self._house.book

    @property
    def default_cocktail(self) -> str:
        """What answers when nobody is named: `auto` with a key, `LOCAL` without."""
        return self._house.default_cocktail

    @property
    def is_full(self) -> bool:
        """Whether as many Attempts wait for their turn as may: one more would be refused."""
        return self._opened is not None and self._opened.desk.is_full

    async def __aenter__(self) -> Self:
        """Nothing is opened until it is needed. One that was closed may be entered anew."""
        self._closed = False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what runs, settle it, commit it, close everything."""
        self._closed = True
        self._opened = self._store = None
        await self._stack.__aexit__(kind, error, trace)

    async def ask(
        self,
        prompt: Question,
        *,
        cocktail: str | None = None,
        models: Sequence[str] = (),
        backups: Mapping[str, Sequence[str]] | None = None,
        system: str | None = None,
        documents: Documents = (),
        fit: str | None = None,
        pins: Sequence[str] = (),
        index: str | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        temperature: float | None = None,
        seed: int | None = None,
        synthesis: str | None = None,
        quorum: int | None = None,
        deadline_s: float | None = None,
        max_cost_usd: Price = None,
        strict: bool = False,
        cache: bool = True,
        streaming: bool | None = None,
    ) -> Report:
        """Ask and wait for the Report.

        `prompt` is a text, or Messages. `cocktail` and `models` exclude each other; without both
        the default answers. `max_cost_usd` is a hard cap in USD, as text or Decimal. `documents`
        are texts by name that the prompt is about; `fit` says what to do where they are too long
        for a model, and `pins` what of them every model gets. `index` names an Index whose
        passages on the prompt are documents too.

        Raises UsageError, SettingsError, BudgetRefusal or CredentialsError before anything is
        sent; whatever happens afterwards is in the Report.
        """
        wanted = ask_of(
            prompt,
            system=system,
            cocktail=cocktail,
            models=models,
            backups=backups,
            sampling=(max_tokens, temperature, seed),
            limits=(quorum, deadline_s, max_cost_usd),
            modes=(synthesis, strict, cache, streaming),
            sources=(documents, fit, pins, index),
        )
        wanted, _ = await self._complete(wanted)
        opened = await self._open()
        with opened.monitors.over_refusals():
            return await opened.desk.ask(wanted)

    async def stream(
        self,
        prompt: Question,
        *,
        cocktail: str | None = None,
        models: Sequence[str] = (),
        backups: Mapping[str, Sequence[str]] | None = None,
        system: str | None = None,
        documents: Documents = (),
        fit: str | None = None,
        pins: Sequence[str] = (),
        index: str | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        temperature: float | None = None,
        seed: int | None = None,
        synthesis: str | None = None,
        quorum: int | None = None,
        deadline_s: float | None = None,
        max_cost_usd: Price = None,
        strict: bool = False,
        cache: bool = True,
        streaming: bool | None = None,
    ) -> AsyncIterator[Event]:
        """The same, as Events while it happens; the last has type `report` and the Report.

        Leaving the iteration early cancels the Run; what arrived is kept.
        """
        wanted = ask_of(
            prompt,
            system=system,
            cocktail=cocktail,
            models=models,
            backups=backups,
            sampling=(max_tokens, temperature, seed),
            limits=(quorum, deadline_s, max_cost_usd),
            modes=(synthesis, strict, cache, streaming),
            sources=(documents, fit, pins, index),
        )
        handle = await self.start(wanted)
        try:
            async for event in handle.events():
                yield event
            await handle.report()  # a bug in the Run is raised here and not lost
        finally:
            await handle.aclose()

    async def start(self, ask: Ask, *, watched: bool = True) -> RunHandle:
        """Start a Run and return its handle. Raises what `ask` raises; also for a resumed Run.

        `watched`: somebody will read its Events; else its Answers are committed with its end.
        """
        ask, earlier = await self._complete(ask)
        opened = await self._open()
        with opened.monitors.over_refusals():
            return await opened.desk.start(ask, earlier=earlier, watched=watched)

    async def plan(self, ask: Ask) -> Plan:
        """Who would be asked, what fits, what it may cost; spends nothing."""
        ask, earlier = await self._complete(ask)
        return await (await self._open()).desk.foresee(ask, earlier=earlier)

    async def catalog(self, *, refresh: bool = False, keyless: bool = True) -> Catalog:
        """All models of all upstreams that can be asked. Raises UpstreamUnavailable for none.

        OpenRouter's listing is public: with `keyless` it is there also where no key is set.
        """
        return await (await self._open()).catalog(refresh=refresh, keyless=keyless)

    async def endpoints(self, model_id: str) -> Sequence[Endpoint]:
        """Who serves a model, and how well. Raises UpstreamUnavailable."""
        return await (await self._open()).endpoints(model_id)

    async def account(self) -> Account | None:
        """What the key may do, by the upstream. Raises UpstreamUnavailable."""
        return await (await self._open()).account()

    async def readiness(self, *, refresh: bool = False) -> Sequence[ReadinessRow]:
        """The verdict on every model of every cocktail, before anything is spent."""
        return await (await self._overview()).readiness(refresh=refresh)

    async def tokens(self, texts: Sequence[str], models: Sequence[str] = ()) -> Sequence[TokenRow]:
        """What each model would count of the texts; without models, the cocktails' primaries.

        Raises UsageError for a model that does not exist.
        """
        return await (await self._overview()).tokens(texts, models)

    async def diagnose(self) -> Sequence[Finding]:
        """The doctor's findings on every id of every cocktail, against the live catalogue."""
        return await (await self._overview()).diagnose(self._shipped.references)

    async def inspect(self) -> Sequence[Check]:
        """What a user can get wrong before others depend on it. Raises StoreError."""
        from ultrai.assembly.inspecting import inspect

        return await inspect(self)

    async def probe_cost(self, model_ids: Sequence[str]) -> int | None:
        """The most that `probe` may cost, in nanodollars; None: not known."""
        return await (await self._overview()).probe_cost(model_ids)

    async def probe(self, model_ids: Sequence[str]) -> AsyncIterator[ProbeResult]:
        """Ask each model for one token; results as they come."""
        overview = await self._overview()
        async for result in overview.probe(model_ids):
            yield result

    async def runs(self, *, limit: int = 20, containing: str | None = None) -> Sequence[RunSummary]:
        """Stored Runs, newest first."""
        store = await self._open_store()
        return await store.history.list_runs(limit=limit, containing=containing)

    async def report(self, run_id: str) -> Report:
        """A stored Run's Report; a unique prefix of its id will do. Raises NotFound."""
        store = await self._open_store()
        return await store.history.load_report(run_id)

    async def events(self, run_id: str) -> Sequence[Event]:
        """A stored Run's Events. Raises NotFound."""
        store = await self._open_store()
        return await store.history.read_events(run_id)

    async def savings(self, *, limit: int = 1000) -> tuple[int, Sequence[Saving]]:
        """How many of the newest Runs were looked at, and what they did not spend.

        At today's prices; without a catalogue what depends on them is not known.
        """
        from ultrai.policy.saving import savings_of

        try:
            catalog = await self.catalog()
        except UpstreamUnavailable:
            catalog = Catalog()
        ids = [run.id for run in await self.runs(limit=limit)]
        return len(ids), savings_of([await self.events(run_id) for run_id in ids], catalog)

    async def key_desk(self) -> KeyDesk:
        """The upstream's keys. Raises CredentialsError without a management key."""
        return await self._stack.enter_async_context(self._pieces.open_keys(self.settings))

    async def books(self) -> Books:
        """The ledger and the Budgets."""
        return Books((await self._open_store()).database, self._pieces.clock)

    async def access(self) -> AccessDesk:
        """The keys to a server of our own."""
        from ultrai.assembly.access_desk import AccessDesk

        return AccessDesk((await self._open_store()).database, self._pieces.clock)

    async def reconciliation(self) -> Reconciliation:
        """What Attempts really cost whose figure did not arrive with the answer."""
        opened = await self._open()
        return Reconciliation(await self.books(), opened.reconciler, opened.monitors.alarm)

    async def drift(self, *, days: int = 30) -> Drift:
        """What the upstream has counted for the key in use against what the ledger has.

        `days`: so many completed days (UTC), at most 30. Raises CredentialsError without a key,
        UpstreamUnavailable.
        """
        from ultrai.assembly.drift import compare

        return await compare(self, days=days)

    async def alarm(self) -> Alarm:
        """What watches money and keys.

        Raises SettingsError where the settings ask for none, StoreError where nothing can be kept.
        """
        alarm = (await self._open()).monitors.alarm
        if alarm is None and self.settings.alerts is not None:
            raise StoreError("alerts need a database that can be written")
        if alarm is None:
            raise alerts_off(self.settings.source)
        return alarm

    async def metrics(self) -> str:
        """Prometheus' text: what the ledger counts, and with the setting `metrics` this process.

        Raises SettingsError without the extra `prometheus`.
        """
        from ultrai.assembly.monitoring import check_prometheus

        check_prometheus()
        from ultrai.signals.exposition import ledger_registry, text_of

        own = (await self._open()).monitors.metrics
        meters = await (await self.books()).meters()
        return text_of(ledger_registry(meters), *([] if own is None else [own.registry]))

    @property
    def indexes(self) -> Indexes:
        """Folders whose files can be asked about."""
        from ultrai.assembly.indexes import Indexes

        return Indexes(self.settings)

    async def _complete(self, ask: Ask) -> tuple[Ask, Report | None]:
        """The Ask with what its Index has on the question, or with what its earlier Run asked."""
        if ask.resume is None:
            return (ask if ask.index is None else await self.indexes.consult(ask)), None
        earlier = await self.report(ask.resume)
        return resumed_ask(ask, earlier), earlier

    async def _overview(self) -> Overview:
        from ultrai.engine.overview import Overview

        opened = await self._open()
        return Overview(
            opened.desk, self.book, corrections=self._house.corrections, tuning=opened.tuning
        )

    async def _open(self) -> Opened:
        store = await self._open_store()
        if self._opened is None:
            async with self._lock:
                if self._opened is None:
                    self._opened = await self._stack.enter_async_context(
                        self._pieces.open_engine(self.settings, self._house, store=store)
                    )
        return self._opened

    async def _open_store(self) -> StoreRoom:
        if self._closed:
            raise UsageError("this UltrAI is closed", hint="open a new one with ultrai.open()")
        if self._store is None:
            async with self._lock:
                if self._store is None:
                    self._store = await self._stack.enter_async_context(
                        self._pieces.open_store(self.settings)
                    )
        return self._store
