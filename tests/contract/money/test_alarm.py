"""Of all processes one tells, once per crossing; what did not arrive is kept. On both databases."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import ultrai
from ultrai.domain.alert import Alert, AlertKind, Standing
from ultrai.domain.attempt import Account
from ultrai.domain.budget import Budget, Payer, Period, Scope
from ultrai.domain.errors import StoreError, UpstreamUnavailable
from ultrai.domain.ledger import Place, Reserve, Settle, SlotHold, Start
from ultrai.domain.outcome import Cost, CostState
from ultrai.domain.stamp import stamp
from ultrai.engine import alerting
from ultrai.engine.alerting import Alarm, Lookout
from ultrai.policy.alerting import MOST_TRIES, AlertRules
from ultrai.settings.alert_sinks import AlertSettings
from ultrai.store import alert_book
from ultrai.store.alert_book import SqlAlertBook
from ultrai.store.budget_book import BudgetBook
from ultrai.store.database import Database, open_database

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
USD = 1_000_000_000
DAY = Budget("day", Scope.GLOBAL, "", Period.DAY, 10 * USD)
PASSED = Standing("budget/day", AlertKind.BUDGET, "day", 80, "80 %", epoch="today")


@dataclass
class Hands:
    """A clock that is set by hand."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class Post:
    """Fits `AlertSink`: answers these, the last for ever; `None` is an arrival."""

    answers: list[str | None] = field(default_factory=lambda: [None])
    got: list[Alert] = field(default_factory=list)
    hangs: bool = False
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, alert: Alert) -> str | None:
        self.got.append(alert)
        self.called.set()
        if self.hangs:
            await asyncio.Event().wait()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        yield request.getfixturevalue("database")
        return
    with open_database(tmp_path / "ultrai.db") as database:
        yield database


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerting, "WAITS_S", (0, 0))


def alarm(database: Database, *, clock: Hands | None = None, **sinks: Post) -> Alarm:
    book = SqlAlertBook(database, scope="", key="key-1")
    return Alarm(book, sinks, rules=AlertRules(), lookout=Lookout(clock or Hands()))


def spend(
    database: Database,
    usd: float,
    *,
    run: str = "run_1",
    at: datetime = NOW,
    charged: float | None = None,
) -> None:
    """One settled Attempt; `charged` is what it cost, if not what was held for it."""
    nanos, began = int(usd * USD), stamp(at)
    posted = nanos if charged is None else int(charged * USD)
    place = Place(run, 0, 1)
    steps = (
        Reserve(Payer(run, began, key="key-1"), (SlotHold(0, nanos, nanos),)),
        Start(place, began, "a/b", "openrouter", nanos, 0),
        Settle(place, began, "answer", Cost(posted, CostState.REPORTED), posted, nanos),
    )
    asyncio.run(database.writer.carry_out(steps))


def test_a_budget_is_told_once_to_every_sink_whoever_looks(shared: Database) -> None:
    BudgetBook(shared).set(DAY)
    spend(shared, 8.5)
    first, second = Post(), Post()

    async def story() -> list[int]:
        here, there = (alarm(shared, first=first, second=second) for _ in range(2))
        rounds = await asyncio.gather(*(each.evaluate() for each in (here, there, here, there)))
        return sorted(len(alerts) for alerts in rounds)

    assert asyncio.run(story()) == [0, 0, 0, 1]
    assert [alert.message for alert in first.got] == ["budget day has spent 85 % of $10 per day"]
    assert [alert.id for alert in second.got] == [first.got[0].id]


def test_it_is_told_again_after_it_had_fallen_and_a_new_budget_is_another(shared: Database) -> None:
    BudgetBook(shared).set(DAY)
    spend(shared, 8.5)
    told = Post()

    def look() -> int:
        asyncio.run(alarm(shared, told=told).evaluate())
        return len(told.got)

    assert look() == 1
    BudgetBook(shared).set(replace(DAY, limit_nanos=100 * USD))
    assert look() == 1
    BudgetBook(shared).set(DAY)
    assert look() == 2
    BudgetBook(shared).remove("day")
    assert look() == 2
    BudgetBook(shared).set(DAY)
    assert look() == 3


def test_a_budget_under_which_the_upstream_charged_too_much_is_told(shared: Database) -> None:
    BudgetBook(shared).set(DAY)
    spend(shared, 1, charged=20)
    told = [alert.kind for alert in asyncio.run(alarm(shared).evaluate())]
    assert told == [AlertKind.BUDGET, AlertKind.BUDGET_CLOSED]


