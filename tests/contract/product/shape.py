"""The JSON shape of the Report and of an Event, as INTERFACES §3 gives it, key by key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

KINDS = {
    *("bad_request", "context_too_long", "auth", "insufficient_credit", "in_flight_budget"),
    *("key_limit", "moderated", "forbidden", "model_unavailable", "timeout", "rate_limited"),
    *("quota_exhausted", "upstream_error", "no_provider", "overloaded", "network", "cut_stream"),
    *("bad_response", "empty_answer", "refused_by_budget", "deadline"),
}
EVENTS = {
    *("run_started", "planned", "slot_started", "attempt_started", "first_token", "text_delta"),
    *("reasoning_delta", "attempt_failed", "attempt_withdrawn", "slot_answered", "slot_failed"),
    *("notice", "synthesis_started", "synthesis_delta", "synthesis_done", "report"),
}
STATES = {"pending", "running", "answered", "failed", "skipped", "cancelled"}
COST_STATES = {"not_billed", "estimated", "reported", "reconciled", "unknown_billed"}
STATUSES = {"running", "complete", "degraded", "failed", "refused", "interrupted"}
REMEDIES = {"retry", "next_candidate", "give_up_slot", "stop_upstream"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_USD = re.compile(r"\d+(\.\d*[1-9])?")

Check = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str)


def count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def truth(value: Any) -> bool:
    return isinstance(value, bool)


def moment(value: Any) -> bool:
    return text(value) and _TIME.fullmatch(value) is not None


def usd(value: Any) -> bool:
    return text(value) and _USD.fullmatch(value) is not None


def seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def one_of(*allowed: str) -> Check:
    return lambda value: value in allowed


def maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def each(check: Callable[[Any], None]) -> Check:
    def all_of(value: Any) -> bool:
        for item in value:
            check(item)
        return isinstance(value, list)

    return all_of


def shaped(keys: Mapping[str, Check], name: str) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        assert isinstance(value, dict), f"{name} is {value!r}"
        missing = keys.keys() - value.keys()
        assert not missing, f"{name} lacks {missing}"
        for key, is_right in keys.items():
            assert is_right(value[key]), f"{name}.{key} is {value[key]!r}"
        return True

    return check


FAILURE = shaped(
    {
        "kind": one_of(*KINDS),
        "phase": one_of("before_stream", "mid_stream"),
        "status": maybe(count),
        "message": lambda value: text(value) and bool(value.strip()) and "\n" not in value,
        "retry_after_s": maybe(seconds),
        "advice": lambda value: text(value) and bool(value),
        "remedy": one_of(*REMEDIES),
    },
    "failure",
)
PARTIAL = shaped({"text": text, "reasoning": maybe(text)}, "partial")
ATTEMPT = shaped(
    {
        "n": count,
        "model": text,
        "started_at": moment,
        "elapsed_ms": maybe(count),
        "outcome": maybe(one_of("answer", "failure", "cancelled")),
        "failure": maybe(FAILURE),
        "generation_id": maybe(text),
        "cost_usd": maybe(usd),
        "cost_state": one_of(*COST_STATES),
        "partial": maybe(PARTIAL),
    },
    "attempt",
)
ANSWER = shaped(
    {
        "text": text,
        "reasoning": maybe(text),
        "finish_reason": maybe(text),
        "native_finish_reason": maybe(text),
        "truncated": truth,
        "cached": truth,
        "received_at": moment,
        "generation_id": maybe(text),
        "model": maybe(text),
        "provider": maybe(text),
    },
    "answer",
)
USAGE = shaped(
    {
        "prompt_tokens": maybe(count),
        "completion_tokens": maybe(count),
        "reasoning_tokens": maybe(count),
        "cached_tokens": maybe(count),
    },
    "usage",
)
SLOT = shaped(
    {
        "index": count,
        "primary": text,
        "state": one_of(*STATES),
        "answered_by": maybe(text),
        "fallback": truth,
        "answer": maybe(ANSWER),
        "usage": maybe(USAGE),
        "cost_usd": maybe(usd),
        "cost_state": one_of(*COST_STATES),
        "first_token_ms": maybe(count),
        "elapsed_ms": maybe(count),
        "attempts": each(ATTEMPT),
    },
    "slot",
)
NOTICE = shaped({"code": text, "message": text, "slot": maybe(count)}, "notice")
QUERY = shaped({"messages": lambda value: isinstance(value, list), "max_tokens": count}, "query")
REPORT = shaped(
    {
        "id": lambda value: text(value) and value.startswith("run_"),
        "status": one_of(*STATUSES),
        "cocktail": maybe(text),
        "created_at": moment,
        "finished_at": maybe(moment),
        "elapsed_ms": maybe(count),
        "query": QUERY,
        "slots": each(SLOT),
        "synthesis": lambda value: value is None,
        "usage": shaped({"prompt_tokens": maybe(count), "completion_tokens": maybe(count)}, "sum"),
        "cost_usd": maybe(usd),
        "cost_known": truth,
        "notices": each(NOTICE),
    },
    "report",
)
EVENT = shaped(
    {"v": count, "seq": count, "run_id": text, "t_ms": count, "type": one_of(*EVENTS)}, "event"
)


def check_report(report: dict[str, Any]) -> None:
    """The shape, and what must hold between its parts."""
    REPORT(report)
    for index, slot in enumerate(report["slots"]):
        attempts = slot["attempts"]
        assert slot["index"] == index
        assert (slot["state"] == "answered") == (slot["answer"] is not None)
        assert (slot["answer"] is None) == (slot["answered_by"] is None)
        assert [attempt["n"] for attempt in attempts] == list(range(1, len(attempts) + 1))
        for attempt in attempts:
            assert (attempt["outcome"] == "failure") == (attempt["failure"] is not None)
        ends = [attempt["outcome"] for attempt in attempts]
        assert ends.count("answer") == (slot["state"] == "answered")
        if report["status"] != "running":
            assert slot["state"] in {"answered", "failed", "skipped", "cancelled"}
            assert None not in ends
    states = [a["cost_state"] for slot in report["slots"] for a in slot["attempts"]]
    assert report["cost_known"] == (not {"estimated", "unknown_billed"} & set(states))


def check_events(events: list[dict[str, Any]]) -> None:
    """Gapless, in order, the Report last."""
    for event in events:
        EVENT(event)
    assert [event["seq"] for event in events] == list(
        range(events[0]["seq"], events[0]["seq"] + len(events))
    )
    assert [event["type"] for event in events].count("report") == 1
    assert events[-1]["type"] == "report"
    assert events == sorted(events, key=lambda event: event["t_ms"])
