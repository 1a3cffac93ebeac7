"""Answers as bytes: the body of a plain answer, the frames of a stream.

Key order, repeated ``role`` and ``content`` in every delta and the usage frame's three dialects
are those of recorded traffic. A frame is kept without its envelope (id, time, model, provider), so
that a rendered answer can be sent again under another id by one ``bytes.join``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ultrai_sim.accounting import Charge, js_number
from ultrai_sim.speech import Answer

UsageDialect = Literal["a", "b", "c"]
"""How the usage frame looks: a (to 2025-12) one choice, finish_reason null; b (2026-03) no choice;
c (since 2026-07) one choice, finish_reason repeated."""

DONE = b"data: [DONE]\n\n"
COMMENT = b": OPENROUTER PROCESSING\n\n"
encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same in every frame of one answer."""

    id: str
    created: int
    model: str
    provider: str

    def head(self) -> bytes:
        """A frame up to where its own part begins."""
        return b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,' % (
            encode(self.id),
            self.created,
        ) + b'"model":%b,"provider":%b,' % (encode(self.model), encode(self.provider))


@dataclass(frozen=True, slots=True)
class Frame:
    """One event without its envelope: what follows it, and how many tokens it brings."""

    tail: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Style:
    """How an answer is put into frames."""

    usage_dialect: UsageDialect = "c"
    tokens_per_frame: int = 3
    with_usage: bool = True
    finish_twice: bool = False


def usage_of(answer: Answer, *, prompt_tokens: int, cost: Charge) -> dict[str, Any]:
    """The ``usage`` object."""
    completion = answer.tokens
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": prompt_tokens + completion,
        "cost": _number(cost.total),
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "audio_tokens": 0,
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": _number(cost.total),
            "upstream_inference_prompt_cost": _number(cost.prompt),
            "upstream_inference_completions_cost": _number(cost.completion),
        },
        "completion_tokens_details": {
            "reasoning_tokens": len(answer.thoughts),
            "image_tokens": 0,
            "audio_tokens": 0,
        },
    }


def render_frames(answer: Answer, usage: Mapping[str, Any], *, style: Style) -> list[Frame]:
    """The frames of a stream, the usage frame last, ``[DONE]`` not included."""
    frames = list(_content_frames(answer, style.tokens_per_frame))
    finish = {
        "finish_reason": answer.finish_reason,
        "native_finish_reason": answer.native_finish_reason,
    }
    frames.append(choice_frame({}, finish))
    if style.finish_twice:
        frames.append(choice_frame({}, finish))
    if style.with_usage:
        frames.append(_usage_frame(usage, finish, dialect=style.usage_dialect))
    return frames


def choice_frame(
    delta: Mapping[str, Any],
    finish: Mapping[str, str | None] | None = None,
    *,
    beside: Mapping[str, Any] | None = None,
    tokens: int = 0,
) -> Frame:
    """A frame of one choice; ``beside`` is put after it, at the top level."""
    choice = {
        "index": 0,
        "delta": {"content": "", "role": "assistant", **delta},
        **(finish or {"finish_reason": None, "native_finish_reason": None}),
    }
    return Frame(encode({"choices": [choice], **(beside or {})})[1:] + b"\n\n", tokens)


def render_body(
    envelope: Envelope, answer: Answer, *, usage: Mapping[str, Any], error: Any = None
) -> bytes:
    """The body of an answer that is not streamed; ``error`` goes into its choice."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": answer.text if answer.pieces or answer.tool_calls else None,
        "refusal": answer.refusal,
        "reasoning": answer.reasoning,
    }
    if answer.reasoning:
        message["reasoning_details"] = [_detail(answer.reasoning)]
    if answer.tool_calls:
        message["tool_calls"] = _tool_calls(answer)
    choice = {
        "index": 0,
        "logprobs": None,
        "finish_reason": "error" if error else answer.finish_reason,
        "native_finish_reason": "error" if error else answer.native_finish_reason,
        "message": message,
    }
    if error:
        choice["error"] = error
    body = {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "provider": envelope.provider,
        "system_fingerprint": None,
        "service_tier": "default",
        "choices": [choice],
    }
    return encode(body | {"usage": usage} if usage else body)


def _content_frames(answer: Answer, size: int) -> Iterator[Frame]:
    if not answer.hides_thoughts:
        for start in range(0, len(answer.thoughts), size):
            part = answer.thoughts[start : start + size]
            text = "".join(part)
            delta = {"reasoning": text, "reasoning_details": [_detail(text)]}
            yield choice_frame(delta, tokens=len(part))
    for start in range(0, len(answer.pieces), size):
        part = answer.pieces[start : start + size]
        yield choice_frame({"content": "".join(part)}, tokens=len(part))
    if answer.refusal is not None:
        yield choice_frame({"refusal": answer.refusal}, tokens=1)
    for call in _tool_calls(answer):
        # The name comes with the first fragment only; arguments arrive in pieces.
        function, index = call["function"], call["index"]
        first = {**call, "function": {"name": function["name"], "arguments": ""}}
        yield choice_frame({"tool_calls": [first]}, tokens=4)
        later = {"index": index, "function": {"arguments": function["arguments"]}}
        yield choice_frame({"tool_calls": [later]}, tokens=4)


def _usage_frame(
    usage: Mapping[str, Any], finish: Mapping[str, str | None], *, dialect: UsageDialect
) -> Frame:
    if dialect == "b":
        return Frame(encode({"choices": [], "usage": usage})[1:] + b"\n\n")
    return choice_frame({}, finish if dialect == "c" else None, beside={"usage": usage})


def _tool_calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(answer.tool_calls)
    ]


def _detail(text: str) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}


def _number(value: float) -> msgspec.Raw:
    return msgspec.Raw(js_number(value).encode())
