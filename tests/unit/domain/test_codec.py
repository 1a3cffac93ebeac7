"""Every Event that a Run makes reads back as it was written, through JSON."""

from __future__ import annotations

import json

import pytest
from tests.engine.bar import Bar, broken, cocktail, cut

from ultrai.domain.ask import Ask
from ultrai.domain.codec import event_from_dict
from ultrai.domain.event import Event, EventType
from ultrai.domain.fold import ReportFold
from ultrai.domain.outcome import FailureKind
from ultrai.domain.report import Report
from ultrai.testing import Script

TRIO = (cocktail("TRIO", ["a/one", "b/two"], ["c/three"], ["d/four"], quorum=2),)
RUNS = {
    "answered": ({}, Ask(cocktail="TRIO")),
    "free": ({"a/one": [Script(cost_raw=None)]}, Ask(cocktail="TRIO")),
    "refused": ({"a/one": [broken(FailureKind.AUTH, 401)]}, Ask(cocktail="TRIO")),
    "cut": ({"a/one": [cut()], "c/three": [Script(finish_reason="length")]}, Ask(cocktail="TRIO")),
    "retried": ({"a/one": [broken(FailureKind.OVERLOADED, 529), Script()]}, Ask(cocktail="TRIO")),
    "late": ({"a/one": [Script(head_s=90)]}, Ask(models=("a/one",), deadline_s=5)),
    "capped": ({}, Ask(cocktail="TRIO", max_cost_nanos=10**9)),
}


def told(name: str) -> tuple[Report, list[Event]]:
    scripts, ask = RUNS[name]
    bar = Bar(scripts=scripts, cocktails=TRIO)
    report = bar.ask(ask)
    return report, bar.history.events


def written(event: Event) -> dict[str, object]:
    return json.loads(json.dumps(event.to_dict()))


@pytest.mark.parametrize("name", RUNS)
def test_every_event_of_a_run_reads_back_as_it_was_written(name: str) -> None:
    _, events = told(name)
    assert events
    for event in events:
        back = event_from_dict(written(event))
        assert back.to_dict() == event.to_dict()
        assert back.facts == json.loads(json.dumps(dict(event.facts)))
        assert (back.cost, back.answer, back.usage) == (event.cost, event.answer, event.usage)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_read_back_amounts_to_the_same_report(name: str) -> None:
    report, events = told(name)
    fold = ReportFold()
    for event in events:
        fold.apply(event_from_dict(written(event)))
    assert fold.report().to_dict() == report.to_dict()


def test_a_plan_keeps_what_it_said_a_run_would_cost() -> None:
    _, events = told("answered")
    planned = next(event for event in events if event.type is EventType.PLANNED)
    back = event_from_dict(written(planned))
    assert set(back.facts["cost_usd"]) == {"low", "expected", "high"}  # type: ignore[call-overload]
    assert back.cost is None
