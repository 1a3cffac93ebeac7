"""What OpenTelemetry's own environment variables say about traces.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS: Final = "OTEL_TRACES_EXPORTER"
_OTLP: Final = "otlp"
_HTTP: Final = "http/protobuf"


def exports_traces(environ: Mapping[str, str]) -> bool:
    """Whether spans are to be sent by OTLP over HTTP, the one way that UltrAI has."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environ.get(_EXPORTERS, "").strip()
    if exporters and _OTLP not in (each.strip() for each in exporters.split(",")):
        return False
    protocols = [environ[name].strip() for name in _PROTOCOLS if environ.get(name, "").strip()]
    if protocols and protocols[0] != _HTTP:
        return False
    return bool(exporters) or any(environ.get(name, "").strip() for name in _ENDPOINTS)
