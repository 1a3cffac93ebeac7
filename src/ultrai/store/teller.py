"""Carries out the ledger's steps, many in one transaction, each whole or not at all.

Theory of operation. The writer's thread hands over the steps that wait, inside a transaction that
it has begun and will commit. Budgets and the balances that the steps may move are read first, then
every step is decided and written in the order in which it came. What a step says about an Attempt
that is not open is ignored, and nobody gives back more than what is held: that makes every step
happen once, whoever asks for it again, because nobody knows whether a transaction took place whose
COMMIT was never answered.

A Run whose process died holds money that nobody will settle. Such Runs are wound up when a process
reserves for the first time, when a Budget would otherwise refuse, and when somebody asks: Attempts
that were sent count at their bound until the upstream says more, everything else is given back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ultrai.domain.budget import Budget
from ultrai.domain.ledger import (
    Reserve,
    Step,
)
from ultrai.store.balances import Balances
from ultrai.store.chain import Chain
from ultrai.store.ledger_statements import compile_ledger
from ultrai.store.open_work import Memory, Staff
from ultrai.store.orders import Order, Outcome
from ultrai.store.session import Session

if TYPE_CHECKING:
    from sqlalchemy import Dialect

    from ultrai.store.ledger_statements import LedgerStatements


class Teller:
    """One per database and process; used by one thread."""

    def __init__(self, dialect: Dialect, staff: Staff) -> None:
        self._statements: LedgerStatements = compile_ledger(dialect)
        self._staff = staff
        self._memory = Memory()
        self._has_wound_up = False
        self._writer = staff.writer
        self.overdrawn: list[Budget] = []

    def lock(self, cursor: Any) -> None:
        """Have the ledger alone until the transaction ends; call it before all else in there."""
        if self._statements.lock_ledger is not None:
            cursor.execute(self._statements.lock_ledger)

    def work(self, cursor: Any, steps: Sequence[Step]) -> list[Outcome]:
        """What came of each step, in order. The caller commits."""
        self.lock(cursor)
        return self._work(cursor, steps)

    def _work(self, cursor: Any, steps: Sequence[Step]) -> list[Outcome]:
        session = self._session(cursor)
        if not self._has_wound_up and any(isinstance(step, Reserve) for step in steps):
            self._has_wound_up = True
            session.wind_up(_moment(steps))
        outcomes = session.carry_out(steps)
        self.overdrawn.extend(session.finish())
        return outcomes

    def carry_out(self, cursor: Any, orders: Sequence[Order]) -> None:
        """Let every order know what came of its steps; that holds once the caller has committed.

        The caller has locked the ledger.
        """
        outcomes = iter(self._work(cursor, [step for order in orders for step in order.steps]))
        for order in orders:
            order.outcomes = [next(outcomes) for _ in order.steps]

    def forget(self) -> None:
        """The last transaction was not committed."""
        self._memory.forget()

    def wind_up(self, cursor: Any, at: str) -> int:
        """Settle and close the Runs of dead processes; how many there were."""
        self.lock(cursor)
        session = self._session(cursor)
        count = session.wind_up(at)
        self.overdrawn.extend(session.finish())
        return count

    def _session(self, cursor: Any) -> Session:
        if self._writer is None:
            cursor.execute(self._statements.any_chain)
            found = cursor.fetchone()
            self._writer = found[0] if found else self._staff.owner()
        chain = Chain(cursor, self._statements, writer=self._writer)
        balances = Balances(cursor, self._statements)
        return Session(self._staff, cursor, chain=chain, balances=balances, memory=self._memory)


def _moment(steps: Sequence[Step]) -> str:
    """The stamp of the first of these that reserves."""
    return next(step.payer.began_at for step in steps if isinstance(step, Reserve))
