"""Spans and metrics of real Runs against the simulator."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from tests.contract.money.command import ultrai as command
from tests.contract.sim.talking import with_simulator

import ultrai
from ultrai.assembly import monitoring
from ultrai.domain.errors import SettingsError
from ultrai.domain.event import Event, EventType
from ultrai.domain.secret import Secret
from ultrai.settings.otel import exports_traces
from ultrai_sim import World
from ultrai_sim.faults import Fault

MINI, FLASH = "openai/gpt-4o-mini", "google/gemini-2.5-flash"
PROMPT = "a canary sang in the mine"


def asked(tmp_path: Path, world: World | None = None, **wishes: Any) -> str:
    """Two Slots, one of which may have to fall back; what `metrics` says afterwards."""
    around: Callable[[], AbstractContextManager[Any]] = wishes.pop("around", nullcontext)

    async def story(sim: Any) -> str:
        settings = ultrai.Settings(
            home=tmp_path / "home", base_url=sim.base_url, key=Secret(sim.api_key), **wishes
        )
        async with ultrai.open(settings) as u:
            with around():
                await u.ask(PROMPT, models=[MINI, FLASH], backups={MINI: ["openai/gpt-4o"]})
            return await u.metrics()

    text: str = with_simulator(world, story)
    return text


def failing() -> World:
    return World(faults=[Fault(kind="status", model=MINI, status=529)])


class Spans:
    """Those of one story, by name."""

    def __init__(self, spans: Sequence[ReadableSpan]) -> None:
        self.all = spans

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    @property
    def text(self) -> str:
        return "".join(span.to_json() for span in self.all)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The program around us exports to memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(monitoring, "_provider_of_the_program", lambda: provider)
    return exporter


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    assert span.attributes is not None
    return span.attributes


def test_a_run_is_a_tree_of_spans_with_the_genai_names(
    tmp_path: Path, memory: InMemorySpanExporter
) -> None:
    asked(tmp_path)
    spans = Spans(memory.get_finished_spans())
    assert len(spans.all) == 5
    run, slot, attempt = (spans.one(n) for n in ("invoke_workflow", f"slot {MINI}", f"chat {MINI}"))
    assert (slot.parent.span_id, attempt.parent.span_id) == (
        run.context.span_id,
        slot.context.span_id,
    )
    assert (attempt.kind, slot.kind) == (trace.SpanKind.CLIENT, trace.SpanKind.INTERNAL)
    told = attributes(attempt)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "openrouter"
    assert told["gen_ai.request.model"] == told["gen_ai.response.model"] == MINI
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert told["gen_ai.response.id"].startswith("gen-")
    assert told["gen_ai.usage.input_tokens"] > 0
    assert told["gen_ai.usage.output_tokens"] > 0
    assert told["gen_ai.request.max_tokens"] > 0
    assert 0 <= told["gen_ai.response.time_to_first_chunk"] < 60
    assert (told["server.address"], told["ultrai.cost.state"]) == ("127.0.0.1", "reported")
    assert float(told["ultrai.cost.usd"]) > 0
    assert run.start_time <= slot.start_time <= attempt.start_time <= attempt.end_time
    assert attempt.end_time <= run.end_time
    assert attributes(run)["ultrai.run.status"] == "complete"


def test_a_failure_and_its_backup_are_told_apart(
    tmp_path: Path, memory: InMemorySpanExporter
) -> None:
    asked(tmp_path, failing(), max_attempts=2, backoff_base_s=0.0)
    spans = Spans(memory.get_finished_spans())
    first, second = spans.named(f"chat {MINI}")
    for failed in (first, second):
        assert attributes(failed)["error.type"] == "overloaded"
        assert failed.status.status_code is trace.StatusCode.ERROR
    assert attributes(spans.one("chat openai/gpt-4o"))["ultrai.attempt.fallback"]
    slot = spans.one(f"slot {MINI}")
    assert attributes(slot)["ultrai.slot.answered_by"] == "openai/gpt-4o"
    assert "fallback_used" in [event.attributes["ultrai.notice.code"] for event in slot.events]
    assert slot.status.status_code is trace.StatusCode.UNSET


def test_a_run_that_is_cut_short_leaves_no_span_open(
    tmp_path: Path, memory: InMemorySpanExporter
) -> None:
    stalled = World(faults=[Fault(kind="stall_before_headers", model="openai/*")])
    asked(tmp_path, stalled, quorum=1)
    spans = Spans(memory.get_finished_spans())
    assert len(spans.all) == 5
    assert attributes(spans.one(f"slot {MINI}"))["ultrai.slot.state"] == "cancelled"
    assert attributes(spans.one(f"chat {MINI}"))["ultrai.outcome"] == "cancelled"
    assert attributes(spans.one("invoke_workflow"))["ultrai.run.status"] == "complete"


def test_what_is_asked_and_answered_stays_out_unless_it_is_wanted(
    tmp_path: Path, memory: InMemorySpanExporter
) -> None:
    world = World(says={MINI: "a pearl of an answer"})
    asked(tmp_path, world)
    quiet = Spans(memory.get_finished_spans()).text
    assert not any(word in quiet for word in ("canary", "pearl", "sk-or-"))
    memory.clear()
    asked(tmp_path, world, trace_content=True)
    told = attributes(Spans(memory.get_finished_spans()).one(f"chat {MINI}"))
    (message,) = json.loads(told["gen_ai.input.messages"])
    assert message == {"role": "user", "parts": [{"type": "text", "content": PROMPT}]}
    (answer,) = json.loads(told["gen_ai.output.messages"])
    assert answer["parts"][0]["content"] == "a pearl of an answer"


def test_a_run_is_the_child_of_its_callers_span(
    tmp_path: Path, memory: InMemorySpanExporter
) -> None:
    tracer = monitoring._provider_of_the_program().get_tracer("caller")
    asked(tmp_path, around=lambda: tracer.start_as_current_span("caller"))
    spans = Spans(memory.get_finished_spans())
    run, caller = spans.one("invoke_workflow"), spans.one("caller")
    assert run.parent.span_id == caller.context.span_id


def test_spans_go_where_the_environment_says(tmp_path: Path) -> None:
    got: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        message = trace_service_pb2.ExportTraceServiceRequest.FromString(await request.read())
        got.append(message)
        return web.Response(content_type="application/x-protobuf")

    async def story(sim: Any) -> Any:
        app = web.Application()
        app.router.add_post("/v1/traces", take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        where = f"http://127.0.0.1:{port}"
        asked = await command(
            sim, tmp_path, "ask", "-m", MINI, PROMPT, OTEL_EXPORTER_OTLP_ENDPOINT=where
        )
        await runner.cleanup()
        gone = await command(
            sim, tmp_path, "ask", "-m", MINI, PROMPT, OTEL_EXPORTER_OTLP_ENDPOINT=where
        )
        return asked, gone

    asked, gone = with_simulator(World(), story)
    assert (asked[0], gone[0]) == (0, 0)
    (resource,) = [each for message in got for each in message.resource_spans]
    named = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert named["service.name"] == "ultrai"
    names = [span.name for scope in resource.scope_spans for span in scope.spans]
    assert sorted(names) == [f"chat {MINI}", "invoke_workflow", f"slot {MINI}"]
    assert gone[2].count("traces did not reach the collector") == 1
    assert "Traceback" not in gone[2]


OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        (OTLP, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({**OTLP, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**OTLP, "OTEL_SDK_DISABLED": "true"}, False),
        ({**OTLP, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
        ({**OTLP, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_the_environment_decides(environ: Mapping[str, str], wanted: bool) -> None:
    assert exports_traces(environ) is wanted


# --- metrics --------------------------------------------------------------------------------------


def figures(text: str) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_ledgers_figures_hold_for_all_processes_and_this_ones_for_itself(
    tmp_path: Path,
) -> None:
    first = figures(asked(tmp_path, metrics=True))
    second = figures(asked(tmp_path, failing(), metrics=True, max_attempts=2, backoff_base_s=0.0))
    answers = ("ultrai_attempts_total", FLASH, "answer", "openrouter")
    assert (first[answers], second[answers]) == (1, 2)
    assert second["ultrai_attempts_total", MINI, "failure", "openrouter"] == 2
    assert second["ultrai_cost_usd_total", FLASH, "openrouter"] > 0
    assert second["ultrai_attempts_in_flight",] == 0
    assert second["ultrai_process_runs_total", "complete"] == 1
    assert second["ultrai_process_failures_total", "overloaded", MINI] == 2
    assert second["ultrai_process_attempt_seconds_count", "openai/gpt-4o", "answer"] == 1
    assert second["ultrai_process_first_token_seconds_count", FLASH] == 1
    assert second["ultrai_process_slots_total", "yes", "answered"] == 1
    assert second["ultrai_process_notices_total", "fallback_used"] == 1
    assert second["ultrai_process_runs_in_progress",] == 0


def test_without_the_setting_only_the_ledger_is_told(tmp_path: Path) -> None:
    assert not any(name.startswith("ultrai_process") for name, *_ in figures(asked(tmp_path)))


def test_the_command_prints_writes_and_counts_budgets(tmp_path: Path) -> None:
    place = tmp_path / "textfile" / "ultrai.prom"
    place.parent.mkdir()

    async def story(sim: Any) -> Any:
        await command(sim, tmp_path, "budget", "set", "5", "--per", "day")
        await command(sim, tmp_path, "ask", "-m", MINI, PROMPT)
        printed = await command(sim, tmp_path, "metrics")
        written = await command(sim, tmp_path, "metrics", "-o", str(place))
        as_json = await command(sim, tmp_path, "metrics", "--json")
        both = await command(sim, tmp_path, "metrics", "--json", "-o", str(place))
        nowhere = await command(sim, tmp_path, "metrics", "-o", str(place / "below"))
        return printed, written, as_json, both, nowhere

    printed, written, as_json, both, nowhere = with_simulator(World(), story)
    told = figures(printed[1])
    assert told["ultrai_budget_limit_usd", "global-day", "day", "global"] == 5
    assert 0 < told["ultrai_budget_spent_usd", "global-day", "day", "global"] < 5
    assert told["ultrai_tokens_total", MINI, "output", "openrouter"] > 0
    assert (written[0], written[1]) == (0, "")
    assert figures(place.read_text()) == told
    assert [each.name for each in place.parent.iterdir()] == ["ultrai.prom"]
    samples = json.loads(as_json[1])["samples"]
    assert {each["name"] for each in samples} == {name for name, *_ in told}
    assert (both[0], nowhere[0]) == (2, 2)
    assert "exclude each other" in both[2]
    assert "cannot be written" in nowhere[2]


def test_a_monitor_that_fails_hears_no_more_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Event] = []

    def ear(event: Event) -> None:
        heard.append(event)
        raise KeyError("nobody thought of this")

    hear = monitoring.guarded(ear)
    with caplog.at_level(logging.ERROR):
        for seq in range(3):
            hear(Event(seq, "run_1", 0, EventType.NOTICE))
    assert len(heard) == 1
    assert caplog.text.count("a monitor failed") == 1


def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(monitoring, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="extra 'prometheus'"):
        asyncio.run(_opened(ultrai.Settings(home=tmp_path, metrics=True)))


async def _opened(settings: ultrai.Settings) -> None:
    async with ultrai.open(settings) as u:
        await u.catalog()
