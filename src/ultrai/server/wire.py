"""What clients send, as types: they check the request, and the OpenAPI document is made from them.

A field that is null counts as absent. What OpenAI's clients may send and UltrAI cannot honour yet
is refused by name (`AWAITED`); a field that nobody knows is left out with a Notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

_Share = Annotated[float, Meta(ge=0, le=1)]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_Id = Annotated[str, Meta(min_length=1, max_length=400)]
_Tag = Annotated[str, Meta(min_length=1, max_length=200)]


class UltraiOptions(Struct, forbid_unknown_fields=True):
    """What a request wants beyond OpenAI's format: limits of the run, and on whose account."""

    quorum: Annotated[int, Meta(ge=1, le=1000)] | None = None
    deadline_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    max_cost_usd: str | float | int | None = None
    synthesis: str | None = None
    cache: bool | None = None
    tags: dict[_Tag, _Tag] | None = None


class StreamOptions(Struct):
    """OpenAI's options of a stream."""

    include_usage: bool | None = None


class ContentPart(Struct):
    """One part of a message: only text so far."""

    type: str
    text: str | None = None


class ChatMessage(Struct):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None


class ChatRequest(Struct):
    """The body of `POST /v1/chat/completions`."""

    model: _Id
    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=10_000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    n: Annotated[int, Meta(ge=1, le=20)] | None = None
    user: Annotated[str, Meta(max_length=200)] | None = None
    ultrai: UltraiOptions | None = None
    top_p: _Share | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    min_p: _Share | None = None
    top_a: _Share | None = None
    frequency_penalty: _Penalty | None = None
    presence_penalty: _Penalty | None = None
    repetition_penalty: Annotated[float, Meta(ge=0, le=2)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=16)] | None = None
    logit_bias: dict[str, float] | None = None
    reasoning: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    include_reasoning: bool | None = None
    verbosity: str | None = None
    response_format: dict[str, Any] | None = None
    structured_outputs: bool | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=1000)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None


class ResponsesRequest(Struct):
    """The body of `POST /v1/responses`."""

    model: _Id
    input: str | Annotated[list[dict[str, Any]], Meta(max_length=10_000)]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: _Share | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    user: Annotated[str, Meta(max_length=200)] | None = None
    reasoning: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=1000)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    ultrai: UltraiOptions | None = None


class MessagesRequest(Struct):
    """The body of `POST /v1/messages`."""

    model: _Id
    max_tokens: Annotated[int, Meta(ge=1, le=10_000_000)]
    messages: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=10_000)]
    system: str | list[dict[str, Any]] | None = None
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: _Share | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=16)] | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=1000)] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    ultrai: UltraiOptions | None = None


class DocumentText(Struct, forbid_unknown_fields=True):
    """A text that the prompt is about; its name is what answers cite."""

    name: Annotated[str, Meta(min_length=1, max_length=1000)]
    text: str


class RenderRequest(Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/render`."""

    text: str


class RunRequest(Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/runs`: the keywords of the library's `ask`.

    Whom to ask may also stand in `model`, and the limits in `ultrai`, as in chat completions.
    """

    prompt: str | None = None
    messages: Annotated[list[ChatMessage], Meta(max_length=10_000)] | None = None
    system: str | None = None
    cocktail: _Id | None = None
    models: Annotated[list[_Id], Meta(max_length=100)] | None = None
    backups: dict[_Id, list[_Id]] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    synthesis: str | None = None
    quorum: Annotated[int, Meta(ge=1, le=1000)] | None = None
    deadline_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    max_cost_usd: str | float | int | None = None
    strict: bool | None = None
    cache: bool | None = None
    tags: dict[_Tag, _Tag] | None = None
    model: _Id | None = None
    ultrai: UltraiOptions | None = None
    user: Annotated[str, Meta(max_length=200)] | None = None
    documents: Annotated[list[DocumentText], Meta(max_length=1000)] | None = None
    fit: Literal["auto", "whole", "retrieve", "summarise", "compress", "refuse"] | None = None
    pins: Annotated[list[str], Meta(max_length=100)] | None = None


PASSED_ON = (
    *("top_p", "top_k", "min_p", "top_a", "frequency_penalty", "presence_penalty"),
    *("repetition_penalty", "stop", "logit_bias", "reasoning", "reasoning_effort"),
    *("include_reasoning", "verbosity", "response_format", "structured_outputs"),
    *("tools", "tool_choice", "parallel_tool_calls"),
)
"""Parameters that go upstream as they are, to every model that takes them."""

# Field -> values of it that ask for nothing.
AWAITED: Mapping[str, tuple[object, ...]] = {
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
    "plugins": ([],),
    "models": ([],),
    "route": (),
    "provider": ({},),
    "transforms": ([],),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "best_of": (1,),
    "echo": (False,),
}
"""What changes the answer or its price, and cannot be honoured yet."""

KNOWN = frozenset(ChatRequest.__struct_fields__) | frozenset(AWAITED)

encode = msgspec.json.Encoder(decimal_format="number").encode
"""JSON of an answer; a Decimal becomes a number with all its digits."""
