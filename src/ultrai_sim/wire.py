"""Answers as bytes: the body of a plain answer, the frames of a stream.

Key order, repeated ``role`` and ``content`` in every delta and the usage frame's three dialects
are those of recorded traffic. Bodies and frames are kept without their envelope (id, time, model,
provider), so that a rendered answer can be sent again under another id by one ``bytes.join``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ultrai_sim.legacy_wire import text_choice, text_choices
from ultrai_sim.reasoning_wire import details_of, reasoning_deltas
from ultrai_sim.speech import Answer, Citation, ToolCall

UsageDialect = Literal["a", "b", "c"]
"""How the usage frame looks: a (to 2025-12) one choice, finish_reason null; b (2026-03) no choice;
c (since 2026-07) one choice, finish_reason repeated."""

DONE = b"data: [DONE]\n\n"
USAGE = b'"usage":'
TEXT = b"text_completion"
COMMENT = b": OPENROUTER PROCESSING\n\n"
NOT_ENDED: Mapping[str, Any] = {"finish_reason": None, "native_finish_reason": None}
# What most frames are: a piece of text, put together without a detour.
CONTENT = (
    b'"choices":[{"index":0,"delta":{"content":%b,"role":"assistant"},'
    b'"finish_reason":null,"native_finish_reason":null}]}\n\n'
)
encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same in every frame of one answer. ``legacy``: a text completion."""

    id: str
    created: int
    model: str
    provider: str
    legacy: bool = False

    def head(self) -> bytes:
        """A frame up to where its own part begins."""
        return b"data: " + self._opening(TEXT if self.legacy else b"chat.completion.chunk")

    def opening(self) -> bytes:
        """A body up to where its own part begins."""
        return self._opening(TEXT if self.legacy else b"chat.completion")

    def _opening(self, kind: bytes) -> bytes:
        return b'{"id":%b,"object":"%b","created":%d,"model":%b,"provider":%b,' % (
            encode(self.id),
            kind,
            self.created,
            encode(self.model),
            encode(self.provider),
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """One event without its envelope: what follows it, and how many tokens it brings."""

    tail: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Style:
    """How an answer is put into frames or a body, and which of its provider's marks it bears.

    ``legacy``: as a text completion.
    """

    usage_dialect: UsageDialect = "c"
    tokens_per_frame: int = 3
    with_usage: bool = True
    finish_twice: bool = False
    fingerprint: str | None = None
    tier: str | None = None
    legacy: bool = False


def render_frames(answer: Answer, usage: Mapping[str, Any], *, style: Style) -> list[Frame]:
    """The frames of a stream, the usage frame last, ``[DONE]`` not included."""
    if style.legacy:
        return _text_frames(answer, usage, style=style)
    frames = list(_content_frames(answer, style.tokens_per_frame))
    finish = _finish(answer)
    delta = {"reasoning": None} if answer.shown else {}
    marks = {"system_fingerprint": style.fingerprint} if style.fingerprint else {}
    frames.append(choice_frame(delta, finish, before=marks))
    if style.finish_twice:
        frames.append(frames[-1])
    if style.with_usage:
        frames.append(_usage_frame(usage, finish, style=style))
    return frames


def choice_frame(
    delta: Mapping[str, Any],
    finish: Mapping[str, Any] | None = None,
    *,
    before: Mapping[str, Any] | None = None,
    beside: Mapping[str, Any] | None = None,
    tokens: int = 0,
) -> Frame:
    """A frame of one choice, with what stands before and behind it at the top level.

    ``finish`` is what the choice holds beside its delta.
    """
    choice = {
        "index": 0,
        "delta": {"content": "", "role": "assistant", **delta},
        **(finish or NOT_ENDED),
    }
    whole = {**(before or {}), "choices": [choice], **(beside or {})}
    return Frame(encode(whole)[1:] + b"\n\n", tokens)


def render_body(
    answer: Answer, usage: Mapping[str, Any], *, style: Style, error: Any = None
) -> bytes:
    """The body of an answer that is not streamed, from behind its envelope's opening on.

    ``error`` goes into its choice.
    """
    if style.legacy:
        choice = text_choice(answer.text, _finish(answer), reasoning=answer.reasoning)
        return _body(choice, usage, style=style)
    choice = {
        "index": 0,
        "logprobs": None if answer.rivals is None else logprobs_of(answer.pieces, answer.rivals),
        "finish_reason": "error" if error else answer.finish_reason,
        "native_finish_reason": "error" if error else answer.native_finish_reason,
        "message": _message(answer),
    }
    if error:
        choice["error"] = error
    return _body(choice, usage, style=style)


def _body(choice: Mapping[str, Any], usage: Mapping[str, Any], *, style: Style) -> bytes:
    body = {
        "system_fingerprint": style.fingerprint,
        "service_tier": style.tier,
        "choices": [choice],
    }
    return encode(body | {"usage": usage} if style.with_usage else body)[1:]


def logprobs_of(pieces: Sequence[str], rivals: int) -> dict[str, Any]:
    """Made-up log probabilities of text: likely tokens, each with so many less likely ones."""
    return {"content": [_probable(piece, rivals) for piece in pieces], "refusal": None}


def _finish(answer: Answer) -> dict[str, str]:
    return {
        "finish_reason": answer.finish_reason,
        "native_finish_reason": answer.native_finish_reason,
    }


def _text_frames(answer: Answer, usage: Mapping[str, Any], *, style: Style) -> list[Frame]:
    frames = [
        Frame(encode({"choices": [choice]})[1:] + b"\n\n", tokens)
        for choice, tokens in text_choices(answer, style.tokens_per_frame)
    ]
    ended = text_choice("", _finish(answer))
    frames.append(Frame(encode({"choices": [ended]})[1:] + b"\n\n"))
    if style.with_usage:
        frames.append(Frame(encode({"choices": [ended], "usage": usage})[1:] + b"\n\n"))
    return frames


def _message(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": answer.text if answer.pieces or answer.tool_calls else None,
        "refusal": answer.refusal,
        "reasoning": answer.reasoning,
    }
    if answer.tool_calls:
        message["tool_calls"] = [
            {"type": "function", "index": index, "id": call.id}
            | {"function": {"name": call.name, "arguments": call.arguments}}
            for index, call in enumerate(answer.tool_calls)
        ]
    if answer.shown:
        message["reasoning_details"] = details_of(answer)
    if answer.citations:
        message["annotations"] = [_annotation(citation) for citation in answer.citations]
    return message


def _content_frames(answer: Answer, size: int) -> Iterator[Frame]:
    for delta, tokens in reasoning_deltas(answer, size):
        yield choice_frame(delta, tokens=tokens)
    # Excerpts come before the text they are for, places in a text after it.
    cited = [choice_frame({"annotations": [_annotation(one)]}) for one in answer.citations]
    first = bool(answer.citations and answer.citations[0].content)
    yield from cited if first else ()
    # Thoughts that nobody sees are paid with the first words.
    unseen = 0 if answer.shown else len(answer.thoughts)
    for start in range(0, len(answer.pieces), size):
        part = answer.pieces[start : start + size]
        text, tokens = "".join(part), len(part) + unseen
        unseen = 0
        if answer.rivals is None:
            yield Frame(CONTENT % encode(text), tokens)
        else:
            odds = {"logprobs": logprobs_of(part, answer.rivals)}
            yield choice_frame({"content": text}, {**NOT_ENDED, **odds}, tokens=tokens)
    if answer.refusal is not None:
        yield choice_frame({"refusal": answer.refusal}, tokens=1)
    for index, call in enumerate(answer.tool_calls):
        yield from _call_frames(index, call, size=size)
    yield from () if first else cited


def _call_frames(index: int, call: ToolCall, *, size: int) -> Iterator[Frame]:
    """A call in fragments: the name comes with the first only, arguments arrive in pieces."""
    head = {"index": index, "id": call.id, "type": "function"}
    first = {**head, "function": {"name": call.name, "arguments": ""}}
    yield choice_frame({"tool_calls": [first]}, tokens=call.naming)
    for start in range(0, len(call.pieces), size):
        part = call.pieces[start : start + size]
        later = {"index": index, "function": {"arguments": "".join(part)}}
        yield choice_frame({"tool_calls": [later]}, tokens=len(part))


def _usage_frame(
    usage: Mapping[str, Any], finish: Mapping[str, str | None], *, style: Style
) -> Frame:
    if style.usage_dialect == "b":
        return Frame(encode({"choices": [], "usage": usage})[1:] + b"\n\n")
    if style.usage_dialect == "a":
        return choice_frame({}, beside={"usage": usage})
    return choice_frame({}, finish, before={"service_tier": style.tier}, beside={"usage": usage})


def _annotation(citation: Citation) -> dict[str, Any]:
    cited: dict[str, Any] = {
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start,
        "end_index": citation.end,
    }
    if citation.content:
        cited["content"] = citation.content
    return {"type": "url_citation", "url_citation": cited}


def _probable(piece: str, rivals: int) -> dict[str, Any]:
    # Any number will do that is the same for the same token and looks like a probability's.
    odds = sum(map(ord, piece)) % 97 / 100
    told = [_token(piece, -odds), *(_token(f"{piece}{n}", -odds - n) for n in range(1, rivals))]
    return {**_token(piece, -odds), "top_logprobs": told[:rivals]}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "bytes": list(text.encode("utf-8", "replace")), "logprob": logprob}
