"""What an upstream says about one completion, as typed values: one frame, or one whole body.

Theory of operation. Nearly every frame has the types that the documentation gives, and msgspec
decodes those directly. A frame that it refuses (a number where text should be, NaN, a lone
surrogate, bytes that are no UTF-8) goes to `lenient`, which takes from it whatever is usable. Both
ways end in the same `Frame`, in which everything may be absent.

`usage.cost` stays the raw text of the JSON number: money never becomes a float.

It does not know what a Frame means in its place in a stream; that is `transcript`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from ultrai.domain.outcome import Usage
from ultrai.upstream.lenient import integer, items, mapping, parse_json, text, write_json

_NO_RAW: Final = Raw()
_NOTHING: Final = (b"", b"null", b"false", b'""', b"{}", b"[]")
_LONGEST_COST: Final = 64


class Function(Struct, gc=False):
    """The function half of a tool call, or of a piece of one."""

    name: str | None = None
    arguments: str | None = None


class ToolPiece(Struct, gc=False):
    """A tool call, or a piece of one; pieces with one index belong together."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Part(Struct, gc=False):
    """`delta` of a chunk or `message` of a whole answer: the same fields."""

    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: Raw = _NO_RAW
    refusal: str | None = None
    tool_calls: list[ToolPiece] | None = None


class Choice(Struct, gc=False):
    """One of `choices`; UltrAI never asks for more than one."""

    index: int | None = None
    delta: Part | None = None
    message: Part | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    error: Raw = _NO_RAW


class PromptDetails(Struct, gc=False):
    """Of the prompt's tokens, those read from a provider's cache."""

    cached_tokens: int | None = None


class CompletionDetails(Struct, gc=False):
    """Of the completion's tokens, those that were reasoning."""

    reasoning_tokens: int | None = None


class CostDetails(Struct, gc=False):
    """What the provider charged; USD, unparsed."""

    upstream_inference_cost: Raw = _NO_RAW


class UsageFrame(Struct, gc=False):
    """`usage`; `cost` is USD, unparsed. `is_byok`: paid with the user's own key at the provider."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: Raw = _NO_RAW
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    is_byok: bool | None = None
    cost_details: CostDetails | None = None


class Frame(Struct, gc=False):
    """One chunk of a stream, or the body of an answer that came in one piece."""

    id: str | None = None
    model: str | None = None
    provider: str | None = None
    choices: list[Choice] | None = None
    usage: UsageFrame | None = None
    error: Raw = _NO_RAW


_decode: Final = msgspec.json.Decoder(Frame).decode


def decode_frame(payload: bytes) -> Frame | None:
    """The Frame in a payload; None when it is not a JSON object by any reading."""
    try:
        return _decode(payload)
    except (ValueError, RecursionError):
        shape = parse_json(payload)
    return _frame(mapping(shape)) if isinstance(shape, dict) else None


def is_something(raw: Raw) -> bool:
    """Whether a raw value is there and says anything: `"error": null` says nothing."""
    return bytes(raw) not in _NOTHING


def read_usage(frame: UsageFrame) -> Usage:
    """The token counts; a count that cannot be one is None."""
    prompt, completion = frame.prompt_tokens_details, frame.completion_tokens_details
    return Usage(
        prompt_tokens=_count(frame.prompt_tokens),
        completion_tokens=_count(frame.completion_tokens),
        reasoning_tokens=_count(completion.reasoning_tokens) if completion else None,
        cached_tokens=_count(prompt.cached_tokens) if prompt else None,
    )


def read_cost(frame: UsageFrame) -> str | None:
    """The upstream's own figure in USD, as its JSON has it; None where there is none."""
    return _figure(frame.cost)


def read_byok_cost(frame: UsageFrame) -> str | None:
    """What the provider charged to the user's own key (BYOK); None where it was not used."""
    details = frame.cost_details
    return _figure(details.upstream_inference_cost) if frame.is_byok and details else None


def _figure(figure: Raw) -> str | None:
    raw = bytes(figure).decode("ascii", "replace").strip().strip('"')
    looks_like_one = raw[:1].isdigit() or raw[:1] in "-+."
    return raw if raw and looks_like_one and len(raw) <= _LONGEST_COST else None


def read_reasoning_details(raw: Raw) -> str:
    """The readable text in `reasoning_details`: of texts and summaries, not of ciphers."""
    if len(bytes(raw)) <= len(b"null"):
        return ""
    details = items(parse_json(bytes(raw)))
    return "".join(
        text(d.get("text")) or text(d.get("summary")) or "" for d in map(mapping, details)
    )


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < 2**53 else None


def _frame(shape: Mapping[str, object]) -> Frame:
    usage = shape.get("usage")
    return Frame(
        id=text(shape.get("id")),
        model=text(shape.get("model")),
        provider=text(shape.get("provider")),
        choices=[_choice(mapping(choice)) for choice in items(shape.get("choices"))],
        usage=_usage(mapping(usage)) if isinstance(usage, dict) else None,
        error=_raw(shape.get("error")),
    )


def _choice(shape: Mapping[str, object]) -> Choice:
    delta, message = shape.get("delta"), shape.get("message")
    return Choice(
        index=integer(shape.get("index")),
        delta=_part(mapping(delta)) if isinstance(delta, dict) else None,
        message=_part(mapping(message)) if isinstance(message, dict) else None,
        finish_reason=text(shape.get("finish_reason")),
        native_finish_reason=text(shape.get("native_finish_reason")),
        error=_raw(shape.get("error")),
    )


def _part(shape: Mapping[str, object]) -> Part:
    return Part(
        content=_content(shape.get("content")),
        reasoning=text(shape.get("reasoning")),
        reasoning_content=text(shape.get("reasoning_content")),
        reasoning_details=_raw(shape.get("reasoning_details")),
        refusal=text(shape.get("refusal")),
        tool_calls=[_tool(mapping(t)) for t in items(shape.get("tool_calls"))],
    )


def _content(value: object) -> str | None:
    """Text, or a list of parts of which the text ones count."""
    if isinstance(value, list):
        return "".join(text(mapping(part).get("text")) or "" for part in value)
    return text(value)


def _tool(shape: Mapping[str, object]) -> ToolPiece:
    function = mapping(shape.get("function"))
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        arguments = write_json(arguments).decode()
    return ToolPiece(
        index=integer(shape.get("index")),
        id=text(shape.get("id")),
        function=Function(name=text(function.get("name")), arguments=text(arguments)),
    )


def _usage(shape: Mapping[str, object]) -> UsageFrame:
    prompt = mapping(shape.get("prompt_tokens_details"))
    completion = mapping(shape.get("completion_tokens_details"))
    details = mapping(shape.get("cost_details"))
    return UsageFrame(
        prompt_tokens=integer(shape.get("prompt_tokens")),
        completion_tokens=integer(shape.get("completion_tokens")),
        cost=_raw(shape.get("cost")),
        prompt_tokens_details=PromptDetails(integer(prompt.get("cached_tokens"))),
        completion_tokens_details=CompletionDetails(integer(completion.get("reasoning_tokens"))),
        is_byok=shape.get("is_byok") is True,
        cost_details=CostDetails(_raw(details.get("upstream_inference_cost"))),
    )


def _raw(value: object) -> Raw:
    return Raw(write_json(value))
