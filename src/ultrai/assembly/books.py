"""`UltrAI.books`: what was spent, what may be, and whether the ledger holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ultrai.domain.stamp import stamp

if TYPE_CHECKING:
    from ultrai.domain.budget import Budget, BudgetState
    from ultrai.domain.chart import Burn
    from ultrai.domain.drift import DailySpending
    from ultrai.domain.ledger import OpenAttempt
    from ultrai.domain.metering import Meters
    from ultrai.domain.spending import Audit, ChainHead, Spending
    from ultrai.engine.alerting import Alarm
    from ultrai.engine.ports import Clock
    from ultrai.engine.reconciling import Reconciled, Reconciler
    from ultrai.policy.drifting import Kept
    from ultrai.store.database import Database
    from ultrai.store.spending import Wanted


@dataclass(frozen=True, slots=True)
class Books:
    """Reads the ledger, and changes the Budgets. Every method raises StoreError."""

    database: Database
    clock: Clock

    async def spending(self, by: str, wanted: Wanted) -> Sequence[Spending]:
        """What was spent, by one dimension; see `domain.spending.DIMENSIONS`."""
        from ultrai.store.spending import read_spending

        await self.wind_up()
        return await self.database.read(lambda: read_spending(self.database, by, wanted=wanted))

    async def daily(self, wanted: Wanted) -> Sequence[DailySpending]:
        """What was spent, by day and model, the oldest first."""
        from ultrai.store.daily import read_daily

        await self.wind_up()
        return await self.database.read(lambda: read_daily(self.database, wanted))

    async def burns(self) -> Sequence[Burn]:
        """How each Budget with a period is used up, those first of which least is left."""
        from ultrai.domain.budget import Period
        from ultrai.policy.charting import burn_of, share_left
        from ultrai.store.daily import read_burn

        now = self.clock.now()
        burns = []
        for state in await self.budgets():
            if state.budget.period is not Period.RUN:
                spent = await self.database.read(partial(read_burn, self.database, state))
                burns.append(burn_of(state, spent, now=now))
        return sorted(burns, key=share_left)

    async def kept(self, key: str | None, upstream: str) -> Kept:
        """All that the ledger has of a key with an upstream."""
        from ultrai.store.daily import read_kept

        await self.wind_up()
        now = self.clock.now()
        return await self.database.read(
            lambda: read_kept(self.database, now, key=key, upstream=upstream)
        )

    async def budgets(self) -> Sequence[BudgetState]:
        """Each Budget with what it has spent and holds now."""
        from ultrai.store.budget_book import BudgetBook

        await self.wind_up()
        book = BudgetBook(self.database)
        return await self.database.read(lambda: book.states(self.clock.now()))

    async def meters(self) -> Meters:
        """What monitors count. It walks over all entries."""
        from ultrai.store.metering import read_meters

        await self.wind_up()
        return await self.database.read(lambda: read_meters(self.database, self.clock.now()))

    async def unknown_for_good(self) -> tuple[int, int]:
        """The Attempts whose cost nobody will tell, and in nanodollars the most it may be."""
        from ultrai.domain.spending import total
        from ultrai.store.open_work import read_open_attempts
        from ultrai.store.spending import Wanted

        everything = total(list(await self.spending("upstream", Wanted())))
        waiting = await self.database.read(lambda: read_open_attempts(self.database))
        open_nanos = sum(attempt.posted_nanos for attempt in waiting)
        return everything.unknown_for_good, max(0, everything.unsure_nanos - open_nanos)

    async def wind_up(self) -> None:
        """Settle the Runs of processes that died, at the most they may have cost."""
        if not self.database.is_writable:
            return
        now = stamp(self.clock.now())
        await self.database.read(lambda: self.database.wind_up(now))

    async def set_budget(self, budget: Budget) -> None:
        """Make or change a Budget."""
        from ultrai.store.budget_book import BudgetBook

        await self.database.read(lambda: BudgetBook(self.database).set(budget))

    async def remove_budget(self, name: str) -> None:
        """Take a Budget away. Raises NotFound."""
        from ultrai.store.budget_book import BudgetBook

        await self.database.read(lambda: BudgetBook(self.database).remove(name))

    async def verify(self, kept: Sequence[ChainHead] = ()) -> Audit:
        """Check every entry; `kept` are heads from an earlier time."""
        from ultrai.store.audit import verify

        return await self.database.read(lambda: verify(self.database, kept))


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Asks the upstream what Attempts cost whose figure did not arrive."""

    books: Books
    reconciler: Reconciler
    alarm: Alarm | None = None

    async def open_attempts(self) -> Sequence[OpenAttempt]:
        """What is still to be asked for, once the Runs of dead processes are wound up."""
        from ultrai.store.open_work import read_open_attempts

        database = self.books.database
        await self.books.wind_up()
        return await database.read(lambda: read_open_attempts(database))

    async def run(self, *, watch: bool = False) -> AsyncIterator[Reconciled]:
        """Ask for each once, or until nothing is open any more."""
        if self.alarm is not None:
            self.alarm.wake()  # the first finding may be minutes away, and what is wrong is so now
        rounds = self.reconciler.until_done() if watch else self.reconciler.once()
        async for each in rounds:
            yield each
            if self.alarm is not None:
                self.alarm.wake()
        await self.books.database.writer.flush()
        if self.alarm is not None:
            self.alarm.wake()
