"""The ledger's statements, compiled once for the driver, as those of the history are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import (
    bindparam,
    column,
    delete,
    false,
    func,
    insert,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ultrai.store.ledger_tables import (
    BALANCES,
    BUDGETS,
    CHAINS,
    ENTRIES,
    OPEN_ATTEMPTS,
    OPEN_RUNS,
    SEALS,
)
from ultrai.store.tables import RUNS

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, ColumnElement, Dialect, Table

Compiler = Callable[["ClauseElement"], str]

# Any number that nobody else uses. Whoever writes to the ledger or to the list of budgets has it
# alone and takes it first, as SQLite's BEGIN IMMEDIATE does: no two of them ever wait for each
# other's rows, and no entry slips in between a Budget's first sum and its first use.
_LEDGER_LOCK = 0x756C7472
_LOCK = "SELECT pg_advisory_xact_lock"


@dataclass(frozen=True, slots=True)
class LedgerStatements:
    """SQL in the dialect of one database; parameters by name."""

    lock_ledger: str | None
    share_ledger: str | None
    read_budgets: str
    lock_balance: str
    open_balance: str
    write_balance: str
    sum_period: str
    sum_run: str
    any_chain: str
    lock_chain: str
    open_chain: str
    move_chain: str
    add_entry: str
    add_seal: str
    open_run: str
    read_run: str
    list_owners: str
    list_runs: str
    close_run: str
    held_by_run: str
    open_attempt: str
    read_attempt: str
    read_settlement: str
    attempts_of_run: str
    identify_attempt: str
    keep_attempt: str
    defer_attempt: str
    close_attempt: str
    close_started: str
    close_budget: str
    add_budget: str
    remove_budget: str
    forget_balances: str
    restate_run: str


_COMPILED: dict[tuple[str, str], LedgerStatements] = {}


def compile_ledger(dialect: Dialect) -> LedgerStatements:
    """The statements for this database; compiled once in a process."""
    known = _COMPILED.get((dialect.name, dialect.paramstyle))
    if known is None:
        known = _COMPILED[dialect.name, dialect.paramstyle] = _compile(dialect)
    return known


def _compile(dialect: Dialect) -> LedgerStatements:
    def sql(statement: ClauseElement) -> str:
        return str(statement.compile(dialect=dialect))

    is_postgres = dialect.name == "postgresql"
    return LedgerStatements(
        **_budget_statements(sql),
        lock_ledger=f"{_LOCK}({_LEDGER_LOCK})" if is_postgres else None,
        share_ledger=f"{_LOCK}_shared({_LEDGER_LOCK})" if is_postgres else None,
        **_balance_statements(sql, is_postgres=is_postgres),
        **_entry_statements(sql, is_postgres=is_postgres),
        **_run_statements(sql),
        **_attempt_statements(sql, is_postgres=is_postgres),
        **_attempt_changes(sql),
    )


def _budget_statements(sql: Compiler) -> dict[str, str]:
    return {
        "read_budgets": sql(
            select(
                BUDGETS.c.name,
                BUDGETS.c.scope,
                BUDGETS.c.subject,
                BUDGETS.c.period,
                BUDGETS.c.limit_nanos,
                BUDGETS.c.hard,
                BUDGETS.c.closed,
                BUDGETS.c.origin,
            ).order_by(BUDGETS.c.name)
        ),
        "add_budget": sql(insert(BUDGETS)),
        "remove_budget": sql(delete(BUDGETS).where(BUDGETS.c.name == bindparam("of_name"))),
        "close_budget": sql(
            update(BUDGETS).where(BUDGETS.c.name == bindparam("of_name")).values(closed=true())
        ),
        "forget_balances": sql(delete(BALANCES).where(BALANCES.c.budget == bindparam("of_name"))),
    }


def _balance_statements(sql: Compiler, *, is_postgres: bool) -> dict[str, str]:
    make = postgresql.insert if is_postgres else sqlite.insert
    balance = _is(BALANCES, "budget", "period_start")
    payer = [ENTRIES.c[name] for name in ("key", "environment", "user", "feature", "tags")]
    deltas = ("posted_delta", "held_delta", "unknown_delta")
    sums = [func.sum(ENTRIES.c[name]) for name in deltas]
    of_run = ENTRIES.c.run_id == bindparam("run_id")
    return {
        "lock_balance": sql(
            select(
                BALANCES.c.posted_nanos,
                BALANCES.c.held_nanos,
                BALANCES.c.unknown,
                BALANCES.c.counted,
            )
            .where(*balance)
            .with_for_update()
        ),
        "open_balance": sql(make(BALANCES).on_conflict_do_nothing()),
        "write_balance": sql(
            update(BALANCES)
            .where(*_is(BALANCES, "budget", "period_start", prefix="of_"))
            .values(
                posted_nanos=bindparam("new_posted"),
                held_nanos=bindparam("new_held"),
                unknown=bindparam("new_unknown"),
                counted=true(),
            )
        ),
        "sum_period": sql(
            select(*payer, *sums)
            .where(
                ENTRIES.c.began_at >= bindparam("since"), ENTRIES.c.began_at < bindparam("until")
            )
            .group_by(*payer)
        ),
        "sum_run": sql(select(*payer, *sums).where(of_run).group_by(*payer)),
    }


def _entry_statements(sql: Compiler, *, is_postgres: bool) -> dict[str, str]:
    make = postgresql.insert if is_postgres else sqlite.insert
    of_run = ENTRIES.c.run_id == bindparam("run_id")
    return {
        "any_chain": sql(select(CHAINS.c.writer).order_by(CHAINS.c.writer)),
        "lock_chain": sql(
            select(CHAINS.c.next_seq, CHAINS.c.head)
            .where(CHAINS.c.writer == bindparam("writer"))
            .with_for_update()
        ),
        "open_chain": sql(make(CHAINS).on_conflict_do_nothing()),
        "move_chain": sql(
            update(CHAINS)
            .where(CHAINS.c.writer == bindparam("of_writer"))
            .values(next_seq=bindparam("new_seq"), head=bindparam("new_head"))
        ),
        "add_entry": _by_position(ENTRIES, "%s" if is_postgres else "?", sql=sql),
        "add_seal": sql(insert(SEALS)),
        "held_by_run": sql(
            select(ENTRIES.c.slot, func.sum(ENTRIES.c.held_delta))
            .where(of_run)
            .group_by(ENTRIES.c.slot)
        ),
        "restate_run": sql(
            update(RUNS)
            .where(RUNS.c.id == bindparam("of_run"))
            .values(
                cost_nanos=select(func.sum(ENTRIES.c.posted_delta))
                .where(ENTRIES.c.run_id == bindparam("of_run"))
                .scalar_subquery(),
                cost_known=select(func.sum(ENTRIES.c.unknown_delta) == literal_column("0"))
                .where(ENTRIES.c.run_id == bindparam("of_run"))
                .scalar_subquery(),
            )
        ),
    }


def _run_statements(sql: Compiler) -> dict[str, str]:
    return {
        "open_run": sql(insert(OPEN_RUNS)),
        "read_run": sql(
            select(OPEN_RUNS.c.payer, OPEN_RUNS.c.owner).where(*_is(OPEN_RUNS, "run_id"))
        ),
        "list_owners": sql(select(OPEN_RUNS.c.owner).distinct()),
        "list_runs": sql(select(OPEN_RUNS.c.run_id, OPEN_RUNS.c.owner, OPEN_RUNS.c.payer)),
        "close_run": sql(delete(OPEN_RUNS).where(*_is(OPEN_RUNS, "run_id"))),
    }


def _attempt_statements(sql: Compiler, *, is_postgres: bool) -> dict[str, str]:
    make = postgresql.insert if is_postgres else sqlite.insert
    place = _is(OPEN_ATTEMPTS, "run_id", "slot", "attempt")
    values = {
        column.name: bindparam(column.name, type_=column.type) for column in OPEN_ATTEMPTS.columns
    }
    within_run = select(*values.values()).where(OPEN_RUNS.c.run_id == values["run_id"])
    return {
        # Only while its Run is open: somebody else may have wound it up, and given its money back.
        "open_attempt": sql(
            make(OPEN_ATTEMPTS).from_select([*values], within_run).on_conflict_do_nothing()
        ),
        "read_settlement": sql(
            select(ENTRIES.c.seq).where(
                *_is(ENTRIES, "run_id", "slot", "attempt"),
                ENTRIES.c.kind == literal_column("'settlement'"),
            )
        ),
        "read_attempt": sql(
            select(
                OPEN_ATTEMPTS.c.payer,
                OPEN_ATTEMPTS.c.model,
                OPEN_ATTEMPTS.c.upstream,
                OPEN_ATTEMPTS.c.sent_at,
                OPEN_ATTEMPTS.c.settled,
                OPEN_ATTEMPTS.c.posted_nanos,
                OPEN_ATTEMPTS.c.bound_nanos,
                OPEN_ATTEMPTS.c.generation_id,
                OPEN_ATTEMPTS.c.counted,
            )
            .where(*place)
            .with_for_update()
        ),
        "attempts_of_run": sql(
            select(
                OPEN_ATTEMPTS.c.slot,
                OPEN_ATTEMPTS.c.attempt,
                OPEN_ATTEMPTS.c.bound_nanos,
                OPEN_ATTEMPTS.c.generation_id,
            )
            .where(*_is(OPEN_ATTEMPTS, "run_id"), OPEN_ATTEMPTS.c.settled == false())
            .order_by(OPEN_ATTEMPTS.c.slot, OPEN_ATTEMPTS.c.attempt)
        ),
    }


def _attempt_changes(sql: Compiler) -> dict[str, str]:
    place = _is(OPEN_ATTEMPTS, "run_id", "slot", "attempt")
    moved = _is(OPEN_ATTEMPTS, "run_id", "slot", "attempt", prefix="of_")
    return {
        "identify_attempt": sql(
            update(OPEN_ATTEMPTS).where(*moved).values(generation_id=bindparam("new_id"))
        ),
        "keep_attempt": sql(
            update(OPEN_ATTEMPTS)
            .where(*moved)
            .values(
                settled=true(),
                posted_nanos=bindparam("new_posted"),
                generation_id=bindparam("new_id"),
                counted=bindparam("new_counted"),
                next_try_at=bindparam("new_try"),
            )
        ),
        "defer_attempt": sql(
            update(OPEN_ATTEMPTS)
            .where(*moved)
            .values(
                tries=OPEN_ATTEMPTS.c.tries + literal_column("1"),
                first_try_at=func.coalesce(OPEN_ATTEMPTS.c.first_try_at, bindparam("tried_at")),
                next_try_at=bindparam("new_try"),
            )
        ),
        "close_attempt": sql(delete(OPEN_ATTEMPTS).where(*place)),
        "close_started": sql(
            delete(OPEN_ATTEMPTS).where(*place, OPEN_ATTEMPTS.c.settled == false())
        ),
    }


def _by_position(table: Table, mark: str, *, sql: Compiler) -> str:
    """An INSERT of whole rows: binding thirty names costs more than the rest of it."""
    names = ", ".join(sql(column(each.name)) for each in table.columns)
    marks = ", ".join([mark] * len(table.columns))
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - our own names


def _is(table: Table, *names: str, prefix: str = "") -> list[ColumnElement[bool]]:
    return [table.c[name] == bindparam(f"{prefix}{name}") for name in names]
