"""The catalogue as JSON: model rows, endpoint rows, providers.

Fields, order and oddities (nulls, empty strings, fields that no document names) follow real
answers of August to November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultrai_sim.catalogue import Catalogue, Model
from ultrai_sim.endpoints import Endpoint, endpoints_of
from ultrai_sim.providers import PROVIDERS

OFTEN_NULL = ("temperature", "top_p", "frequency_penalty")


def model_row(model: Model, catalogue: Catalogue) -> dict[str, Any]:
    """One element of `/models`."""
    maker = model.id.partition("/")[2]
    row: dict[str, Any] = {
        "id": model.id,
        "canonical_slug": model.canonical or model.id,
        "hugging_face_id": model.hugging_face_id,
        "name": model.name,
        "created": model.created,
        "description": f"{model.name} as simulated: {maker} answers in made-up prose...",
        "context_length": model.context_length,
        "architecture": _architecture(model),
        "pricing": model.pricing,
        "top_provider": {
            "context_length": model.served_context_length,
            "max_completion_tokens": model.max_completion_tokens,
            "is_moderated": model.moderated,
        },
        "per_request_limits": None,
        "supported_parameters": model.parameters,
        "default_parameters": dict.fromkeys(OFTEN_NULL) if model.reasoning else {},
        "supported_voices": None,
        "knowledge_cutoff": model.knowledge_cutoff,
        "expiration_date": model.expiration_date,
        "links": {"details": f"/api/v1/models/{model.canonical or model.id}/endpoints"},
        "benchmarks": {"design_arena": []},
    }
    if model.reasoning is not None:
        row["reasoning"] = model.reasoning
    if model.alias_of is not None:
        target = catalogue.find(model.alias_of)
        name = target.name if target else model.alias_of
        row["alias_target"] = {"name": name, "slug": model.alias_of}
    # Fields come without notice; a client has to ignore those it does not know.
    row["x_simulated"] = {"since": "2026-11", "flags": [None, 1, "two"]}
    return row


def endpoints_body(model: Model, *, measured: bool) -> dict[str, Any]:
    """The answer of `/models/{author}/{slug}/endpoints`; speeds only for who is logged in."""
    return {
        "data": {
            "id": model.id,
            "name": model.name,
            "created": model.created,
            "description": model.name,
            "architecture": _architecture(model),
            "endpoints": [
                _endpoint(model, endpoint, measured=measured) for endpoint in endpoints_of(model)
            ],
        }
    }


def providers_body() -> dict[str, Any]:
    """The answer of `/providers`."""
    return {
        "data": [
            {
                "name": name,
                "slug": slug,
                "privacy_policy_url": f"https://provider.invalid/{slug}/privacy",
                "terms_of_service_url": None,
                "status_page_url": None,
                "headquarters": "US",
                "datacenters": ["US"],
            }
            for name, (slug, _) in PROVIDERS.items()
        ]
    }


def _architecture(model: Model) -> Mapping[str, Any]:
    return {
        "modality": f"{'+'.join(model.inputs)}->text",
        "input_modalities": model.inputs,
        "output_modalities": ["text"],
        "tokenizer": model.tokenizer,
        "instruct_type": None,
    }


def _endpoint(model: Model, endpoint: Endpoint, *, measured: bool) -> dict[str, Any]:
    return {
        "name": f"{endpoint.provider} | {model.canonical or model.id}",
        "model_id": model.id,
        "model_name": model.name,
        # A row may have none; an endpoint's is a number for the official clients.
        "context_length": model.context_length or 0,
        "pricing": {**endpoint.pricing, "discount": 0},
        "provider_name": endpoint.provider,
        "tag": endpoint.slug,
        "quantization": endpoint.quantization,
        "max_completion_tokens": model.max_completion_tokens,
        "max_prompt_tokens": None,
        "supported_parameters": model.parameters,
        "status": 0,
        "uptime_last_30m": 95 + endpoint.pace % 6,
        "uptime_last_5m": None,
        "uptime_last_1d": 99.25,
        "supports_implicit_caching": False,
        "supports_tool_choice": dict.fromkeys(
            ("auto", "function", "none", "required"), "tools" in model.parameters
        ),
        "latency_last_30m": endpoint.latencies_ms if measured else None,
        "throughput_last_30m": endpoint.throughputs if measured else None,
        "service_tier": None,
        "native_tools": {},
        "supports_diarization": False,
        "supports_image_reference": False,
        "supports_multiple_audio_references": False,
        "supports_voice_cloning": False,
    }


def zdr_body(catalogue: Catalogue) -> dict[str, Any]:
    """The answer of `/endpoints/zdr`: all endpoints that keep nothing."""
    return {
        "data": [
            _endpoint(model, endpoint, measured=False)
            for model in catalogue.listed()
            for endpoint in endpoints_of(model)
            if endpoint.zdr
        ]
    }