def test_what_is_usual_is_read_once_an_hour(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[datetime] = []
    whole = alert_book.usual_hour

    def counted(connection: object, now: datetime) -> tuple[int, int]:
        read.append(now)
        return whole(connection, now)

    monkeypatch.setattr(alert_book, "usual_hour", counted)
    clock = Hands()
    for minutes in (0, 30, 31, 61):
        clock.at = NOW + timedelta(minutes=minutes)
        asyncio.run(alarm(shared, clock=clock).look())
    assert [at.hour for at in read] == [12, 13]


def test_a_delivery_that_fails_twice_arrives_in_the_same_round(shared: Database) -> None:
    post = Post(["busy", "busy", None])
    asyncio.run(_queue(shared, post))
    assert len(post.got) == 3
    assert len({alert.id for alert in post.got}) == 1
    assert asyncio.run(alarm(shared, post=post).waiting()) == []


async def _queue(database: Database, post: Post, clock: Hands | None = None) -> None:
    hands = clock or Hands()
    book = SqlAlertBook(database, scope="", key="key-1")
    await book.raise_alerts([PASSED], hands.at, sinks=("post",))
    await alarm(database, clock=hands, post=post).deliver()


def test_what_did_not_arrive_is_kept_for_later_and_another_process(
    shared: Database, caplog: pytest.LogCaptureFixture
) -> None:
    clock, dead, well = Hands(), Post(["no route"]), Post()
    asyncio.run(_queue(shared, dead, clock))
    assert len(dead.got) == 3
    assert "did not reach post: no route; it is tried again later" in caplog.text
    ((parcel, problem),) = asyncio.run(alarm(shared, post=dead).waiting())
    assert (parcel.tries, problem) == (1, "no route")
    other = alarm(shared, clock=clock, post=well)
    asyncio.run(other.deliver())
    assert well.got == []
    clock.at += timedelta(seconds=30)
    asyncio.run(other.deliver())
    assert [alert.id for alert in well.got] == [dead.got[0].id]
    assert asyncio.run(other.waiting()) == []


def test_one_that_never_arrives_is_given_up_at_last(
    shared: Database, caplog: pytest.LogCaptureFixture
) -> None:
    clock, dead = Hands(), Post(["no route"])
    asyncio.run(_queue(shared, dead, clock))
    for _ in range(MOST_TRIES):
        clock.at += timedelta(hours=1)
        asyncio.run(alarm(shared, clock=clock, post=dead).deliver())
    assert len(dead.got) == 3 * MOST_TRIES
    assert caplog.text.count("given up") == 1


def test_profiles_tell_their_own_people(shared: Database) -> None:
    async def story() -> list[int]:
        books = [SqlAlertBook(shared, scope) for scope in ("", "prod")]
        raised = [await each.raise_alerts([PASSED], NOW, sinks=("post",)) for each in books]
        return [len(alerts) for alerts in raised]

    assert asyncio.run(story()) == [1, 1]


def test_spending_of_a_week_shows_an_unusual_hour(shared: Database) -> None:
    for hour in range(2, 8):
        spend(shared, 0.2, run=f"run_{hour}", at=NOW - timedelta(hours=hour))
    spend(shared, 3.0, run="run_now", at=NOW - timedelta(minutes=5))
    found = {each.kind: each for each in asyncio.run(alarm(shared).look())}
    assert found[AlertKind.SPEND_RATE].level == 1
    assert found[AlertKind.SPEND_RATE].facts == {"hour_usd": "3", "usual_hour_usd": "0.2"}


def test_the_ledger_is_compared_with_the_upstream_and_asked_now_and_then(shared: Database) -> None:
    spend(shared, 2.0, at=NOW - timedelta(hours=1))
    clock, asked = Hands(), []

    async def account() -> Account:
        asked.append(clock.at)
        return Account(label="k", usage_day_nanos=3 * USD)

    def looking() -> Alarm:
        book = SqlAlertBook(shared, scope="", key="key-1")
        return Alarm(book, {}, rules=AlertRules(), lookout=Lookout(clock, account))

    alerts = asyncio.run(looking().evaluate())
    assert [alert.facts["drift_usd"] for alert in alerts] == ["1"]
    clock.at += timedelta(minutes=9)
    assert asyncio.run(looking().evaluate()) == []
    clock.at += timedelta(minutes=2)
    assert asyncio.run(looking().evaluate()) == []
    assert len(asked) == 2


def test_the_age_of_a_key_counts_from_its_first_use(shared: Database) -> None:
    spend(shared, 0.1, at=NOW - timedelta(days=100))

    async def account() -> Account:
        return Account(label="k")

    book = SqlAlertBook(shared, scope="", key="key-1")
    watch = Alarm(book, {}, rules=AlertRules(), lookout=Lookout(Hands(), account))
    for _ in range(2):  # the second time it is remembered
        found = {each.kind: each for each in asyncio.run(watch.look(now_everything=True))}
        assert found[AlertKind.KEY_AGE].facts["days"] == 100


def test_an_upstream_that_says_nothing_is_no_alert(shared: Database) -> None:
    async def account() -> Account:
        raise UpstreamUnavailable("down")

    book = SqlAlertBook(shared, scope="", key="key-1")
    watch = Alarm(book, {}, rules=AlertRules(), lookout=Lookout(Hands(), account))
    assert asyncio.run(watch.evaluate()) == []


class Broken:
    """Fits `AlertSink`, and has a bug."""

    async def deliver(self, alert: Alert) -> str | None:
        raise ValueError(alert.id)


def test_a_bug_in_one_round_or_one_sink_does_not_end_the_watch(
    shared: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alerting, "WAITS_S", ())
    BudgetBook(shared).set(DAY)
    spend(shared, 8.5)
    fine, rounds = Post(), []
    book = SqlAlertBook(shared, scope="", key=None)
    read = book.read

    class Stumbling(SqlAlertBook):
        async def read(self, now: datetime, *, spending: bool) -> object:
            rounds.append(now)
            if len(rounds) == 1:
                raise ValueError("a bug")
            return await read(now, spending=spending)

    async def story() -> None:
        sinks = {"broken": Broken(), "fine": fine}
        monkeypatch.setattr(alerting, "LEAST_PAUSE_S", 0.01)
        watch = Alarm(
            Stumbling(shared, scope="", key=None),
            sinks,
            rules=AlertRules(),
            lookout=Lookout(Hands()),
        )
        watch.wake()
        while not rounds:  # noqa: ASYNC110 - the watch itself says nothing of its rounds
            await asyncio.sleep(0.01)
        watch.wake()
        async with asyncio.timeout(20):
            await fine.called.wait()
        await watch.aclose()

    asyncio.run(story())
    assert any("which is a bug: ValueError('a bug')" in each for each in caplog.messages)
    assert any("broken: it broke: ValueError" in each for each in caplog.messages)


def test_waking_never_waits_and_closing_waits_only_a_moment(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting, "DRAIN_S", 0.05)
    BudgetBook(shared).set(DAY)
    spend(shared, 8.5)
    dead = Post(hangs=True)

    async def story() -> int:
        watch = alarm(shared, post=dead)
        watch.wake()
        await dead.called.wait()
        await watch.aclose()
        return len(await watch.waiting())

    assert asyncio.run(story()) == 1


def test_closing_finishes_the_last_round(shared: Database) -> None:
    BudgetBook(shared).set(DAY)
    spend(shared, 8.5)
    post = Post()

    async def story() -> None:
        watch = alarm(shared, post=post)
        watch.wake()
        await watch.aclose()
        await watch.aclose()

    asyncio.run(story())
    assert len(post.got) == 1


def test_a_test_reaches_everybody_and_is_not_queued(
    shared: Database, caplog: pytest.LogCaptureFixture
) -> None:
    well, ill = Post(), Post(["no route"])

    async def story() -> list[tuple[str, str | None]]:
        watch = alarm(shared, well=well, ill=ill)
        told = [(each.sink, each.problem) for each in await watch.test()]
        assert await watch.waiting() == []
        return told

    with caplog.at_level(logging.WARNING, logger=alerting.LOGGER):
        told = asyncio.run(story())
    assert told == [("log", None), ("well", None), ("ill", "no route")]
    assert "alert: this is a test" in caplog.text


def test_a_store_that_can_only_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "is_writable", property(lambda _: False))

    async def story() -> None:
        settings = ultrai.Settings(home=tmp_path, alerts=AlertSettings())
        async with ultrai.open(settings) as u:
            await u.alarm()

    with pytest.raises(StoreError, match="can be written"):
        asyncio.run(story())
