"""Prometheus' text format: what the ledger counts, and what this process has seen.

The first holds for all processes of a home, and across restarts. The second is this process's own
(`ultrai_process_*`): durations are not in the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ultrai.domain.event import Event, EventType
from ultrai.domain.metering import Meters, Sample
from ultrai.domain.money import NANOS_PER_USD

_MS_PER_S = 1000
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_OF_MODEL = ("model", "upstream")


class _Ledger:
    """Fits what a registry collects from."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def collect(self) -> Iterator[Metric]:
        """All of it."""
        yield from _models(self._meters)
        yield from _budgets(self._meters)
        yield GaugeMetricFamily(
            "ultrai_attempts_in_flight",
            "Attempts that were sent and are not over.",
            self._meters.in_flight,
        )
        yield GaugeMetricFamily(
            "ultrai_attempts_unreconciled",
            "Attempts that are over and whose cost is still to be asked for.",
            self._meters.unreconciled,
        )


def ledger_registry(meters: Meters) -> CollectorRegistry:
    """What the ledger counts."""
    registry = CollectorRegistry()
    registry.register(_Ledger(meters))
    return registry


def text_of(*registries: CollectorRegistry) -> str:
    """The text of a page for Prometheus."""
    return "".join(generate_latest(registry).decode() for registry in registries)


def samples_of(registry: CollectorRegistry) -> list[Sample]:
    """The same as values."""
    return [
        Sample(sample.name, sample.value, sample.labels)
        for family in registry.collect()
        for sample in family.samples
    ]


