"""Runs, Slots and Attempts as OpenTelemetry spans, made from the Events as they happen.

An Attempt is a client span of the GenAI semantic conventions (`chat MODEL`, `gen_ai.*`); a Run is
an `invoke_workflow` span, the child of whatever span its caller is in; a Slot stands in between.
What the conventions have no name for is called `ultrai.*`. Prompts and answers are left out unless
they are asked for. Source of the names:
https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from ultrai.domain.event import Event, EventType
from ultrai.domain.money import format_usd

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from ultrai.domain.outcome import Answer, Cost, Usage

_NANOS_PER_MS = 1_000_000
_MS_PER_S = 1000
_USAGE = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
}
_SAMPLING = ("max_tokens", "temperature", "seed")


@dataclass(slots=True)
class _Open:
    """One span under way, and when it began on the Run's clock."""

    span: Span
    t_ms: int


@dataclass(slots=True)
class _Trace:
    """One Run's spans. `zero_ns` is the Unix time of its `t_ms` 0."""

    run: _Open
    zero_ns: int
    query: Mapping[str, object]
    slots: dict[int, _Open] = field(default_factory=dict)
    attempts: dict[tuple[int, int], _Open] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an upstream answers: its name, host and port."""

    upstream: str
    host: str | None = None
    port: int | None = None


class SpanWriter:
    """Hears the Events of any Runs. `content`: also what was asked and answered."""

    def __init__(
        self, tracer: Tracer, *, place_of: Callable[[str], Place], content: bool = False
    ) -> None:
        self._tracer = tracer
        self._place_of = place_of
        self._content = content
        self._traces: dict[str, _Trace] = {}

    def hear(self, event: Event) -> None:
        """Take in one Event."""
        if event.type is EventType.RUN_STARTED:
            self._begin(event)
            return
        told = self._traces.get(event.run_id)
        handler = _HANDLERS.get(event.type)
        if told is not None and handler is not None:
            handler(self, told, event)

    def _begin(self, event: Event) -> None:
        created = datetime.fromisoformat(str(event.facts["created_at"]))
        zero_ns = int(created.timestamp() * _MS_PER_S) * _NANOS_PER_MS
        cocktail = event.facts.get("cocktail")
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "invoke_workflow",
            "ultrai.run.id": event.run_id,
        }
        if cocktail is not None:
            attributes["gen_ai.workflow.name"] = str(cocktail)
        name = f"invoke_workflow {cocktail}" if cocktail else "invoke_workflow"
        span = self._tracer.start_span(
            name,
            kind=SpanKind.INTERNAL,
            attributes=attributes,
            start_time=zero_ns + event.t_ms * _NANOS_PER_MS,
        )
        query = cast("Mapping[str, object]", event.facts["query"])
        self._traces[event.run_id] = _Trace(_Open(span, event.t_ms), zero_ns, query)

    def _slot_started(self, told: _Trace, event: Event) -> None:
        index = event.slot or 0
        primary = str(event.facts["primary"])
        attributes = {"ultrai.slot.index": index, "ultrai.slot.primary": primary}
        told.slots[index] = self._start(
            told, event, name=f"slot {primary}", parent=told.run, attributes=attributes
        )

    def _attempt_started(self, told: _Trace, event: Event) -> None:
        index, number = event.slot or 0, event.attempt or 0
        model = str(event.facts["model"])
        place = self._place_of(model)
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": place.upstream,
            "gen_ai.request.model": model,
            "gen_ai.output.type": "text",
            "ultrai.attempt.number": number,
            "ultrai.attempt.fallback": bool(event.facts.get("fallback")),
        }
        if place.host is not None:
            attributes["server.address"] = place.host
        if place.port is not None:
            attributes["server.port"] = place.port
        for name in _SAMPLING:
            value = told.query.get(name)
            if value is not None:
                attributes[f"gen_ai.request.{name}"] = value
        if self._content:
            attributes["gen_ai.input.messages"] = _messages(told.query)
        told.attempts[index, number] = self._start(
            told,
            event,
            name=f"chat {model}",
            parent=told.slots.get(index, told.run),
            attributes=attributes,
        )

    def _first_token(self, told: _Trace, event: Event) -> None:
        attempt = told.attempts.get((event.slot or 0, event.attempt or 0))
        if attempt is not None:
            waited_s = (event.t_ms - attempt.t_ms) / _MS_PER_S
            attempt.span.set_attribute("gen_ai.response.time_to_first_chunk", waited_s)

    def _attempt_failed(self, told: _Trace, event: Event) -> None:
        attempt = told.attempts.pop((event.slot or 0, event.attempt or 0), None)
        if attempt is None:
            return
        span = attempt.span
        span.set_attribute("ultrai.outcome", str(event.facts.get("outcome", "failure")))
        _say_what_it_took(span, event)
        if event.failure is not None:
            message = event.failure.message if self._content else ""
            _fail(span, event.failure.kind.value, message=message)
            if event.failure.status is not None:
                span.set_attribute("http.response.status_code", event.failure.status)
        self._end(told, attempt, event=event)

    def _slot_answered(self, told: _Trace, event: Event) -> None:
        attempt = told.attempts.pop((event.slot or 0, event.attempt or 0), None)
        if attempt is not None:
            attempt.span.set_attribute("ultrai.outcome", "answer")
            _say_what_it_took(attempt.span, event)
            if event.answer is not None:
                self._say_answer(attempt.span, event.answer)
            self._end(told, attempt, event=event)
        slot = told.slots.pop(event.slot or 0, None)
        if slot is not None:
            slot.span.set_attribute("ultrai.slot.state", "answered")
            slot.span.set_attribute("ultrai.slot.answered_by", str(event.facts["answered_by"]))
            slot.span.set_attribute("ultrai.slot.fallback", bool(event.facts.get("fallback")))
            self._end(told, slot, event=event)

    def _slot_failed(self, told: _Trace, event: Event) -> None:
        index = event.slot or 0
        for place in [each for each in told.attempts if each[0] == index]:
            attempt = told.attempts.pop(place)
            attempt.span.set_attribute("ultrai.outcome", "cancelled")
            self._end(told, attempt, event=event)
        slot = told.slots.pop(index, None)
        if slot is not None:
            slot.span.set_attribute("ultrai.slot.state", str(event.facts.get("state", "failed")))
            if event.failure is not None:
                message = event.failure.message if self._content else ""
                _fail(slot.span, event.failure.kind.value, message=message)
            self._end(told, slot, event=event)

    def _notice(self, told: _Trace, event: Event) -> None:
        if event.notice is None:
            return
        slot = None if event.notice.slot is None else told.slots.get(event.notice.slot)
        (slot or told.run).span.add_event(
            "ultrai.notice",
            {"ultrai.notice.code": event.notice.code.value},
            timestamp=_at(told, event),
        )

    def _report(self, told: _Trace, event: Event) -> None:
        del self._traces[event.run_id]
        for left in (*told.attempts.values(), *told.slots.values()):
            self._end(told, left, event=event)
        span = told.run.span
        status = str(event.facts["status"])
        span.set_attribute("ultrai.run.status", status)
        report = event.report
        if report is not None:
            span.set_attribute("ultrai.run.cost_known", report.cost_known)
            if report.cost_nanos is not None:
                span.set_attribute("ultrai.cost.usd", format_usd(report.cost_nanos))
        if status in ("failed", "refused", "interrupted"):
            _fail(span, status)
        self._end(told, told.run, event=event)

    def _say_answer(self, span: Span, answer: Answer) -> None:
        if answer.model is not None:
            span.set_attribute("gen_ai.response.model", answer.model)
        if answer.provider is not None:
            span.set_attribute("ultrai.provider", answer.provider)
        if answer.finish_reason is not None:
            span.set_attribute("gen_ai.response.finish_reasons", [answer.finish_reason])
        if self._content:
            part = {"type": "text", "content": answer.text}
            said = {"role": "assistant", "parts": [part], "finish_reason": answer.finish_reason}
            span.set_attribute("gen_ai.output.messages", json.dumps([said], ensure_ascii=False))

    def _start(
        self,
        told: _Trace,
        event: Event,
        *,
        name: str,
        parent: _Open,
        attributes: Mapping[str, Any],
    ) -> _Open:
        is_client = name.startswith("chat ")
        span = self._tracer.start_span(
            name,
            context=trace.set_span_in_context(parent.span),
            kind=SpanKind.CLIENT if is_client else SpanKind.INTERNAL,
            attributes=dict(attributes),
            start_time=_at(told, event),
        )
        return _Open(span, event.t_ms)

    def _end(self, told: _Trace, ended: _Open, *, event: Event) -> None:
        ended.span.end(end_time=_at(told, event))


def _at(told: _Trace, event: Event) -> int:
    return told.zero_ns + event.t_ms * _NANOS_PER_MS


def _fail(span: Span, kind: str, *, message: str = "") -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, message or kind))


def _say_what_it_took(span: Span, event: Event) -> None:
    generation_id = event.facts.get("generation_id")
    if generation_id is not None:
        span.set_attribute("gen_ai.response.id", str(generation_id))
    _say_usage(span, event.usage)
    _say_cost(span, event.cost)


def _say_usage(span: Span, usage: Usage | None) -> None:
    for field_, name in _USAGE.items():
        count = None if usage is None else getattr(usage, field_)
        if count is not None:
            span.set_attribute(name, count)


def _say_cost(span: Span, cost: Cost | None) -> None:
    """Money as exact decimal text; absent where it is unknown, never 0."""
    if cost is None:
        return
    span.set_attribute("ultrai.cost.state", cost.state.value)
    if cost.nanos is not None:
        span.set_attribute("ultrai.cost.usd", format_usd(cost.nanos))


def _messages(query: Mapping[str, object]) -> str:
    written = cast("Sequence[Mapping[str, str]]", query["messages"])
    told = [
        {"role": each["role"], "parts": [{"type": "text", "content": each["content"]}]}
        for each in written
    ]
    return json.dumps(told, ensure_ascii=False)


_HANDLERS: Mapping[EventType, Callable[[SpanWriter, _Trace, Event], None]] = {
    EventType.SLOT_STARTED: SpanWriter._slot_started,
    EventType.ATTEMPT_STARTED: SpanWriter._attempt_started,
    EventType.FIRST_TOKEN: SpanWriter._first_token,
    EventType.ATTEMPT_FAILED: SpanWriter._attempt_failed,
    EventType.SLOT_ANSWERED: SpanWriter._slot_answered,
    EventType.SLOT_FAILED: SpanWriter._slot_failed,
    EventType.NOTICE: SpanWriter._notice,
    EventType.REPORT: SpanWriter._report,
}
