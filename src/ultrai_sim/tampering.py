"""Faults put to work: each kind's function refuses a request, changes an answer or breaks a stream.

A request goes through three stages. `REFUSAL_FAULTS` answer in the place of a model,
`ANSWER_FAULTS` change what the model says, `breaking.STREAM_FAULTS` rearrange the steps of the
reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from math import ceil
from typing import Any

from ultrai_sim import refusals
from ultrai_sim.faults import Fault
from ultrai_sim.ranking import DEFAULT_AFTER
from ultrai_sim.refusals import Refusal
from ultrai_sim.schedule import Latency, Reply, Send, Step
from ultrai_sim.speech import Answer, ToolCall
from ultrai_sim.wire import USAGE, Style, encode

FOREVER_S = 3600.0
DEFAULT_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a fault may need to know about the request that it hits."""

    model_id: str
    provider: str
    authorization: str
    now: float
    max_tokens: int
    free_per_minute: int
    free_daily_limit: int
    prompt: str = ""


@dataclass(slots=True)
class Draft:
    """An answer on its way to the wire, as the faults of the second stage may change it."""

    answer: Answer
    style: Style
    latency: Latency
    max_tokens: int
    stream: bool
    billed: bool = True
    choice_error: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Script:
    """A reply as the faults of the third stage may change it. ``head`` opens every frame."""

    reply: Reply
    steps: list[Step]
    head: bytes
    stream: bool
    usage: Mapping[str, Any]
    billed: bool = True

    def position(self, after: int | None) -> int:
        """The index behind the first ``after`` steps that carry tokens."""
        if not self.stream:
            return 1
        left = DEFAULT_AFTER if after is None else after
        bearing = [i for i, step in enumerate(self.steps) if isinstance(step, Send) and step.tokens]
        if left == 0 or not bearing:
            return bearing[0] if bearing else 0
        return bearing[min(left, len(bearing)) - 1] + 1

    def place(self, fault: Fault) -> int:
        """The index that the fault's ``at``, or else its ``after``, names."""
        if fault.at is None:
            return self.position(fault.after)
        if fault.at in ("head", "start"):
            return 0
        if not self.stream:
            return self._open_body(fault.at)
        for index, step in enumerate(self.steps):
            if isinstance(step, Send) and step.role == fault.at:
                return index
        return len(self.steps)

    def _open_body(self, at: str) -> int:
        """The place in a body before its usage, or before its last byte."""
        body = b"".join(step.data for step in self.steps if isinstance(step, Send))
        tokens = sum(step.tokens for step in self.steps if isinstance(step, Send))
        found = body.rfind(USAGE) if at == "usage" else -1
        place = found if found > 0 else len(body) - 1
        rest = [step for step in self.steps if not isinstance(step, Send)]
        self.steps[:] = [Send(body[:place]), Send(body[place:], tokens), *rest]
        return 1


def error_of(fault: Fault) -> dict[str, Any]:
    """The ``error`` object of a failure inside a 200, with its error_type."""
    code = fault.status or 502
    kind = {429: "rate_limit_exceeded", 502: "provider_unavailable", 503: "provider_overloaded"}
    metadata = fault.metadata
    if metadata is None:
        metadata = {"error_type": kind.get(code, "server")}
    body = refusals.error_body(code, fault.message or "Provider disconnected", metadata=metadata)
    error: dict[str, Any] = body["error"]
    if fault.code is not None:
        error["code"] = None if fault.code == "null" else fault.code
    return error


# --- the first stage: instead of an answer ---------------------------------------------------


def delay(fault: Fault) -> float:
    """How much later, in seconds, this fault makes the response head."""
    if fault.kind == "stall_before_headers":
        return FOREVER_S if fault.seconds is None else fault.seconds
    return fault.head_s or 0.0


def _status(fault: Fault, around: Circumstances) -> Refusal:
    status = fault.status or 500
    headers = dict(fault.headers or {})
    if fault.retry_after is not None:
        text = fault.retry_after
        headers["Retry-After"] = text if isinstance(text, str) else f"{text:g}"
    if fault.retry_after_date_s is not None:
        stamp = ceil(around.now + fault.retry_after_date_s)
        headers["Retry-After"] = formatdate(stamp, usegmt=True)
    metadata = fault.metadata
    bare = metadata is None and fault.message is None and bool(around.provider)
    if bare and (status == 429 or status > 500):  # noqa: PLR2004
        metadata = refusals.provider_metadata(status, around.model_id, provider=around.provider)
    refusal = refusals.refuse(status, fault.message, metadata=metadata, headers=headers)
    if fault.availability is not None:
        refusal = refusals.with_availability(refusal, fault.availability)
    return refusal if fault.code is None else refusals.with_code(refusal, fault.code)


def _html(fault: Fault, _: Circumstances) -> Refusal:
    return refusals.html_page(fault.status or 502, "Bad gateway")


