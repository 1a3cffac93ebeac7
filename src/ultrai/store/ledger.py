"""The Ledger over the database: a Run's steps go through the one writer, beside its Events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ultrai.domain.ledger import Grant, Shortage
from ultrai.policy.budgeting import budgets_of
from ultrai.store.budget_book import BudgetBook, read_budgets
from ultrai.store.open_work import read_open_attempts

if TYPE_CHECKING:
    from ultrai.domain.budget import Budget, BudgetState, Payer
    from ultrai.domain.ledger import OpenAttempt, Reserve, Start, Step
    from ultrai.store.database import Database


class SqlLedger:
    """Fits `engine.ports.Ledger`. The Database is closed by whoever opened it.

    `declared` are Budgets of the settings: they guard also where the database cannot be written.
    """

    def __init__(self, database: Database, declared: Sequence[Budget] = ()) -> None:
        self._database = database
        self._declared = declared

    async def reserve(self, step: Reserve) -> Grant | Shortage:
        """Hold money for a Run, or say which Budget does not allow it. Raises StoreError."""
        outcomes = await self._database.writer.carry_out((step,))
        outcome = outcomes[0]
        assert outcome is not None
        return outcome

    async def start(self, step: Start) -> Grant | Shortage | None:
        """Make known that an Attempt is about to be sent. None: its Run is over. Raises so too."""
        return (await self._database.writer.carry_out((step,)))[0]

    def post(self, *steps: Step) -> None:
        """Queue steps that cannot be refused, in order; returns at once and never raises."""
        self._database.writer.post(steps)

    async def open_attempts(self) -> Sequence[OpenAttempt]:
        """The Attempts that are over and whose cost is not known for good. Raises StoreError."""
        return await self._database.read(lambda: read_open_attempts(self._database))

    async def wind_up(self, at: str) -> int:
        """Settle and close the Runs of dead processes; how many there were. Raises StoreError."""
        return await self._database.read(lambda: self._database.wind_up(at))

    async def guards(self, payer: Payer) -> Sequence[Budget]:
        """The hard Budgets that hold for a Run. Raises StoreError where they cannot be read."""
        known = [*self._declared, *await self._budgets()]
        budgets = {budget.name: budget for budget in known if budget.hard}
        return [budgets[name] for name in budgets_of(payer, budgets.values())]

    async def standing(self, payer: Payer) -> Sequence[BudgetState]:
        """The Budgets that hold for a Run, with what each has left now. Raises StoreError.

        Runs of dead processes are wound up before: what they held is no obstacle.
        """
        await self.wind_up(payer.began_at)
        now = datetime.fromisoformat(payer.began_at)
        states = await self._database.read(lambda: BudgetBook(self._database).states(now))
        held = budgets_of(payer, [state.budget for state in states])
        return [state for state in states if state.budget.name in held]

    async def _budgets(self) -> Sequence[Budget]:
        return await self._database.read(lambda: read_budgets(self._database))
