"""The key of a request, what may be kept, and what a Plan makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.kept import KeptAnswer
from ultrai.domain.outcome import NO_USAGE, NOT_BILLED, Answer, ToolCall
from ultrai.domain.plan import (
    Bracket,
    NotReady,
    NotReadyReason,
    Plan,
    PlannedCandidate,
    PlannedSlot,
)
from ultrai.domain.query import Message, Sampling
from ultrai.policy.recalling import (
    is_fresh,
    is_keepable,
    recallable,
    request_key,
)

ASKED = {
    "model": "acme/a",
    "messages": (Message("user", "ping"),),
    "sampling": Sampling(),
    "upstream": "openrouter https://one.example",
    "tenant": "key-1",
}
WHOLE = Answer("pong", finish_reason="stop")


def key(**changed: object) -> str:
    return request_key(**{**ASKED, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "acme/b"},
        {"messages": (Message("user", "ping "),)},
        {"messages": (Message("system", "ping"),)},
        {"messages": (Message("user", "pi"), Message("user", "ng"))},
        {"sampling": Sampling(max_tokens=999)},
        {"sampling": Sampling(temperature=0.0)},
        {"sampling": Sampling(seed=0)},
        {"sampling": Sampling(extra={"top_p": 0.5})},
        {"upstream": "openrouter https://two.example"},
        {"tenant": "key-2"},
    ],
    ids=str,
)
def test_whatever_changes_the_answer_changes_the_key(changed: dict[str, object]):
    assert key(**changed) != key()


def test_how_a_number_and_a_table_are_written_changes_nothing():
    assert key(sampling=Sampling(temperature=1)) == key(sampling=Sampling(temperature=1.0))
    one, other = {"a": 1, "b": [{"c": 2.0, "d": 3}]}, {"b": [{"d": 3.0, "c": 2}], "a": 1.0}
    assert key(sampling=Sampling(extra=one)) == key(sampling=Sampling(extra=other))


def test_the_key_tells_nothing():
    assert len(key()) == 64
    assert key() == key()


@given(st.text(), st.text())
def test_texts_that_differ_have_keys_that_differ(one: str, other: str):
    keys = {key(messages=(Message("user", text),)) for text in (one, other)}
    assert len(keys) == len({json.dumps(one), json.dumps(other)})


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (WHOLE, True),
        (Answer("", finish_reason="tool_calls", tool_calls=(ToolCall("1", "f", "{}"),)), True),
        (replace(WHOLE, finish_reason="length", truncated=True), False),
        (replace(WHOLE, truncated=True), False),
        (replace(WHOLE, finish_reason="content_filter"), False),
        (replace(WHOLE, finish_reason=None), False),
        (replace(WHOLE, cached=True), False),
        (replace(WHOLE, text=" \n"), False),
    ],
    ids=str,
)
def test_only_whole_answers_are_kept(answer: Answer, kept: bool):
    assert is_keepable(answer) is kept


@pytest.mark.parametrize(("age_s", "fresh"), [(0, True), (60, True), (61, False), (-61, False)])
def test_an_answer_is_fresh_for_its_time(age_s: float, fresh: bool):
    now = datetime(2026, 11, 27, tzinfo=UTC)
    kept = KeptAnswer(WHOLE, NO_USAGE, NOT_BILLED, now - timedelta(seconds=age_s))
    assert is_fresh(kept, now, ttl_s=60) is fresh


def candidate(model: str, reason: NotReadyReason | None = None, role: str = "primary"):
    verdict = None if reason is None else NotReady(reason, f"{model} is not ready")
    return PlannedCandidate(
        model,
        "openrouter",
        role,
        1000,
        verdict,
        low_nanos=1,
        expected_nanos=2,
        bound_nanos=3,
    )


def plan(*slots: tuple[PlannedCandidate, ...]) -> Plan:
    planned = tuple(PlannedSlot(i, each[0].model, each) for i, each in enumerate(slots))
    return Plan("X", planned, Bracket(None, None, None), None)


@pytest.mark.parametrize("reason", [None, *NotReadyReason])
def test_what_holds_a_model_back_for_a_while_does_not_hold_back_what_it_said(
    reason: NotReadyReason | None,
):
    found = recallable(plan((candidate("a", reason), candidate("b", role="backup"))))
    passing = {None, *map(NotReadyReason, ("cooling_down", "quota_exhausted", "no_key"))}
    assert bool(found) is (reason in passing)


def test_a_model_that_sits_twice_is_not_recalled():
    found = recallable(plan((candidate("a"),), (candidate("a"),), (candidate("b"),)))
    assert list(found) == [2]
