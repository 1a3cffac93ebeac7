"""`POST /v1/messages`: Anthropic's Messages, as far as text, tools and streaming go.

https://docs.anthropic.com/en/api/messages. A message has one voice: a cocktail speaks in one text
(`ultrai/NAME`) or by its first answer (`:first`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from ultrai.domain.cocktail import CocktailBook
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.report import Report
from ultrai.server.chunks import Chunks
from ultrai.server.dialect import Dialect, Translated
from ultrai.server.parsing import Order, Shape, decode, order_from, typed
from ultrai.server.problems import Problem, bad_request, not_available_yet
from ultrai.server.rendering import about as about_report
from ultrai.server.rendering import choices_of, model_of, usage_of
from ultrai.server.wire import MessagesRequest, encode

_AWAITED = ("container", "mcp_servers", "context_management")
_HARMLESS = frozenset({"metadata", "service_tier", "inference_geo", "cache_control"})
_KNOWN = frozenset(MessagesRequest.__struct_fields__) | _HARMLESS | set(_AWAITED)
_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
# https://docs.anthropic.com/en/api/errors
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def order_of(body: bytes, book: CocktailBook) -> Order:
    """The Order. Raises Refused, ModelNotFound and UsageError; nothing was sent then."""
    fields = decode(body)
    for name in _AWAITED:
        if fields.get(name):
            raise not_available_yet(name, param=name)
    request = typed({n: v for n, v in fields.items() if n in _KNOWN}, MessagesRequest)
    names = ("temperature", "top_p", "top_k", "ultrai")
    passed = {name: fields[name] for name in names if fields.get(name) is not None}
    order = order_from({**_chat_of(request), **passed}, book)
    if order.shape is Shape.ALL:
        raise bad_request("a message has one voice: leave :all out, or use :first", param="model")
    unknown = [name for name in fields if name not in _KNOWN and fields[name] is not None]
    notices = [
        Notice(NoticeCode.PARAMETER_DROPPED, f"{name[:80]!r} is not known and was left out")
        for name in unknown[:5]
    ]
    return replace(order, ask=replace(order.ask, notices=(*order.ask.notices, *notices)))


def _chat_of(request: MessagesRequest) -> dict[str, Any]:
    """The body of chat completions that it amounts to."""
    chat: dict[str, Any] = {
        "model": request.model,
        "messages": _conversation(request),
        "max_tokens": request.max_tokens,
        "stream": request.stream,
    }
    if request.stop_sequences:
        chat["stop"] = request.stop_sequences
    if request.thinking and request.thinking.get("type") == "enabled":
        chat["reasoning"] = {"max_tokens": request.thinking.get("budget_tokens")}
    if request.tools:
        chat["tools"] = [_tool(tool, place) for place, tool in enumerate(request.tools)]
    if request.tool_choice is not None:
        chat |= _tool_choice(request.tool_choice)
    user = (request.metadata or {}).get("user_id")
    if isinstance(user, str):
        chat["user"] = user[:200]
    return chat


def _conversation(request: MessagesRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": _text(request.system, "system")})
    for place, message in enumerate(request.messages):
        where = f"messages[{place}].content"
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant"):
            raise bad_request(f"messages[{place}].role must be user or assistant", param=where)
        if isinstance(content, str):
            messages.append({"role": role, "content": content})
        elif isinstance(content, list):
            messages += _blocks(str(role), content, where=where)
        else:
            raise bad_request(f"{where} must be text or a list", param=where)
    return messages


def _blocks(role: str, blocks: list[Any], *, where: str) -> list[dict[str, Any]]:
    """One message's blocks: results of tools first, as messages of their own, then the rest."""
    results: list[dict[str, Any]] = []
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "tool_result":
            text = _text(block.get("content") or "", where)
            text = f"Error: {text}" if block.get("is_error") else text
            results.append(
                {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": text}
            )
        elif kind == "tool_use":
            arguments = msgspec.json.encode(block.get("input") or {}).decode()
            function = {"name": block.get("name"), "arguments": arguments}
            calls.append({"id": block.get("id"), "type": "function", "function": function})
        elif kind not in ("thinking", "redacted_thinking"):  # a thought is its model's own
            texts.append(_text([block], where))
    messages = list(results)
    if calls:
        said = "\n".join(texts) or None
        messages.append({"role": role, "content": said, "tool_calls": calls})
    elif texts or not results:
        messages.append({"role": role, "content": "\n".join(texts)})
    return messages


def _text(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for given in content if isinstance(content, list) else [None]:
        block = given if isinstance(given, dict) else {}
        if block.get("type") != "text":
            raise not_available_yet(f"content of type {block.get('type')!r}", param=where)
        if not isinstance(block.get("text"), str):
            raise bad_request(f"{where} has a block without text", param=where)
        texts.append(block["text"])
    return "\n".join(texts)


def _tool(tool: dict[str, Any], place: int) -> dict[str, Any]:
    if tool.get("type", "custom") != "custom":
        raise not_available_yet(f"a tool of type {tool.get('type')!r}", param=f"tools[{place}]")
    function = {"name": tool.get("name"), "parameters": tool.get("input_schema") or {}}
    if tool.get("description"):
        function["description"] = tool["description"]
    return {"type": "function", "function": function}


def _tool_choice(choice: dict[str, Any]) -> dict[str, Any]:
    kind = choice.get("type")
    wanted: dict[str, Any] = {}
    if kind == "tool":
        wanted["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif kind in _CHOICES:
        wanted["tool_choice"] = _CHOICES[kind]
    else:
        raise bad_request(f"tool_choice {kind!r} is not known", param="tool_choice")
    if choice.get("disable_parallel_tool_use"):
        wanted["parallel_tool_calls"] = False
    return wanted


def message_of(order: Order, report: Report) -> dict[str, object]:
    """The whole message of a Run that has an Answer."""
    (choice,) = choices_of(order, report)
    said = choice["message"]
    assert isinstance(said, dict)
    content: list[dict[str, Any]] = []
    if said.get("reasoning"):
        content.append({"type": "thinking", "thinking": said["reasoning"], "signature": ""})
    if said.get("content"):
        content.append({"type": "text", "text": said["content"]})
    content += [_tool_use(call) for call in said.get("tool_calls") or ()]
    return {
        **_base(report.id, model_of(order, report)),
        "content": content,
        "stop_reason": _STOPS.get(str(choice["finish_reason"]), "end_turn"),
        "usage": _usage(usage_of(report)),
        "ultrai": about_report(report),
    }


def _base(run_id: str, model: str) -> dict[str, Any]:
    return {
        "id": f"msg_{run_id.removeprefix('run_')}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _tool_use(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    try:
        arguments = msgspec.json.decode(function["arguments"] or "{}")
    except msgspec.DecodeError:
        arguments = {"_invalid_json": function["arguments"]}
    if not isinstance(arguments, dict):
        arguments = {"_value": arguments}
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": arguments}


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return {
        "input_tokens": max(0, (usage.get("prompt_tokens") or 0) - cached),
        "output_tokens": usage.get("completion_tokens") or 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "cost": usage.get("cost"),
    }


class _Events:
    """Chunks of chat completions in, events of a message out."""

    def __init__(self, run_id: str, model: str) -> None:
        self._base = _base(run_id, model)
        self._has_begun = False
        self._index = -1
        self._kind: str | None = None
        self._stop = "end_turn"

    def take(self, chunk: dict[str, Any]) -> bytes:
        """What one chunk adds."""
        said: list[bytes] = []
        if not self._has_begun:
            self._has_begun = True
            model = chunk.get("model") or self._base["model"]
            message = {**self._base, "model": model, "usage": _usage({})}
            said.append(_say("message_start", message=message))
        for row in chunk["choices"]:
            said += self._row(row)
        if "ultrai" in chunk:
            said += self._end(chunk)
        return b"".join(said)

    def _row(self, row: dict[str, Any]) -> list[bytes]:
        said: list[bytes] = []
        delta = row["delta"]
        if delta.get("reasoning"):
            said += self._open("thinking", {"thinking": "", "signature": ""})
            said.append(self._add({"type": "thinking_delta", "thinking": delta["reasoning"]}))
        if delta.get("content"):
            said += self._open("text", {"text": ""})
            said.append(self._add({"type": "text_delta", "text": delta["content"]}))
        for call in delta.get("tool_calls") or ():
            said += self._close()
            said += self._open("tool_use", {**_tool_use(call), "input": {}})
            arguments = call["function"]["arguments"] or "{}"
            said.append(self._add({"type": "input_json_delta", "partial_json": arguments}))
            said += self._close()
        if row.get("finish_reason"):
            self._stop = _STOPS.get(row["finish_reason"], "end_turn")
        return said

    def _open(self, kind: str, block: dict[str, Any]) -> list[bytes]:
        if self._kind == kind:
            return []
        said = self._close()
        self._kind = kind
        self._index += 1
        shape = {"type": kind, **block}
        return [*said, _say("content_block_start", index=self._index, content_block=shape)]

    def _add(self, delta: dict[str, Any]) -> bytes:
        return _say("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> list[bytes]:
        if self._kind is None:
            return []
        self._kind = None
        return [_say("content_block_stop", index=self._index)]

    def _end(self, chunk: dict[str, Any]) -> list[bytes]:
        said = self._close()
        error = chunk.get("error")
        if error is not None:
            return [*said, _error_event(error.get("status") or 500, str(error.get("message")))]
        delta = {"stop_reason": self._stop, "stop_sequence": None}
        usage = _usage(chunk.get("usage") or {})
        ending = _say("message_delta", delta=delta, usage=usage, ultrai=chunk["ultrai"])
        return [*said, ending, _say("message_stop")]


def _say(kind: str, **more: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode({"type": kind, **more}))


def _error_event(status: int, message: str) -> bytes:
    return _say("error", error={"type": _ERRORS.get(status, "api_error"), "message": message})


def error_of(problem: Problem) -> dict[str, object]:
    """An error as Anthropic's clients read it, with ours beside it."""
    kind = _ERRORS.get(problem.status, "api_error")
    shape = problem.to_dict()
    error = {**problem.error, "type": kind}
    return {"type": "error", "error": error, "ultrai": shape["ultrai"]}


def _stream(order: Order, run_id: str, *, created: int) -> Translated:
    events = _Events(run_id, order.model)
    return Translated(Chunks(order, run_id, created=created), events.take)


def _broken(problem: Problem) -> bytes:
    return _error_event(problem.status, problem.message)


MESSAGES = Dialect(order_of, message_of, _stream, _broken, error_of)
"""Anthropic's Messages."""
