"""The nouns keep their promises: secrets stay secret, Events read back, Reports add up."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace

import pytest

from ultrai.domain.codec import event_from_dict
from ultrai.domain.event import Event, EventType
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.outcome import (
    Answer,
    Cost,
    CostState,
    Failure,
    FailureKind,
    Phase,
    Remedy,
    ToolCall,
    Usage,
)
from ultrai.domain.query import Message, Query, Sampling
from ultrai.domain.report import AttemptReport, Report, RunStatus, SlotReport, SlotState
from ultrai.domain.secret import Secret

KEY = "sk-or-v1-canary-0123456789abcdef"


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(KEY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        repr([secret]),
        repr({"k": secret}),
    ]
    assert not any(KEY in text for text in shown)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_a_secret_masks_every_occurrence_of_itself() -> None:
    masked = Secret(KEY).mask(f"{KEY} and again {KEY}.")
    assert KEY not in masked
    assert masked.count("[secret]") == 2


def test_an_event_reads_back_as_it_was_written() -> None:
    event = Event(
        seq=3,
        run_id="run_1",
        t_ms=12,
        type=EventType.SLOT_ANSWERED,
        slot=1,
        attempt=2,
        answer=Answer("hi", tool_calls=(ToolCall("1", "f", "{"),), finish_reason="stop"),
        failure=Failure(
            FailureKind.TIMEOUT, "slow", Phase.MID_STREAM, 504, 1.5, "wait", Remedy.RETRY
        ),
        usage=Usage(1, 2, None, 0),
        cost=Cost(4_800, CostState.REPORTED, "4.8e-06"),
        notice=Notice(NoticeCode.PRICE_UNKNOWN, "none", 1),
        facts={"answered_by": "a/b", "fallback": True},
    )
    assert event_from_dict(json.loads(json.dumps(event.to_dict()))) == event


def test_fingerprints_differ_exactly_when_the_question_does() -> None:
    query = Query((Message("user", "hi"),), Sampling(10))
    assert query.fingerprint == Query((Message("user", "hi"),), Sampling(10)).fingerprint
    assert query.fingerprint != replace(query, sampling=Sampling(11)).fingerprint
    assert query.fingerprint != Query((Message("user", "hi "),), Sampling(10)).fingerprint


def attempt(nanos: int | None, state: CostState) -> AttemptReport:
    return AttemptReport(1, "a/b", "2026-11-23T12:00:00.000Z", cost=Cost(nanos, state))


def test_a_slot_costs_the_sum_of_its_attempts_and_is_known_as_well_as_the_worst() -> None:
    slot = SlotReport(
        0,
        "a/b",
        attempts=(attempt(5, CostState.REPORTED), attempt(7, CostState.ESTIMATED)),
    )
    assert slot.cost == Cost(12, CostState.ESTIMATED)


def test_an_unknown_cost_is_null_and_never_zero() -> None:
    slot = SlotReport(0, "a/b", attempts=(attempt(None, CostState.UNKNOWN_BILLED),))
    assert slot.cost == Cost(None, CostState.UNKNOWN_BILLED)
    report = Report("run_1", RunStatus.COMPLETE, None, "", {}, slots=(slot,))
    assert report.cost_nanos is None
    assert report.to_dict()["cost_usd"] is None
    assert report.cost_known is False


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (RunStatus.COMPLETE, 0),
        (RunStatus.DEGRADED, 3),
        (RunStatus.FAILED, 4),
        (RunStatus.REFUSED, 5),
        (RunStatus.INTERRUPTED, 130),
    ],
)
def test_exit_codes_follow_the_status(status: RunStatus, code: int) -> None:
    assert Report("run_1", status, None, "", {}).exit_code == code


def test_a_stopped_upstream_exits_6_even_when_something_arrived() -> None:
    failed = replace(
        attempt(0, CostState.NOT_BILLED),
        failure=Failure(FailureKind.AUTH, "no", remedy=Remedy.STOP_UPSTREAM),
    )
    slot = SlotReport(0, "a/b", state=SlotState.FAILED, attempts=(failed,))
    assert Report("run_1", RunStatus.DEGRADED, None, "", {}, slots=(slot,)).exit_code == 6
