"""Generations as `/generation` tells them, once they are written: some time after their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec

from ultrai_sim.bill import BillLine
from ultrai_sim.clock import iso
from ultrai_sim.keys import WORKSPACE_ID

# Fields of `/generation` that are null here.
NEVER_KNOWN = (
    "app_id moderation_latency native_tokens_completion_images num_fetches num_input_audio_prompt "
    "num_media_completion num_media_prompt num_search_results preset_id web_search_engine"
)


@dataclass(frozen=True, slots=True)
class Try:
    """One endpoint that was asked. ``status`` is its answer's, None where there was none."""

    provider: str
    permaslug: str
    status: int | None
    latency_s: float = 0.0


class Caller(msgspec.Struct, frozen=True):
    """What a request told of itself beside its question."""

    headers: Mapping[str, str]
    raw: bytes

    def header(self, name: str) -> str | None:
        """A header's text, whatever the case of its name."""
        wanted = name.lower()
        found = (text for key, text in self.headers.items() if key.lower() == wanted)
        return next(found, None)

    def fields(self) -> Mapping[str, Any]:
        """The body's."""
        body = msgspec.json.decode(self.raw)
        return body if isinstance(body, dict) else {}


class Generation(msgspec.Struct, frozen=True):
    """A finished or cancelled request. Durations are seconds.

    It is told from ``available_at`` on. ``latency_s`` is the time to the first token, ``tries`` are
    the endpoints asked before the one that served. ``source_id`` names the generation whose answer
    was given again.
    """

    line: BillLine
    finish_reason: str | None
    native_finish_reason: str | None
    normalised: tuple[int, int]
    streamed: bool
    caller: Caller
    available_at: float
    latency_s: float = 0.0
    elapsed_s: float = 0.0
    api_type: str = "completions"
    tries: Sequence[Try] = ()
    router: str | None = None
    service_tier: str | None = None
    cache_discount: float | None = None
    source_id: str | None = None
    output: tuple[str, str | None] | None = None

    @property
    def size(self) -> int:
        """How many bytes it takes to remember, roughly."""
        return len(self.caller.raw) + sum(len(text) for text in self.output or () if text)


def endpoint_id(permaslug: str, provider: str) -> str:
    """The id of the endpoint that serves a model at a provider."""
    digest = blake2b(f"{permaslug} {provider}".encode(), digest_size=16).digest()
    return str(UUID(bytes=digest, version=4))


def generation_body(generation: Generation) -> dict[str, Any]:
    """The answer of `/generation`."""
    line, caller = generation.line, generation.caller
    asked = caller.fields()
    cost = float(line.cost_wire)
    upstream = line.upstream
    return {
        "data": {
            "id": line.generation_id,
            "request_id": f"req-{line.generation_id.removeprefix('gen-')}",
            "upstream_id": _upstream_id(line),
            "session_id": asked.get("session_id") or caller.header("x-session-id"),
            "total_cost": cost,
            "usage": cost,
            "cache_discount": generation.cache_discount,
            "upstream_inference_cost": 0 if upstream is None else float(upstream),
            "created_at": iso(line.created_at),
            "model": line.permaslug,
            "provider_name": line.provider,
            "router": generation.router,
            "api_type": generation.api_type,
            "origin": caller.header("HTTP-Referer") or "",
            "http_referer": caller.header("HTTP-Referer"),
            "user_agent": caller.header("User-Agent"),
            "external_user": asked.get("user"),
            "workspace_id": WORKSPACE_ID,
            "data_region": "global",
            "streamed": generation.streamed,
            "cancelled": line.cancelled,
            "is_byok": upstream is not None,
            "service_tier": generation.service_tier,
            "finish_reason": generation.finish_reason,
            "native_finish_reason": generation.native_finish_reason,
            "latency": round(generation.latency_s * 1000),
            "generation_time": round(generation.elapsed_s * 1000),
            "tokens_prompt": generation.normalised[0],
            "tokens_completion": generation.normalised[1],
            "native_tokens_prompt": line.prompt_tokens,
            "native_tokens_completion": line.completion_tokens,
            "native_tokens_reasoning": line.reasoning_tokens,
            "native_tokens_cached": line.cached_tokens,
            "provider_responses": _responses(generation),
            "response_cache_source_id": generation.source_id,
            **dict.fromkeys(NEVER_KNOWN.split()),
        }
    }


def content_body(generation: Generation) -> dict[str, Any]:
    """The answer of `/generation/content`: what was asked and what was said."""
    body = generation.caller.fields()
    messages, prompt = body.get("messages"), body.get("prompt")
    asked = {"messages": messages} if messages is not None else {"prompt": prompt}
    completion, reasoning = generation.output or (None, None)
    return {
        "data": {
            "input": asked,
            "output": {"completion": completion, "reasoning": reasoning},
            "error": None,
        }
    }


def _responses(generation: Generation) -> list[dict[str, Any]] | None:
    """Every endpoint that was asked, the one that served last; None where a cache served."""
    line = generation.line
    if generation.source_id is not None:
        return None
    served = Try(line.provider, line.permaslug, 200, generation.latency_s)
    return [
        {
            "status": one.status,
            "endpoint_id": endpoint_id(one.permaslug, one.provider),
            "id": _upstream_id(line),
            "is_byok": line.upstream is not None,
            "latency": round(one.latency_s * 1000),
            "model_permaslug": one.permaslug,
            "provider_name": one.provider,
        }
        for one in (*generation.tries, served)
    ]


def _upstream_id(line: BillLine) -> str:
    """The provider's own id, made from ours."""
    return f"chatcmpl-{line.generation_id.rpartition('-')[2]}"
