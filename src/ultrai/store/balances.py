"""The balances of Budgets within one transaction: read once, moved in memory, written back.

Whoever moves them has locked the ledger before. A Budget's first balance in a period is counted
from the entries: it may be younger than what it must count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ultrai.domain.budget import Budget, Payer, Period, Scope
from ultrai.domain.ledger import Shortage
from ultrai.domain.stamp import stamp
from ultrai.policy.budgeting import budgets_of, period_end, period_start, shortage_of

if TYPE_CHECKING:
    from ultrai.store.ledger_statements import LedgerStatements

Key = tuple[str, str]  # budget, period_start
_AFTER_ALL = "~"


@dataclass(slots=True)
class Balance:
    """What one Budget has in one period; nanodollars."""

    posted: int = 0
    held: int = 0
    unknown: int = 0
    changed: bool = False

    @property
    def used(self) -> int:
        """What is not left any more."""
        return self.posted + self.held


class Balances:
    """Made for one transaction."""

    def __init__(self, cursor: Any, statements: LedgerStatements) -> None:
        self._cursor = cursor
        self._statements = statements
        self._rows: dict[Key, Balance] = {}
        self._keys: dict[str, list[Key]] = {}
        self.budgets = self._read_budgets()

    def keys_of(self, payer: Payer) -> list[Key]:
        """Where this Run counts."""
        if not self.budgets:
            return []
        keys = self._keys.get(payer.run_id)
        if keys is None:
            keys = list(budgets_of(payer, self.budgets.values()).items())
            self._keys[payer.run_id] = keys
        return keys

    def lock(self, payers: Iterable[Payer]) -> None:
        """Have all balances at hand that these Runs may move."""
        if not self.budgets:
            return
        wanted = {key: payer for payer in payers for key in self.keys_of(payer)}
        for key in sorted(wanted):
            if key not in self._rows:
                self._rows[key] = self._locked(key, wanted[key])

    def shortage(self, payer: Payer, nanos: int | None) -> Shortage | None:
        """The hard Budget that does not allow this much more to be held; None: all do."""
        used = ((self.budgets[key[0]], self._rows[key].used) for key in self.keys_of(payer))
        return shortage_of(used, nanos)

    def at(self, budget: str, start: str) -> Balance:
        """The balance of one Budget in one period; of a period nobody has spent in, nothing."""
        return self._rows.get((budget, start)) or Balance()

    def hard(self, payer: Payer) -> list[Budget]:
        """The hard Budgets that hold for the Run."""
        budgets = [self.budgets[name] for name, _ in self.keys_of(payer)]
        return [budget for budget in budgets if budget.hard]

    def soft_exceeded(self, payer: Payer) -> tuple[Budget, ...]:
        """The soft Budgets that would be exceeded if all that is held were spent."""
        return tuple(
            self.budgets[key[0]]
            for key in self.keys_of(payer)
            if not self.budgets[key[0]].hard
            and self._rows[key].posted + self._rows[key].held > self.budgets[key[0]].limit_nanos
        )

    def move(self, payer: Payer, *, held: int = 0, posted: int = 0, unknown: int = 0) -> None:
        """Add to every balance of the Run."""
        for key in self.keys_of(payer):
            balance = self._rows[key]
            balance.held += held
            balance.posted += posted
            balance.unknown += unknown
            balance.changed = True

    def overdrawn(self, payer: Payer) -> list[Budget]:
        """The hard Budgets of the Run that more was posted to than they allow."""
        return [
            self.budgets[name]
            for name, start in self.keys_of(payer)
            if self.budgets[name].hard
            and self._rows[name, start].posted > self.budgets[name].limit_nanos
        ]

    def write(self) -> None:
        """Put what has moved into the database."""
        rows = [
            {
                "of_budget": key[0],
                "of_period_start": key[1],
                "new_posted": balance.posted,
                "new_held": balance.held,
                "new_unknown": balance.unknown,
            }
            for key, balance in self._rows.items()
            if balance.changed
        ]
        if rows:
            self._cursor.executemany(self._statements.write_balance, rows)

    def count(self, budget: Budget, within: str) -> Balance:
        """What the entries of one period add up to.

        `within`: any moment of it; of a Budget per Run, the Run's id.
        """
        if budget.period is Period.RUN:
            self._cursor.execute(self._statements.sum_run, {"run_id": within})
        else:
            since, until = _bounds(budget.period, within)
            self._cursor.execute(self._statements.sum_period, {"since": since, "until": until})
        total = Balance()
        for key, environment, user, feature, tags, posted, held, unknown in self._cursor.fetchall():
            told = msgspec.json.decode(tags, type=dict[str, str]) if tags else None
            spender = Payer("", within, key, environment, user, feature, told)
            if budget.subject in spender.subjects(budget.scope):
                total.posted += int(posted)
                total.held += int(held)
                total.unknown += int(unknown)
        return total

    def _read_budgets(self) -> dict[str, Budget]:
        self._cursor.execute(self._statements.read_budgets)
        return {row[0]: budget_of(row) for row in self._cursor.fetchall()}

    def _locked(self, key: Key, payer: Payer) -> Balance:
        parameters = {"budget": key[0], "period_start": key[1]}
        row = self._select(parameters)
        if row is None:
            zero = {"posted_nanos": 0, "held_nanos": 0, "unknown": 0, "counted": False}
            self._cursor.execute(self._statements.open_balance, parameters | zero)
            row = self._select(parameters)
        assert row is not None
        if row[3]:
            return Balance(*row[:3])
        began = payer.run_id if self.budgets[key[0]].period is Period.RUN else payer.began_at
        balance = self.count(self.budgets[key[0]], began)
        balance.changed = True
        return balance

    def _select(self, parameters: Mapping[str, str]) -> Any:
        self._cursor.execute(self._statements.lock_balance, parameters)
        return self._cursor.fetchone()


def budget_of(row: Any) -> Budget:
    """The Budget of a row of `read_budgets`."""
    return Budget(
        name=row[0],
        scope=Scope(row[1]),
        subject=row[2],
        period=Period(row[3]),
        limit_nanos=row[4],
        hard=bool(row[5]),
        closed=bool(row[6]),
    )


def _bounds(period: Period, began_at: str) -> tuple[str, str]:
    if period is Period.TOTAL:
        return "", _AFTER_ALL
    moment = datetime.fromisoformat(began_at)
    end = period_end(period, moment)
    return period_start(period, moment), _AFTER_ALL if end is None else stamp(end)