def write_text(path: Path, text: str) -> None:
    """Put it into a file all at once: whoever reads it never sees half. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _usd(nanos: int) -> float:
    """The format knows floating-point numbers only; sums are made before, in whole ones."""
    return nanos / NANOS_PER_USD


def _models(meters: Meters) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "ultrai_attempts", "Attempts that are over.", labels=[*_OF_MODEL, "outcome"]
    )
    tokens = CounterMetricFamily(
        "ultrai_tokens", "Tokens as they are billed.", labels=[*_OF_MODEL, "type"]
    )
    cost = CounterMetricFamily("ultrai_cost_usd", "What is known to be spent.", labels=_OF_MODEL)
    unsure = GaugeMetricFamily(
        "ultrai_unknown_cost_usd", "The most that unknown costs may be.", labels=_OF_MODEL
    )
    unknown = GaugeMetricFamily(
        "ultrai_unknown_attempts", "Attempts whose cost is not known.", labels=_OF_MODEL
    )
    for meter in meters.models:
        who = [meter.model, meter.upstream]
        for outcome, count in sorted(meter.attempts.items()):
            attempts.add_metric([*who, outcome], count)
        for type_, count in meter.tokens.items():
            tokens.add_metric([*who, type_], count)
        cost.add_metric(who, _usd(meter.cost_nanos))
        unsure.add_metric(who, _usd(meter.unsure_nanos))
        unknown.add_metric(who, meter.unknown)
    yield from (attempts, tokens, cost, unsure, unknown)


def _budgets(meters: Meters) -> Iterator[Metric]:
    labels = ["budget", "scope", "period"]
    limit = GaugeMetricFamily("ultrai_budget_limit_usd", "The ceiling.", labels=labels)
    spent = GaugeMetricFamily(
        "ultrai_budget_spent_usd", "What was spent in the present period.", labels=labels
    )
    held = GaugeMetricFamily(
        "ultrai_budget_held_usd", "What is held for runs under way.", labels=labels
    )
    closed = GaugeMetricFamily(
        "ultrai_budget_closed", "1: the upstream charged too much.", labels=labels
    )
    for state in meters.budgets:
        budget = state.budget
        scope = f"{budget.scope.value}:{budget.subject}" if budget.subject else budget.scope.value
        which = [budget.name, scope, budget.period.value]
        limit.add_metric(which, _usd(budget.limit_nanos))
        spent.add_metric(which, _usd(state.posted_nanos))
        held.add_metric(which, _usd(state.held_nanos))
        closed.add_metric(which, int(budget.closed))
    yield from (limit, spent, held, closed)


@dataclass(slots=True)
class _Seen:
    """A Run under way: the model of each Attempt, and when it began."""

    attempts: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)


class ProcessMetrics:
    """Hears the Events of this process's Runs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs: dict[str, _Seen] = {}
        registry = self.registry
        self._going = Gauge("ultrai_process_runs_in_progress", "Runs under way.", registry=registry)
        self._ended = Counter(
            "ultrai_process_runs", "Runs by status.", ["status"], registry=registry
        )
        self._run_s = Histogram(
            "ultrai_process_run_seconds",
            "Duration of Runs.",
            ["status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._attempt_s = Histogram(
            "ultrai_process_attempt_seconds",
            "Duration of Attempts.",
            ["model", "outcome"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._first_s = Histogram(
            "ultrai_process_first_token_seconds",
            "From an Attempt's start to its first text.",
            ["model"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._failures = Counter(
            "ultrai_process_failures",
            "Failed Attempts by kind.",
            ["model", "kind"],
            registry=registry,
        )
        self._slots = Counter(
            "ultrai_process_slots",
            "Slots by how they ended.",
            ["state", "fallback"],
            registry=registry,
        )
        self._notices = Counter(
            "ultrai_process_notices", "Notices by code.", ["code"], registry=registry
        )

    def hear(self, event: Event) -> None:
        """Take in one Event."""
        if event.type is EventType.RUN_STARTED:
            self._runs[event.run_id] = _Seen()
            self._going.inc()
            return
        seen = self._runs.get(event.run_id)
        handler = _HANDLERS.get(event.type)
        if seen is not None and handler is not None:
            handler(self, seen, event)

    def _attempt_started(self, seen: _Seen, event: Event) -> None:
        seen.attempts[_place(event)] = (str(event.facts["model"]), event.t_ms)

    def _first_token(self, seen: _Seen, event: Event) -> None:
        model, began_ms = seen.attempts.get(_place(event), ("", event.t_ms))
        self._first_s.labels(model).observe((event.t_ms - began_ms) / _MS_PER_S)

    def _attempt_failed(self, seen: _Seen, event: Event) -> None:
        outcome = str(event.facts.get("outcome", "failure"))
        model = self._attempt_over(seen, event, outcome=outcome)
        if event.failure is not None:
            self._failures.labels(model, event.failure.kind.value).inc()

    def _slot_answered(self, seen: _Seen, event: Event) -> None:
        self._attempt_over(seen, event, outcome="answer")
        is_fallback = "yes" if event.facts.get("fallback") else "no"
        self._slots.labels("answered", is_fallback).inc()

    def _slot_failed(self, _seen: _Seen, event: Event) -> None:
        self._slots.labels(str(event.facts.get("state", "failed")), "no").inc()

    def _notice(self, _seen: _Seen, event: Event) -> None:
        if event.notice is not None:
            self._notices.labels(event.notice.code.value).inc()

    def _report(self, _seen: _Seen, event: Event) -> None:
        del self._runs[event.run_id]
        self._going.dec()
        status = str(event.facts["status"])
        self._ended.labels(status).inc()
        elapsed_ms = cast("int", event.facts["elapsed_ms"])
        self._run_s.labels(status).observe(elapsed_ms / _MS_PER_S)

    def _attempt_over(self, seen: _Seen, event: Event, *, outcome: str) -> str:
        model, began_ms = seen.attempts.pop(_place(event), ("", event.t_ms))
        self._attempt_s.labels(model, outcome).observe((event.t_ms - began_ms) / _MS_PER_S)
        return model


def _place(event: Event) -> tuple[int, int]:
    return event.slot or 0, event.attempt or 0


_HANDLERS: Mapping[EventType, Callable[[ProcessMetrics, _Seen, Event], None]] = {
    EventType.ATTEMPT_STARTED: ProcessMetrics._attempt_started,
    EventType.FIRST_TOKEN: ProcessMetrics._first_token,
    EventType.ATTEMPT_FAILED: ProcessMetrics._attempt_failed,
    EventType.SLOT_ANSWERED: ProcessMetrics._slot_answered,
    EventType.SLOT_FAILED: ProcessMetrics._slot_failed,
    EventType.NOTICE: ProcessMetrics._notice,
    EventType.REPORT: ProcessMetrics._report,
}
