"""The list of Budgets: setting one, taking one away, and what each has left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ultrai.domain.budget import Budget, BudgetState, Payer, Scope
from ultrai.domain.errors import NotFound
from ultrai.domain.stamp import stamp
from ultrai.policy.budgeting import period_start
from ultrai.store.balances import Balances, budget_of
from ultrai.store.ledger_statements import compile_ledger

if TYPE_CHECKING:
    from ultrai.store.database import Database

BY_HAND = ""
_FROM_SETTINGS = "settings"


def read_budgets(database: Database) -> list[Budget]:
    """All Budgets by name, as they stand."""
    return [budget for budget, _ in _read_with_origins(database)]


def _read_with_origins(database: Database) -> list[tuple[Budget, str]]:
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(compile_ledger(database.engine.dialect).read_budgets)
        return [(budget_of(row), str(row[7])) for row in rows]


@dataclass(frozen=True, slots=True)
class BudgetBook:
    """What commands do with Budgets. Raises StoreError."""

    database: Database

    def set(self, budget: Budget, *, origin: str = BY_HAND) -> None:
        """Make or change the Budget; what was spent in its period counts. Opens a closed one."""
        self.database.transact(lambda cursor: self._set(cursor, budget, origin=origin))

    def adopt(self, budgets: Sequence[Budget], *, source: str, environment: str | None) -> None:
        """Let the Budgets of this settings file and profile be these; all others stay.

        One that is as it was is left alone, closed or not, whoever it came from.
        """
        origin = f"{_FROM_SETTINGS} {source}" + (f"@{environment}" if environment else "")
        if not any(_changes(_read_with_origins(self.database), budgets, origin=origin)):
            return
        # Another process may be at the same: what is to change is looked for again, alone.
        self.database.transact(lambda cursor: self._adopt(cursor, budgets, origin=origin))

    def _adopt(self, cursor: Any, budgets: Sequence[Budget], *, origin: str) -> None:
        statements = compile_ledger(self.database.engine.dialect)
        if statements.lock_ledger is not None:
            cursor.execute(statements.lock_ledger)
        cursor.execute(statements.read_budgets)
        there_now = [(budget_of(row), str(row[7])) for row in cursor.fetchall()]
        to_set, to_remove = _changes(there_now, budgets, origin=origin)
        for budget in to_set:
            self._set(cursor, budget, origin=origin)
        for name in to_remove:
            self._remove(cursor, name)

    def remove(self, name: str) -> None:
        """Take the Budget away; the ledger stays as it is. Raises NotFound."""
        self.database.transact(lambda cursor: self._remove(cursor, name))

    def states(self, now: datetime) -> list[BudgetState]:
        """What each Budget has spent and holds in the period that holds this moment."""
        return self.database.transact(lambda cursor: self._states(cursor, now))

    def _set(self, cursor: Any, budget: Budget, *, origin: str) -> None:
        statements = compile_ledger(self.database.engine.dialect)
        if statements.lock_ledger is not None:
            cursor.execute(statements.lock_ledger)
        cursor.execute(statements.forget_balances, {"of_name": budget.name})
        cursor.execute(statements.remove_budget, {"of_name": budget.name})
        cursor.execute(
            statements.add_budget,
            {
                "name": budget.name,
                "scope": budget.scope.value,
                "subject": budget.subject,
                "period": budget.period.value,
                "limit_nanos": budget.limit_nanos,
                "hard": budget.hard,
                "closed": False,
                "origin": origin,
            },
        )

    def _remove(self, cursor: Any, name: str) -> None:
        statements = compile_ledger(self.database.engine.dialect)
        if statements.lock_ledger is not None:
            cursor.execute(statements.lock_ledger)
        cursor.execute(statements.remove_budget, {"of_name": name})
        if cursor.rowcount != 1:
            message = f"there is no budget {name!r}"
            raise NotFound(message, hint="list them with `ultrai budget list`")
        cursor.execute(statements.forget_balances, {"of_name": name})

    def _states(self, cursor: Any, now: datetime) -> list[BudgetState]:
        statements = compile_ledger(self.database.engine.dialect)
        if statements.share_ledger is not None:
            cursor.execute(statements.share_ledger)
        balances = Balances(cursor, statements)
        at = stamp(now)
        states = []
        for budget in balances.budgets.values():
            payer = _typical_payer(budget, at)
            start = period_start(budget.period, now)
            balances.lock([payer])
            balance = balances.at(budget.name, start)
            states.append(BudgetState(budget, balance.posted, balance.held, balance.unknown, start))
        balances.write()
        return states


def _changes(
    there_now: Sequence[tuple[Budget, str]], wanted: Sequence[Budget], *, origin: str
) -> tuple[list[Budget], list[str]]:
    """What is to be set, and the names of what is to be removed."""
    known = {each.name: _opened(each) for each, _ in there_now}
    ours = {each.name for each, origin_of in there_now if origin_of == origin}
    to_set = [budget for budget in wanted if known.get(budget.name) != budget]
    return to_set, sorted(ours - {budget.name for budget in wanted})


def _opened(budget: Budget) -> Budget:
    return Budget(
        budget.name, budget.scope, budget.subject, budget.period, budget.limit_nanos, budget.hard
    )


def _typical_payer(budget: Budget, at: str) -> Payer:
    """Somebody for whom the Budget holds."""
    subject = budget.subject
    tags = None
    if budget.scope is Scope.TAG:
        name, _, text = subject.partition("=")
        tags = {name: text}
    return Payer(
        run_id=f"of {budget.name}",
        began_at=at,
        key=subject if budget.scope is Scope.KEY else None,
        environment=subject if budget.scope is Scope.ENVIRONMENT else None,
        user=subject if budget.scope is Scope.USER else None,
        feature=subject if budget.scope is Scope.FEATURE else None,
        tags=tags,
    )
