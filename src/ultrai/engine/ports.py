"""What the engine needs of the world, named by the engine. Adapters fit structurally."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from ultrai.domain.alert import Alert, Parcel, Standing
from ultrai.domain.attempt import Account, AttemptRequest
from ultrai.domain.budget import Budget, BudgetState, Payer
from ultrai.domain.catalog import Endpoint, Model, Snapshot
from ultrai.domain.event import Event
from ultrai.domain.generation import Generation
from ultrai.domain.kept import Claim, KeptAnswer
from ultrai.domain.ledger import Grant, OpenAttempt, Reserve, Shortage, Start, Step
from ultrai.domain.outcome import Received
from ultrai.domain.report import RunSummary
from ultrai.policy.alerting import Readings
from ultrai.policy.health import ModelHealth


class Clock(Protocol):
    """Stamps. Durations are read from the event loop's clock instead."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class Observer(Protocol):
    """Is told of an Attempt while it runs, from the event loop, without waiting."""

    def head_arrived(self, generation_id: str | None) -> None:
        """The response head of a 200 is here; from now on the Attempt may be billed."""
        ...

    def delta_arrived(self, text: str, reasoning: str) -> None:
        """More text or reasoning; either may be empty, not both."""
        ...


class Upstream(Protocol):
    """One HTTP API with OpenAI's format."""

    @property
    def name(self) -> str:
        """Its name in settings, Catalog and Reports."""
        ...

    async def send(self, request: AttemptRequest, observer: Observer) -> Received:
        """Make one Attempt. Whatever the world does is in the value; only cancellation raises."""
        ...

    async def list_models(self) -> Sequence[Model]:
        """The current listing. Raises UpstreamUnavailable."""
        ...

    async def list_endpoints(self, model_id: str) -> Sequence[Endpoint]:
        """Who serves the model and how well. Raises UpstreamUnavailable."""
        ...

    async def read_account(self) -> Account | None:
        """What the key may do; None where the upstream has no such notion. Raises the same."""
        ...

    async def read_generation(self, generation_id: str) -> Generation | None:
        """What it says of an Attempt afterwards; None: nothing (yet). Raises the same."""
        ...


class CatalogShelf(Protocol):
    """Keeps listings on disk. A damaged file is as good as none."""

    async def load(self, upstream: str) -> tuple[Sequence[Model], Snapshot] | None:
        """The listing kept last, or None."""
        ...

    async def save(self, upstream: str, models: Sequence[Model], *, fetched_at: datetime) -> None:
        """Keep this listing. Failure to write is not the caller's concern."""
        ...


class RunHistory(Protocol):
    """Stores Runs as their Events happen."""

    def append(self, events: Sequence[Event]) -> None:
        """Queue Events of one Run, in order; returns at once."""
        ...

    async def flush(self) -> None:
        """Return when everything appended so far is committed. Raises StoreError."""
        ...

    async def list_runs(self, *, limit: int, containing: str | None = None) -> Sequence[RunSummary]:
        """Newest first."""
        ...

    async def read_events(self, run_id: str) -> Sequence[Event]:
        """All Events of the Run in order; a unique prefix of its id will do. Raises NotFound."""
        ...


class Ledger(Protocol):
    """The truth about money. What is held and what was spent is known before anything is sent."""

    async def reserve(self, step: Reserve) -> Grant | Shortage:
        """Hold money for a Run, or say which Budget does not allow it. Raises StoreError."""
        ...

    async def start(self, step: Start) -> Grant | Shortage | None:
        """Make known that an Attempt is about to be sent. None: its Run is over. Raises so too."""
        ...

    def post(self, *steps: Step) -> None:
        """Queue steps that cannot be refused, in order; returns at once."""
        ...

    async def open_attempts(self) -> Sequence[OpenAttempt]:
        """The Attempts that are over and whose cost is not known for good. Raises StoreError."""
        ...

    async def guards(self, payer: Payer) -> Sequence[Budget]:
        """The hard Budgets that are known to hold for a Run, also while nothing can be written."""
        ...

    async def standing(self, payer: Payer) -> Sequence[BudgetState]:
        """The Budgets that hold for a Run, with what each has left now. Raises StoreError."""
        ...


class AlertBook(Protocol):
    """What was told and what is on its way, shared by all processes. All raise StoreError."""

    async def read(self, now: datetime, *, spending: bool) -> Readings:
        """Budgets, and with `spending` what was spent of late, which is dearer to read."""
        ...

    async def raise_alerts(
        self, found: Sequence[Standing], now: datetime, *, sinks: Sequence[str]
    ) -> Sequence[Alert]:
        """Mark what has crossed, queue its Alerts for every sink, and return those."""
        ...

    async def claim(self, now: datetime, *, sinks: Sequence[str]) -> Sequence[Parcel]:
        """What is due for these sinks; nobody else gets it meanwhile."""
        ...

    async def delivered(self, parcel: Parcel) -> None:
        """It has arrived."""
        ...

    async def failed(self, parcel: Parcel, problem: str) -> bool:
        """It has not, and stays for a later try. False: it is given up."""
        ...

    async def waiting(self) -> Sequence[tuple[Parcel, str]]:
        """What has not arrived yet, each with what went wrong last."""
        ...

    async def is_time(self, name: str, now: datetime, *, every: timedelta) -> bool:
        """Whether nobody has done this for so long; then we are taken to do it now."""
        ...


class AlertSink(Protocol):
    """One way to tell somebody."""

    async def deliver(self, alert: Alert) -> str | None:
        """None: it has arrived. Else why not, in one line; nothing is raised."""
        ...


class AnswerCache(Protocol):
    """Keeps Answers. It may forget any of them at any time, and raises nothing."""

    async def find(self, keys: Sequence[str]) -> Mapping[str, KeptAnswer]:
        """Those that are kept, by key; one that was handed to `keep` before is found."""
        ...

    def keep(self, key: str, kept: KeptAnswer) -> None:
        """Take one in, in place of an older one; returns at once."""
        ...

    async def claim(self, key: str) -> Claim:
        """What is kept, and whether nobody else who shares the cache is making that request.

        Then we are said to be, until `release`, or until this process dies. In doubt nobody is.
        """
        ...

    def release(self, key: str, kept: KeptAnswer | None) -> None:
        """Give our claim back, if there is one, and keep what came of it; returns at once."""
        ...

    def take_problem(self) -> str | None:
        """One line on what went wrong and what was done about it; None: nothing, or it was told."""
        ...


class HealthMemory(Protocol):
    """Remembers Health between processes."""

    async def load(self) -> Mapping[str, ModelHealth]:
        """What is remembered, by model id."""
        ...

    def remember(self, health: Mapping[str, ModelHealth]) -> None:
        """Queue what has changed; returns at once."""
        ...
