"""Resuming a Run: which Slots are asked again, with which backups, and for which Quorum."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.engine.bar import PROMPT, Bar, broken, cocktail

from ultrai.domain.ask import Ask
from ultrai.domain.cocktail import Slot
from ultrai.domain.errors import UsageError
from ultrai.domain.outcome import FailureKind
from ultrai.domain.report import Report, RunStatus, SlotReport, SlotState
from ultrai.engine.resolving import Recipe, recipe_of_rest
from ultrai.testing import run_in_virtual_time

A, B, C = "a/one", "b/two", "c/three"


def ran(slots: str, primaries: Sequence[str], *, resumed_from: str | None = None) -> Report:
    """A Report of Slots that were answered (`+`) or not (`-`)."""
    states = {"+": SlotState.ANSWERED, "-": SlotState.FAILED}
    return Report(
        id="run_1",
        status=RunStatus.DEGRADED,
        cocktail="TRIO",
        created_at="2026-11-23T12:00:00Z",
        query={},
        slots=tuple(
            SlotReport(index=index, primary=primary, state=states[mark])
            for index, (mark, primary) in enumerate(zip(slots, primaries, strict=True))
        ),
        resumed_from=resumed_from,
    )


def recipe(*slots: Sequence[str], quorum: int | None = None) -> Recipe:
    seats = tuple(Slot(first, tuple(backups)) for first, *backups in slots)
    return Recipe("TRIO", seats, quorum)


def rest(recipe_: Recipe, earlier: Report) -> list[tuple[str, ...]]:
    return [slot.candidates for slot in recipe_of_rest(recipe_, earlier).slots]


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        ("--", [(A, B), (A, C)]),
        ("+-", [(A, C)]),
        ("-+", [(A, B)]),
    ],
)
def test_slots_with_the_same_primary_are_told_apart_by_their_places(
    slots: str, expected: list[tuple[str, ...]]
) -> None:
    assert rest(recipe((A, B), (A, C)), ran(slots, (A, A))) == expected


def test_a_recipe_that_has_changed_gives_each_primary_its_slots_in_order() -> None:
    changed = recipe((B,), (A, "x/1"), (A, "x/2"), (C,))
    assert rest(changed, ran("-+-", (A, B, A))) == [(A, "x/1"), (A, "x/2")]
    assert rest(changed, ran("+--", (A, B, A))) == [(B,), (A, "x/2")]


def test_a_primary_that_was_seated_more_often_keeps_its_backups() -> None:
    assert rest(recipe((A, B)), ran("---", (A, A, A))) == [(A, B)] * 3


def test_a_primary_that_the_recipe_lacks_is_asked_alone() -> None:
    assert rest(recipe((A, B)), ran("-", ("gone/model",))) == [("gone/model",)]


@pytest.mark.parametrize(
    ("slots", "quorum", "expected"),
    [
        ("+--", 2, 1),
        ("---", 2, 2),
        ("++-", 2, None),
        ("++-", 3, 1),
        ("+--", None, None),
        ("---", 5, None),
    ],
)
def test_a_quorum_counts_the_answers_that_are_there(
    slots: str, quorum: int | None, expected: int | None
) -> None:
    rested = recipe_of_rest(recipe((A,), (B,), (C,), quorum=quorum), ran(slots, (A, B, C)))
    assert rested.quorum == expected


def test_a_quorum_counts_answers_of_the_runs_before_a_resumed_one() -> None:
    """The first run answered A; the second asked B and C, in vain."""
    earlier = ran("--", (B, C), resumed_from="run_0")
    assert recipe_of_rest(recipe((A,), (B,), (C,), quorum=2), earlier).quorum == 1


def test_a_run_that_was_answered_throughout_is_not_resumed() -> None:
    with pytest.raises(UsageError, match="every slot of run_1 was answered"):
        recipe_of_rest(recipe((A,)), ran("+", (A,)))


def test_a_resumed_cocktail_waits_for_the_answers_that_its_quorum_lacks() -> None:
    trio = cocktail("TRIO", [A], [B], [C], quorum=2)
    bad = broken(FailureKind.FORBIDDEN, 403)
    bar = Bar(scripts={A: [bad], B: [bad]}, cocktails=(trio,))

    async def run() -> tuple[Report, Report]:
        desk = bar.desk()
        ask = Ask(messages=PROMPT, cocktail="TRIO")
        first = await desk.ask(ask)
        return first, await desk.ask(ask, earlier=first)

    first, second = run_in_virtual_time(run())
    assert [slot.state.value for slot in first.slots] == ["failed", "failed", "answered"]
    assert [slot.primary for slot in second.slots] == [A, B]
    missed = [n.message for n in second.notices if n.code.value == "quorum_missed"]
    assert missed == ["0 of the 1 answers asked for arrived"]
