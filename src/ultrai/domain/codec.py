"""Reads back what `Event.to_dict` wrote: JSON values in, Events out.

A stored Event may come from an older or newer version: unknown keys are kept as facts, unknown
enum values raise ValueError, which the store reports as a damaged row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import cast

from ultrai.domain.event import Event, EventType
from ultrai.domain.money import reported_nanos
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

_HEAD = ("v", "seq", "run_id", "t_ms", "type", "slot", "attempt", "text")
_VALUES = ("answer", "failure", "usage", "notice")
_COST = ("cost_usd", "cost_state", "cost_raw")  # a Cost only together: a Plan has its own figures


def event_from_dict(shape: Mapping[str, object]) -> Event:
    """The Event that `shape` was written from. Raises KeyError or ValueError on a damaged one."""
    return Event(
        seq=cast("int", shape["seq"]),
        run_id=str(shape["run_id"]),
        t_ms=cast("int", shape["t_ms"]),
        type=EventType(str(shape["type"])),
        slot=cast("int | None", shape.get("slot")),
        attempt=cast("int | None", shape.get("attempt")),
        text=cast("str | None", shape.get("text")),
        answer=_answer(shape.get("answer")),
        failure=_failure(shape.get("failure")),
        usage=_usage(shape.get("usage")),
        cost=_cost(shape),
        notice=_notice(shape.get("notice")),
        facts=_facts(shape),
        v=cast("int", shape["v"]),
    )


def _facts(shape: Mapping[str, object]) -> Mapping[str, object]:
    typed = (*_HEAD, *_VALUES, *(_COST if shape.get("cost_state") is not None else ()))
    return {name: entry for name, entry in shape.items() if name not in typed}


def _answer(value: object) -> Answer | None:
    if not isinstance(value, Mapping):
        return None
    known = {f.name for f in fields(Answer)} - {"tool_calls"}
    calls = tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in value.get("tool_calls", ())
    )
    return Answer(**{k: v for k, v in value.items() if k in known}, tool_calls=calls)


def _failure(value: object) -> Failure | None:
    if not isinstance(value, Mapping):
        return None
    return Failure(
        kind=FailureKind(value["kind"]),
        message=value["message"],
        phase=Phase(value["phase"]),
        status=value["status"],
        retry_after_s=value["retry_after_s"],
        advice=value["advice"],
        remedy=Remedy(value["remedy"]) if value["remedy"] else None,
    )


def _usage(value: object) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    known = {f.name for f in fields(Usage)}
    return Usage(**{k: v for k, v in value.items() if k in known})


def _cost(shape: Mapping[str, object]) -> Cost | None:
    state = shape.get("cost_state")
    if state is None:
        return None
    amount = shape.get("cost_usd")
    nanos = None if amount is None else reported_nanos(str(amount))
    return Cost(nanos, CostState(str(state)), cast("str | None", shape.get("cost_raw")))


def _notice(value: object) -> Notice | None:
    if not isinstance(value, Mapping):
        return None
    return Notice(NoticeCode(value["code"]), value["message"], value["slot"])
