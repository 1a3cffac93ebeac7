"""The ledger: what is held, what is posted, and that both always add up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event

from ultrai.domain.budget import Budget, Payer, Period, Scope
from ultrai.domain.errors import NotFound, StoreError, UsageError
from ultrai.domain.ledger import (
    Close,
    Correct,
    Defer,
    Grant,
    Identify,
    Place,
    RefusalReason,
    Release,
    Reserve,
    Settle,
    Shortage,
    SlotHold,
    Start,
    Step,
)
from ultrai.domain.outcome import Cost, CostState, Usage
from ultrai.store.audit import verify
from ultrai.store.budget_book import BudgetBook, read_budgets
from ultrai.store.database import Database, open_database
from ultrai.store.ledger import SqlLedger
from ultrai.store.open_work import read_open_attempts
from ultrai.store.orders import Outcome
from ultrai.store.spending import Wanted, read_spending
from ultrai.testing import FixedClock

AT = "2026-11-26T12:00:00.000Z"
NOON = FixedClock().now()
ALL = Budget("all", Scope.GLOBAL, "", Period.TOTAL, 1000)


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database)


def do(database: Database, *steps: Step) -> Sequence[Outcome]:
    return asyncio.run(database.writer.carry_out(steps))


def payer(name: str = "run_1", **facts: object) -> Payer:
    return replace(Payer(name, AT, key="key-1"), **facts)  # type: ignore[arg-type]


def reserve(who: Payer, *amounts: int | None) -> Reserve:
    return Reserve(who, tuple(SlotHold(i, each, each) for i, each in enumerate(amounts)))


def start(run: str = "run_1", slot: int = 0, *, attempt: int = 1, bound: int | None = 100) -> Start:
    return Start(Place(run, slot, attempt), AT, "a/b", "openrouter", bound, 0)


def settle(nanos: int, *, held: int = 100, **facts: object) -> Settle:
    step = Settle(
        place=Place("run_1", 0, 1),
        at=AT,
        outcome="answer",
        cost=Cost(nanos, CostState.REPORTED, str(nanos)),
        posted_nanos=nanos,
        held_nanos=held,
        usage=Usage(10, 5, 0, 0),
    )
    return replace(step, **facts)


UNKNOWN = {"cost": Cost(None, CostState.ESTIMATED), "outcome": "failure"}


def state(database: Database, name: str = "all") -> tuple[int, int, int]:
    states = {each.budget.name: each for each in BudgetBook(database).states(NOON)}
    return states[name].posted_nanos, states[name].held_nanos, states[name].unknown


def test_what_a_run_reserves_is_held_and_what_it_costs_is_posted(database: Database) -> None:
    BudgetBook(database).set(ALL)
    granted = do(database, reserve(payer(), 100, 200))[0]
    assert isinstance(granted, Grant)
    assert granted.holds == {0: 100, 1: 200}
    assert granted.capped
    assert state(database) == (0, 300, 0)
    do(database, start(), settle(30))
    assert state(database) == (30, 200, 0)
    do(database, Close("run_1", AT))
    assert state(database) == (30, 0, 0)
    assert verify(database).problems == ()


def test_a_run_that_does_not_fit_is_refused_with_what_is_left(database: Database) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer("run_0"), 600))
    refused = do(database, reserve(payer(), 401))[0]
    assert isinstance(refused, Shortage)
    assert (refused.reason, refused.needed_nanos, refused.left_nanos) == (
        RefusalReason.SPENT,
        401,
        400,
    )
    assert isinstance(do(database, reserve(payer(), 400))[0], Grant)


def test_what_is_wanted_shrinks_to_what_is_needed(database: Database) -> None:
    BudgetBook(database).set(ALL)
    step = Reserve(payer(), (SlotHold(0, 5000, 100), SlotHold(1, 50, 20)))
    granted = do(database, step)[0]
    assert isinstance(granted, Grant)
    assert granted.holds == {0: 100, 1: 20}


def test_a_retry_that_would_pass_the_budget_is_refused(database: Database) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 900))
    more = replace(start(attempt=2), top_up_nanos=101)
    assert isinstance(do(database, more)[0], Shortage)
    assert isinstance(do(database, replace(more, top_up_nanos=100))[0], Grant)


def test_an_unknown_price_is_refused_under_a_hard_budget_only(database: Database) -> None:
    assert isinstance(do(database, reserve(payer("run_0"), None))[0], Grant)
    BudgetBook(database).set(ALL)
    refused = do(database, reserve(payer(), None))[0]
    assert isinstance(refused, Shortage)
    assert refused.reason is RefusalReason.PRICE_UNKNOWN


def test_a_soft_budget_only_tells(database: Database) -> None:
    BudgetBook(database).set(replace(ALL, hard=False))
    granted = do(database, reserve(payer(), 5000))[0]
    assert isinstance(granted, Grant)
    assert [budget.name for budget in granted.exceeded] == ["all"]
    assert not granted.capped


def test_settling_twice_counts_once(database: Database) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 100), start(), settle(30), settle(70))
    do(database, settle(99))
    assert state(database) == (30, 0, 0)


@pytest.mark.parametrize("facts", [{}, UNKNOWN], ids=["known", "unknown"])
def test_a_whole_run_told_twice_counts_once(database: Database, facts: dict[str, Any]) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 100, 50))
    steps = (
        replace(start(bound=130), top_up_nanos=30),
        Identify(Place("run_1", 0, 1), "gen-1"),
        settle(40, held=130, **facts),
        Release("run_1", 1, AT, 50),
    )
    for _ in range(2):
        do(database, *steps)
        assert state(database) == (40, 0, int(bool(facts)))
        database.writer._committer._teller.forget()  # as after a COMMIT that nobody answered
    for _ in range(2):
        do(database, *steps, Close("run_1", AT))
        assert state(database) == (40, 0, int(bool(facts)))
        database.writer._committer._teller.forget()
    assert verify(database).problems == ()


def test_an_attempt_that_was_never_started_settles_nothing(database: Database) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 100), settle(30))
    assert state(database) == (0, 100, 0)


def test_an_unknown_cost_counts_at_its_bound_until_it_is_known(database: Database) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 100), start(), Identify(Place("run_1", 0, 1), "gen-1"))
    do(database, settle(100, posted_nanos=100, **UNKNOWN), Close("run_1", AT))
    assert state(database) == (100, 0, 1)
    (attempt,) = read_open_attempts(database)
    assert attempt.generation_id == "gen-1"
    do(database, Correct(attempt.place, AT, Cost(7, CostState.RECONCILED, "7e-9"), Usage(9, 4)))
    assert state(database) == (7, 0, 0)
    assert read_open_attempts(database) == []
    (row,) = read_spending(database, "model", wanted=Wanted())
    assert (row.cost_nanos, row.unknown, row.prompt_tokens) == (7, 0, 10), "tokens count once"


def test_what_stays_unknown_stays_at_its_bound_and_is_called_unknown(database: Database) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 100), start(), settle(100, posted_nanos=100, **UNKNOWN))
    unknown = Cost(None, CostState.UNKNOWN_BILLED)
    do(database, Close("run_1", AT), Correct(Place("run_1", 0, 1), AT, unknown))
    assert state(database) == (100, 0, 1)
    (row,) = read_spending(database, "model", wanted=Wanted())
    assert row.to_dict()["cost_usd"] is None
    assert (row.unsure_nanos, row.unknown) == (100, 1)


def test_asking_again_is_put_off(database: Database) -> None:
    do(database, reserve(payer(), 100), start(), settle(100, posted_nanos=100, **UNKNOWN))
    later = "2026-11-26T12:05:00.000Z"
    do(database, Defer(Place("run_1", 0, 1), AT, later), Defer(Place("run_1", 0, 1), later, later))
    (attempt,) = read_open_attempts(database)
    assert (attempt.tries, attempt.first_try_at, attempt.next_try_at) == (2, AT, later)


def test_what_a_dead_process_left_is_wound_up(path: Path) -> None:
    with open_database(path) as database:
        BudgetBook(database).set(ALL)
        do(database, reserve(payer(), 100, 200, 300), start(slot=0), start(slot=1, bound=150))
        database.writer._queue.clear()
        database.writer._committer._owner.release()  # its lock is gone, as after kill -9
        assert database.wind_up(AT) == 1
        assert state(database) == (250, 0, 2), "what was sent counts, what was not is given back"
        assert database.wind_up(AT) == 0
        assert verify(database).problems == ()


def test_a_refusal_first_looks_for_the_dead(path: Path) -> None:
    with open_database(path) as dead, open_database(path) as database:
        BudgetBook(dead).set(ALL)
        do(dead, reserve(payer("run_0"), 900))
        do(database, reserve(payer("run_2"), 10))
        dead.writer._committer._owner.release()
        assert isinstance(do(database, reserve(payer(), 800))[0], Grant)


def test_one_that_was_taken_for_dead_corrects_what_was_said_of_it(path: Path) -> None:
    with open_database(path) as database:
        BudgetBook(database).set(ALL)
        do(database, reserve(payer(), 100), start())
        database.writer._committer._owner.release()
        database.wind_up(AT)
        database.writer._committer._teller.forget()
        assert do(database, start(attempt=2)) == [None], "nothing more may be sent"
        do(database, settle(30))
        assert state(database) == (30, 0, 0)


def test_nothing_is_sent_for_a_run_that_somebody_wound_up_unnoticed(path: Path) -> None:
    with open_database(path) as database:
        BudgetBook(database).set(ALL)
        do(database, reserve(payer(), 600, 300))
        database.writer._committer._owner.release()
        database.wind_up(AT)
        with open_database(path) as other:
            assert isinstance(do(other, reserve(payer("run_2"), 1000))[0], Grant)
        assert do(database, start(bound=600)) == [None]
        do(database, Release("run_1", 1, AT, 300), Close("run_1", AT))
        assert state(database) == (0, 1000, 0)
        assert verify(database).problems == ()


def test_scopes_nest(database: Database) -> None:
    book = BudgetBook(database)
    for budget in (
        ALL,
        Budget("team", Scope.TAG, "team=x", Period.DAY, 500),
        Budget("prod", Scope.ENVIRONMENT, "prod", Period.MONTH, 300),
        Budget("ann", Scope.USER, "ann", Period.WEEK, 200),
        Budget("key", Scope.KEY, "key-1", Period.HOUR, 900),
        Budget("each", Scope.GLOBAL, "", Period.RUN, 150),
    ):
        book.set(budget)
    who = payer(environment="prod", user="ann", tags={"team": "x", "kind": "test"})
    refused = do(database, reserve(who, 151))[0]
    assert isinstance(refused, Shortage)
    assert refused.budget.name == "each"
    do(database, reserve(who, 120), Close("run_1", AT))
    do(database, reserve(payer("run_2", environment="prod", user="ann"), 130))
    refused = do(database, reserve(payer("run_3", user="ann"), 80))[0]
    assert isinstance(refused, Shortage)
    assert refused.budget.name == "ann"
    assert isinstance(do(database, reserve(payer("run_4", user="bob"), 80))[0], Grant)


def test_a_new_period_starts_anew(database: Database) -> None:
    BudgetBook(database).set(Budget("day", Scope.GLOBAL, "", Period.DAY, 100))
    do(database, reserve(payer("run_0"), 100))
    assert isinstance(do(database, reserve(payer(), 1))[0], Shortage)
    tomorrow = payer(began_at="2026-11-27T00:00:00.000Z")
    assert isinstance(do(database, reserve(tomorrow, 100))[0], Grant)


def test_a_budget_counts_what_was_spent_before_it_was_set(database: Database) -> None:
    do(database, reserve(payer(), 100, 40), start(), settle(30))
    BudgetBook(database).set(ALL)
    assert state(database) == (30, 40, 0)
    do(database, Release("run_1", 1, AT, 40), Close("run_1", AT))
    assert state(database) == (30, 0, 0)
    BudgetBook(database).set(replace(ALL, limit_nanos=20))
    assert isinstance(do(database, reserve(payer("run_2"), 1))[0], Shortage)


def test_a_charge_above_its_bound_closes_the_budget(database: Database) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 100), start(), settle(101), Close("run_1", AT))
    assert state(database) == (101, 0, 0), "the truth is recorded"
    refused = do(database, reserve(payer("run_2"), 1))[0]
    assert isinstance(refused, Shortage)
    assert refused.reason is RefusalReason.CLOSED
    BudgetBook(database).set(ALL)
    assert isinstance(do(database, reserve(payer("run_3"), 1))[0], Grant)


def test_a_budget_that_is_taken_away_holds_nobody_back(database: Database) -> None:
    book = BudgetBook(database)
    book.set(replace(ALL, limit_nanos=1))
    book.remove("all")
    assert isinstance(do(database, reserve(payer(), 100))[0], Grant)
    with pytest.raises(NotFound, match="no budget 'all'"):
        book.remove("all")


def test_the_settings_budgets_replace_each_other(database: Database) -> None:
    book = BudgetBook(database)
    book.set(ALL)
    day = Budget("day", Scope.GLOBAL, "", Period.DAY, 100)
    book.adopt([day], source="a.toml", environment=None)
    book.adopt([replace(day, name="day@dev")], source="a.toml", environment="dev")
    book.adopt([replace(day, name="hour", period=Period.HOUR)], source="a.toml", environment=None)
    assert [budget.name for budget in read_budgets(database)] == ["all", "day@dev", "hour"]
    book.adopt([], source="a.toml", environment="dev")
    assert [budget.name for budget in read_budgets(database)] == ["all", "hour"]


def test_another_projects_settings_leave_the_budgets_alone(database: Database) -> None:
    book = BudgetBook(database)
    day = Budget("day", Scope.GLOBAL, "", Period.DAY, 100)
    book.adopt([day], source="a.toml", environment=None)
    database.transact(lambda cursor: cursor.execute("UPDATE budgets SET closed = true"))
    book.adopt([], source="b.toml", environment=None)
    book.adopt([day], source="b.toml", environment=None)
    book.adopt([day], source="a.toml", environment=None)
    assert [(each.name, each.closed) for each in read_budgets(database)] == [("day", True)]
    book.adopt([], source="a.toml", environment=None)
    assert read_budgets(database) == []


def test_two_processes_that_start_at_once_adopt_the_same(path: Path) -> None:
    day = Budget("day", Scope.GLOBAL, "", Period.DAY, 100)
    for wanted in ([day], []):
        together = threading.Barrier(4)

        def start_up(wanted: list[Budget] = wanted, gate: threading.Barrier = together) -> None:
            with open_database(path) as own:
                gate.wait()
                BudgetBook(own).adopt(wanted, source="a.toml", environment=None)

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(start_up) for _ in range(4)]:
                done.result()
        with open_database(path) as database:
            assert read_budgets(database) == wanted


def test_costs_are_told_apart_by_every_dimension(database: Database) -> None:
    who = payer(environment="prod", user="ann", feature="chat", tags={"team": "x", "kind": "y"})
    do(database, reserve(who, 100), start(), settle(30, provider="Acme"), Close("run_1", AT))
    expected = {
        "model": "a/b",
        "provider": "Acme",
        "day": AT[:10],
        "run": "run_1",
        "slot": "0",
        "key": "key-1",
        "environment": "prod",
        "user": "ann",
        "feature": "chat",
        "upstream": "openrouter",
        "tag:team": "x",
    }
    for by, group in expected.items():
        (row,) = read_spending(database, by, wanted=Wanted(tag="team=x"))
        assert (row.group, row.cost_nanos, row.answers) == (group, 30, 1), by
    tags = read_spending(database, "tag", wanted=Wanted())
    assert [row.group for row in tags] == ["kind=y", "team=x"]
    assert read_spending(database, "day", wanted=Wanted(tag="team=z")) == []
    with pytest.raises(UsageError, match="not kept by 'colour'"):
        read_spending(database, "colour", wanted=Wanted())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE ledger_entries SET posted_delta = 1 WHERE seq = 3", "not what was sealed"),
        ("DELETE FROM ledger_entries WHERE seq = 2", "missing between 1 and 3"),
        ("DELETE FROM ledger_entries WHERE seq = 4", "not what was sealed"),
        ("UPDATE ledger_entries SET seq = 99 WHERE seq = 1", "missing between 0 and 2"),
        ("UPDATE ledger_seals SET head = 'x' WHERE first_seq = 1", "not what was sealed"),
        ("DELETE FROM ledger_seals", "is not sealed"),
        ("UPDATE ledger_chains SET next_seq = 2", "not where it says it ends"),
        ("UPDATE ledger_entries SET tags = '{}' WHERE seq = 1", "not what was sealed"),
    ],
)
def test_any_change_of_an_entry_is_found(database: Database, change: str, told: str) -> None:
    do(database, reserve(payer(), 100, 50), start(), settle(30))
    do(database, Close("run_1", AT))
    assert verify(database).problems == ()
    database.transact(lambda cursor: cursor.execute(change))
    assert any(told in problem for problem in verify(database).problems)


BUDGETS = (
    ALL,
    Budget("day", Scope.KEY, "key-1", Period.DAY, 1000),
    Budget("each", Scope.GLOBAL, "", Period.RUN, 1000),
)


@pytest.mark.parametrize("budget", BUDGETS, ids=lambda budget: budget.name)
@pytest.mark.parametrize("column", ["posted_nanos", "held_nanos", "unknown"])
def test_a_balance_that_was_changed_is_found(
    database: Database, budget: Budget, column: str
) -> None:
    for each in BUDGETS:
        BudgetBook(database).set(each)
    do(database, reserve(payer(), 100, 50), start(), settle(30))
    assert verify(database).problems == ()
    change = f"UPDATE balances SET {column} = {column} - 7 WHERE budget = '{budget.name}'"
    database.transact(lambda cursor: cursor.execute(change))
    (problem,) = verify(database).problems
    assert problem.startswith(f"budget {budget.name}")
    assert "the entries say 30 and " in problem


def test_what_is_written_meanwhile_is_no_finding(path: Path, database: Database) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 100))
    with open_database(path) as other:
        held: list[object] = []

        @sqlalchemy_event.listens_for(other.engine, "after_cursor_execute")
        def write_between(*_: object) -> None:
            name = f"run_{len(held) + 2}"
            held.append(name)
            do(database, reserve(payer(name), 1), Close(name, AT))

        assert verify(other).problems == ()
    assert len(held) > 4
    assert verify(database).problems == ()


def test_a_head_that_was_kept_finds_a_shortened_chain(database: Database) -> None:
    do(database, reserve(payer(), 100), start(), settle(30), Close("run_1", AT))
    kept = verify(database).heads
    database.transact(lambda cursor: cursor.execute("DELETE FROM ledger_entries"))
    database.transact(lambda cursor: cursor.execute("DELETE FROM ledger_seals"))
    database.transact(lambda cursor: cursor.execute("DELETE FROM ledger_chains"))
    assert verify(database).problems == ()
    assert "nothing is left" in verify(database, kept).problems[0]


def test_a_failed_commit_refuses_and_forgets(database: Database) -> None:
    committer = database.writer._committer
    do(database, reserve(payer(), 100))

    class Broken:
        def carry_out(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

        def forget(self) -> None:
            """Nothing is known."""

    teller, committer._teller = committer._teller, Broken()
    with pytest.raises(StoreError):
        do(database, start())
    committer._teller = teller
    do(database, start(), settle(30), Close("run_1", AT))
    assert verify(database).problems == ()


RUNS = st.integers(0, 3).map(lambda n: f"run_{n}")
AMOUNTS = st.integers(0, 400)
STEPS = st.one_of(
    st.builds(lambda run, a, b: ("reserve", run, a, b), RUNS, AMOUNTS, AMOUNTS),
    st.builds(lambda run, slot, top: ("start", run, slot, top), RUNS, st.integers(0, 1), AMOUNTS),
    st.builds(lambda run, slot, c: ("settle", run, slot, c), RUNS, st.integers(0, 1), AMOUNTS),
    st.builds(lambda run, slot: ("release", run, slot), RUNS, st.integers(0, 1)),
    st.builds(lambda run: ("close", run), RUNS),
    st.builds(lambda run, slot, c: ("correct", run, slot, c), RUNS, st.integers(0, 1), AMOUNTS),
    st.just(("die",)),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(story=st.lists(STEPS, max_size=30))
def test_whatever_happens_nothing_exceeds_the_budget(
    tmp_path_factory: pytest.TempPathFactory, fresh_file: Path, story: list[tuple[object, ...]]
) -> None:
    """An engine that keeps its own books obeys the ledger; both end with the same sums."""
    from tests.unit.store.model import Model

    path = tmp_path_factory.mktemp("story") / "ultrai.db"
    path.write_bytes(fresh_file.read_bytes())
    with open_database(path, inline=True) as database:
        BudgetBook(database).set(ALL)
        model = Model(database)
        for action in story:
            model.act(*action)
            posted, held, unknown = state(database)
            assert (posted, held, unknown) == model.sums()
            assert posted + held <= ALL.limit_nanos
        assert verify(database).problems == ()
