from __future__ import annotations

from tests.unit.store.stories import Teller, whole_run

from ultrai.domain.event import EventType
from ultrai.domain.outcome import Cost, CostState, Failure, FailureKind
from ultrai.store.backlog import DELTA_CAP, Backlog
from ultrai.store.encoding import decode_events

T = EventType


def rows_of(backlog: Backlog, *, everything: bool = False):
    rows = backlog.collect(everything=everything).events
    backlog.written()
    return [
        (row["first_seq"], row["last_seq"], list(decode_events(row["payload"]))) for row in rows
    ]


def begun(teller: Teller) -> Backlog:
    backlog = Backlog()
    teller.begin(2)
    teller.attempt(0)
    teller.attempt(1)
    for event in teller.events:
        backlog.take_event(event)
    rows_of(backlog)
    return backlog


def tell(backlog: Backlog, teller: Teller, *texts: tuple[str, int]) -> None:
    for text, slot in texts:
        teller.text(text, slot)
        backlog.take_event(teller.events[-1])


def test_deltas_of_each_attempt_merge_into_one_event_that_says_how_many_it_was():
    teller = Teller()
    backlog = begun(teller)
    tell(backlog, teller, ("a", 0), ("x", 1), ("b", 0), ("c", 0))

    [(first, last, events)] = rows_of(backlog, everything=True)

    assert (first, last) == (7 - 1, 9)
    assert [(e.seq, e.slot, e.text, dict(e.facts)) for e in events] == [
        (6, 0, "abc", {"merged": 3, "last_seq": 9}),
        (7, 1, "x", {}),
    ]


def test_deltas_wait_until_everything_is_asked_for():
    teller = Teller()
    backlog = begun(teller)
    tell(backlog, teller, ("a", 0))

    assert rows_of(backlog) == []
    assert backlog.is_waiting
    assert len(rows_of(backlog, everything=True)) == 1
    assert not backlog.is_waiting


def test_four_kilobytes_of_text_do_not_wait():
    teller = Teller()
    backlog = begun(teller)
    tell(backlog, teller, ("a" * (DELTA_CAP - 1), 0))
    assert rows_of(backlog) == []
    tell(backlog, teller, ("b", 0))

    [(_, _, [event])] = rows_of(backlog)

    assert len(event.text) == DELTA_CAP


def test_any_other_event_takes_the_waiting_deltas_of_its_run_with_it_in_order():
    teller = Teller()
    backlog = begun(teller)
    tell(backlog, teller, ("a", 0))
    backlog.take_event(teller.tell(T.ATTEMPT_WITHDRAWN, slot=0, attempt=1))
    tell(backlog, teller, ("b", 0))

    [(_, _, events)] = rows_of(backlog)

    assert [(e.type, e.text) for e in events] == [
        (T.TEXT_DELTA, "a"),
        (T.ATTEMPT_WITHDRAWN, None),
        (T.TEXT_DELTA, "b"),
    ]


def test_an_event_of_one_run_leaves_the_deltas_of_another_waiting():
    teller, other = Teller(), Teller("run_2")
    backlog = begun(teller)
    tell(backlog, teller, ("a", 0))
    other.begin()
    for event in other.events:
        backlog.take_event(event)

    assert [events[0].run_id for _, _, events in rows_of(backlog)] == ["run_2"]
    assert backlog.is_waiting


def test_an_answer_drops_the_waiting_text_of_its_own_attempt_only():
    teller = Teller()
    backlog = begun(teller)
    tell(backlog, teller, ("a", 0), ("x", 1))
    backlog.take_event(teller.tell(T.FIRST_TOKEN, slot=1, attempt=1))
    tell(backlog, teller, ("b", 0))
    teller.answer("ab", slot=0)
    backlog.take_event(teller.events[-1])

    [(first, last, events)] = rows_of(backlog)

    assert [e.type for e in events] == [T.TEXT_DELTA, T.FIRST_TOKEN, T.SLOT_ANSWERED]
    assert events[0].slot == 1
    assert (first, last) == (6, 10)


def test_a_run_that_begins_and_ends_in_one_batch_is_one_row_already_finished():
    backlog = Backlog()
    for event in whole_run("run_1"):
        backlog.take_event(event)

    batch = backlog.collect(everything=True)

    assert batch.endings == []
    row = batch.runs["run_1"]
    assert (row["status"], row["cost_nanos"], row["cost_known"]) == ("complete", 1200, True)


def test_the_cost_of_an_attempt_without_an_end_is_unknown_and_never_nothing():
    teller = Teller()
    backlog = Backlog()
    teller.begin()
    teller.attempt()
    teller.end("failed")
    for event in teller.events:
        backlog.take_event(event)

    row = backlog.collect(everything=True).runs["run_1"]

    assert (row["cost_nanos"], row["cost_known"]) == (None, False)


def test_an_estimate_beside_a_reported_cost_makes_the_sum_a_lower_bound():
    teller = Teller()
    backlog = Backlog()
    teller.begin()
    teller.attempt(0, 1)
    failure = Failure(FailureKind.CUT_STREAM, "cut")
    cost = Cost(None, CostState.UNKNOWN_BILLED)
    teller.tell(T.ATTEMPT_FAILED, slot=0, attempt=1, failure=failure, cost=cost, facts={})
    teller.attempt(0, 2)
    teller.answer("yes", 0, 2)
    teller.end()
    for event in teller.events:
        backlog.take_event(event)

    row = backlog.collect(everything=True).runs["run_1"]

    assert (row["cost_nanos"], row["cost_known"]) == (1200, False)


def test_once_events_were_given_up_later_ones_of_the_run_are_refused():
    teller = Teller()
    backlog = begun(teller)
    backlog.abandon()
    assert backlog.take_lost()
    tell(backlog, teller, ("a", 0))

    assert rows_of(backlog, everything=True) == []
    assert backlog.take_lost()
    assert not backlog.take_lost()


def test_runs_that_never_end_do_not_pile_up(monkeypatch):
    monkeypatch.setattr("ultrai.store.backlog.RUN_CAP", 3)
    backlog = Backlog()
    for number in range(10):
        teller = Teller(f"run_{number}")
        teller.begin()
        for event in teller.events:
            backlog.take_event(event)

    assert len(backlog._runs) == 3
    assert len(backlog.collect(everything=True).events) == 10


def test_a_batch_that_grows_while_the_database_fails_is_given_up_at_its_cap(monkeypatch):
    backlog = Backlog()
    for event in whole_run("run_1"):
        backlog.take_event(event)
    backlog.collect(everything=True)
    backlog.keep()
    assert backlog.batch

    monkeypatch.setattr("ultrai.store.backlog.KEPT_CAP", 10)
    backlog.keep()

    assert not backlog.batch
    assert backlog.take_lost()
