"""Opens what monitors hear of Runs: metrics and spans, where the settings ask for them."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ultrai import __version__
from ultrai.assembly.tuned import LOCAL
from ultrai.domain.errors import BudgetRefusal, SettingsError
from ultrai.domain.event import Event, EventType
from ultrai.settings.model import OPENROUTER, Settings
from ultrai.signals.threads import on_a_thread

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from ultrai.engine.alerting import Alarm
    from ultrai.signals.exposition import ProcessMetrics
    from ultrai.signals.spans import Place

Ear = Callable[[Event], None]
LAST_EXPORT_S = 3.0
_LOG = logging.getLogger("ultrai.monitoring")


@dataclass(frozen=True, slots=True)
class Monitors:
    """What hears of Runs beside whoever asked. None: nobody wants it."""

    alarm: Alarm | None = None
    metrics: ProcessMetrics | None = None
    spans: Ear | None = None

    @property
    def ears(self) -> list[Ear]:
        """What hears every Event; none of them can break a Run."""
        ears = [] if self.alarm is None else [partial(_wake_at_the_end, self.alarm)]
        heard = [] if self.metrics is None else [guarded(self.metrics.hear)]
        spoken = [] if self.spans is None else [guarded(self.spans)]
        return [*ears, *heard, *spoken]

    @contextmanager
    def over_refusals(self) -> Iterator[None]:
        """Hear of a Run that a Budget refuses: it has no Events."""
        try:
            yield
        except BudgetRefusal as error:
            if self.alarm is not None and error.budget:
                self.alarm.refused(error.budget, str(error))
            raise


def _wake_at_the_end(alarm: Alarm, event: Event) -> None:
    if event.type is EventType.REPORT:
        alarm.wake()


def open_metrics(settings: Settings) -> ProcessMetrics | None:
    """What counts this process's Runs; None where nobody asked. Raises SettingsError."""
    if not settings.metrics:
        return None
    check_prometheus()
    from ultrai.signals.exposition import ProcessMetrics

    return ProcessMetrics()


def check_prometheus() -> None:
    """Raises SettingsError where the extra is not installed."""
    if find_spec("prometheus_client") is None:
        raise SettingsError(
            "metrics need the extra 'prometheus', which is not installed",
            hint="install it with: pip install 'ultrai[prometheus]'",
        )


def open_spans(
    settings: Settings, upstream_of: Callable[[str], str], *, stack: AsyncExitStack
) -> Ear | None:
    """What writes spans; None where nothing takes them.

    A program that has set up OpenTelemetry itself gets them; else they are exported where the
    environment says. What is not exported yet is, when `stack` is closed, within a moment.
    """
    provider = _provider_of_the_program() or _provider_of_ours(settings, stack)
    if provider is None:
        return None
    from ultrai.signals.spans import SpanWriter

    return SpanWriter(
        provider.get_tracer("ultrai", __version__),
        place_of=_places(settings, upstream_of),
        content=settings.trace_content,
    ).hear


def guarded(ear: Ear) -> Ear:
    """The same, that never breaks a Run: what goes wrong is logged, once, and it hears no more."""
    deaf = False

    def hear(event: Event) -> None:
        nonlocal deaf
        if deaf:
            return
        try:
            ear(event)
        except Exception:  # noqa: BLE001 - whatever it is, the Run goes on
            deaf = True
            _LOG.exception("a monitor failed and is told nothing more")

    return hear


def _provider_of_the_program() -> TracerProvider | None:
    """The one that the program around us has set up. Nothing is imported to find that out."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry import trace

    provider = trace.get_tracer_provider()
    return None if isinstance(provider, trace.ProxyTracerProvider) else provider


def _provider_of_ours(settings: Settings, stack: AsyncExitStack) -> TracerProvider | None:
    if not settings.traces:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        return None  # the variables are there for other programs
    ours = {SERVICE_NAME: "ultrai", SERVICE_VERSION: __version__}
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say wins.
    resource = Resource.create({})
    if str(resource.attributes.get(SERVICE_NAME)).startswith("unknown_service"):
        resource = resource.merge(Resource(ours))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))

    async def close() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_EXPORT_S):
                await on_a_thread(provider.shutdown, name="ultrai-spans")

    stack.push_async_callback(close)
    return provider


def _places(settings: Settings, upstream_of: Callable[[str], str]) -> Callable[[str], Place]:
    from ultrai.signals.spans import Place

    addresses = {name: upstream.base_url for name, upstream in settings.upstreams.items()}
    addresses[OPENROUTER] = settings.base_url
    ports = {"https": 443, "http": 80}

    def place(name: str) -> Place:
        url = urlsplit(addresses.get(name, ""))
        return Place(name, url.hostname, url.port or ports.get(url.scheme))

    known = {name: place(name) for name in [*addresses, LOCAL]}
    return lambda model: known.get(upstream_of(model)) or Place(upstream_of(model))