def _redirect(fault: Fault, _: Circumstances) -> Refusal:
    target = fault.location or "https://elsewhere.invalid/api/v1/chat/completions"
    return Refusal(fault.status or 307, b"", headers={"Location": target})


def _error_in_200(fault: Fault, around: Circumstances) -> Refusal:
    code = fault.status or 502
    metadata = fault.metadata
    if metadata is None and around.provider:
        metadata = refusals.provider_metadata(code, around.model_id, provider=around.provider)
    body = refusals.error_body(code, fault.message, metadata=metadata)
    if fault.code is not None:
        body["error"]["code"] = None if fault.code == "null" else fault.code
    return Refusal(200, encode(body | {"user_id": refusals.USER_ID}))


def _echo_key(fault: Fault, around: Circumstances) -> Refusal:
    message = f"Provider rejected the request with header Authorization: {around.authorization}"
    return refusals.refuse(fault.status or 400, message)


def _free_daily(_: Fault, around: Circumstances) -> Refusal:
    reset_ms = int((around.now // 86_400 + 1) * 86_400_000)
    return refusals.free_limit("per-day", around.free_daily_limit, reset_ms=reset_ms)


def _free_minute(_: Fault, around: Circumstances) -> Refusal:
    reset_ms = int((around.now + 60) * 1000)
    return refusals.free_limit("per-min", around.free_per_minute, reset_ms=reset_ms)


def _in_flight(fault: Fault, _: Circumstances) -> Refusal:
    return refusals.in_flight_exhausted(1 if fault.retry_after is None else fault.retry_after)


def _afford(fault: Fault, around: Circumstances) -> Refusal:
    return refusals.cannot_afford(around.max_tokens, 100 if fault.tokens is None else fault.tokens)


REFUSAL_FAULTS: Mapping[str, Callable[[Fault, Circumstances], Refusal]] = {
    "status": _status,
    "html": _html,
    "redirect": _redirect,
    "error_in_200": _error_in_200,
    "echo_key": _echo_key,
    "free_daily_429": _free_daily,
    "free_minute_429": _free_minute,
    "in_flight_402": _in_flight,
    "afford_402": _afford,
}


# --- the second stage: another answer ---------------------------------------------------------


def _empty_length(draft: Draft, _: Fault) -> None:
    thoughts = tuple([" hm"] * min(draft.max_tokens, 200))
    draft.answer = Answer((), thoughts, "length", "max_tokens")


def _content_filter(draft: Draft, fault: Fault) -> None:
    kept = draft.answer.pieces[: DEFAULT_AFTER if fault.after is None else fault.after]
    draft.answer = replace(
        draft.answer, pieces=kept, finish_reason="content_filter", native_finish_reason="SAFETY"
    )


def _refusal(draft: Draft, fault: Fault) -> None:
    text = fault.message or "I'm sorry, but I can't help with that."
    draft.answer = Answer((), draft.answer.thoughts, "stop", "refusal", refusal=text)


def _tool_calls(draft: Draft, _: Fault) -> None:
    call = ToolCall("call_simulated1", "look_up", '{"query": "the answer"}')
    draft.answer = Answer((), draft.answer.thoughts, "tool_calls", "tool_calls", tool_calls=(call,))


def _tool_calls_broken(draft: Draft, _: Fault) -> None:
    call = ToolCall("call_simulated1", "look_up", '{"query": "the ans')
    draft.answer = Answer((), draft.answer.thoughts, "tool_calls", "tool_calls", tool_calls=(call,))


def _usage_missing(draft: Draft, _: Fault) -> None:
    draft.style = replace(draft.style, with_usage=False)


def _finish_twice(draft: Draft, _: Fault) -> None:
    draft.style = replace(draft.style, finish_twice=True)


def _slow(draft: Draft, fault: Fault) -> None:
    draft.latency = replace(
        draft.latency,
        head_s=fault.head_s or 0.0,
        first_token_s=fault.first_token_s or 0.0,
        per_token_s=fault.per_token_s or 0.0,
    )


def _stall_before_headers(draft: Draft, fault: Fault) -> None:
    draft.latency = replace(draft.latency, head_s=draft.latency.head_s + delay(fault))


def _choice_error(draft: Draft, fault: Fault) -> None:
    if not draft.stream:
        after = DEFAULT_AFTER if fault.after is None else fault.after
        draft.answer = replace(draft.answer, pieces=draft.answer.pieces[:after])
        draft.choice_error = error_of(fault)
        draft.billed = False


ANSWER_FAULTS: Mapping[str, Callable[[Draft, Fault], None]] = {
    "empty_length": _empty_length,
    "content_filter": _content_filter,
    "refusal": _refusal,
    "tool_calls": _tool_calls,
    "tool_calls_broken": _tool_calls_broken,
    "usage_missing": _usage_missing,
    "finish_twice": _finish_twice,
    "slow": _slow,
    "stall_before_headers": _stall_before_headers,
    "choice_error": _choice_error,
    "error_mid_stream": _choice_error,
}
