"""`POST /v1/responses`: OpenAI's Responses, as far as text, tools and streaming go.

https://platform.openai.com/docs/api-reference/responses. Nothing is kept between requests, so
`previous_response_id` is refused. Each choice of a stream is an item of the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ultrai.domain.cocktail import CocktailBook
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.report import Report
from ultrai.server.chunks import Chunks
from ultrai.server.dialect import Dialect, Translated
from ultrai.server.parsing import Order, decode, order_from, typed
from ultrai.server.problems import Problem, bad_request, not_available_yet
from ultrai.server.rendering import about as about_report
from ultrai.server.rendering import choices_of, created_s, model_of, usage_of
from ultrai.server.wire import ResponsesRequest, encode

_PASSED_ON = ("temperature", "top_p", "user", "parallel_tool_calls", "ultrai", "seed")
# Field -> values of it that ask for nothing.
_AWAITED: Mapping[str, tuple[object, ...]] = {
    "previous_response_id": (),
    "conversation": (),
    "background": (False,),
    "prompt": (),
    "max_tool_calls": (),
    "top_logprobs": (0,),
}
_HARMLESS = frozenset(
    {"store", "metadata", "truncation", "include", "service_tier", "safety_identifier"}
    | {"prompt_cache_key", "prompt_cache_retention", "stream_options"}
)
_KNOWN = frozenset(ResponsesRequest.__struct_fields__) | set(_AWAITED) | _HARMLESS
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def order_of(body: bytes, book: CocktailBook) -> Order:
    """The Order. Raises Refused, ModelNotFound and UsageError; nothing was sent then."""
    fields = decode(body)
    for name, harmless in _AWAITED.items():
        if fields.get(name) is not None and fields[name] not in harmless:
            raise not_available_yet(name, param=name)
    request = typed({n: v for n, v in fields.items() if n in _KNOWN}, ResponsesRequest)
    chat: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(request),
        "stream": request.stream,
        **{name: fields[name] for name in _PASSED_ON if fields.get(name) is not None},
    }
    if request.max_output_tokens is not None:
        chat["max_completion_tokens"] = request.max_output_tokens
    if request.reasoning and request.reasoning.get("effort"):
        chat["reasoning"] = {"effort": request.reasoning["effort"]}
    if request.tools:
        chat["tools"] = [_tool(tool, place) for place, tool in enumerate(request.tools)]
    if request.tool_choice is not None:
        chat["tool_choice"] = _tool_choice(request.tool_choice)
    chat |= _text_options(request.text or {})
    order = order_from(chat, book)
    unknown = [name for name in fields if name not in _KNOWN and fields[name] is not None]
    notices = [_remark(f"{name[:80]!r} is not known and was left out") for name in unknown[:5]]
    if fields.get("store"):
        notices.append(_remark("store: the run is in the history of UltrAI, and nowhere else"))
    ask = replace(order.ask, notices=(*order.ask.notices, *notices))
    return replace(order, ask=ask)


def _remark(text: str) -> Notice:
    return Notice(NoticeCode.PARAMETER_DROPPED, text)


def _messages(request: ResponsesRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if request.instructions:
        messages.append({"role": "system", "content": request.instructions})
    if isinstance(request.input, str):
        return [*messages, {"role": "user", "content": request.input}]
    for place, item in enumerate(request.input):
        messages += _item(item, f"input[{place}]")
    return messages


def _item(item: dict[str, Any], place: str) -> list[dict[str, Any]]:
    """The messages that an item of the input is."""
    kind = item.get("type", "message")
    if kind == "message":
        return [{"role": item.get("role"), "content": _content(item.get("content"), place)}]
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        return [{"role": "assistant", "content": None, "tool_calls": [call]}]
    if kind == "function_call_output":
        output = item.get("output")
        text = output if isinstance(output, str) else _content(output, f"{place}.output")
        return [{"role": "tool", "tool_call_id": item.get("call_id"), "content": text}]
    if kind == "reasoning":
        return []  # what a model thought is its own; none of ours takes another's
    raise not_available_yet(f"an item of type {kind!r}", param=place)


def _content(content: object, place: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise bad_request(f"{place}.content must be text or a list", param=f"{place}.content")
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in ("input_text", "output_text", "text", "refusal"):
            raise not_available_yet(f"content of type {kind!r}", param=f"{place}.content")
        text = part.get("text", part.get("refusal"))
        if not isinstance(text, str):
            raise bad_request(f"{place}.content has a part without text", param=place)
        texts.append(text)
    return "\n".join(texts)


def _tool(tool: dict[str, Any], place: int) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise not_available_yet(f"a tool of type {tool.get('type')!r}", param=f"tools[{place}]")
    names = ("name", "description", "parameters", "strict")
    function = {name: tool[name] for name in names if tool.get(name) is not None}
    return {"type": "function", "function": function}


def _tool_choice(choice: str | dict[str, Any]) -> object:
    if isinstance(choice, str):
        return choice
    if choice.get("type") != "function":
        raise not_available_yet(f"tool_choice {choice.get('type')!r}", param="tool_choice")
    return {"type": "function", "function": {"name": choice.get("name")}}


def _text_options(text: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if text.get("verbosity") is not None:
        options["verbosity"] = text["verbosity"]
    wanted = text.get("format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        names = ("name", "schema", "strict", "description")
        schema = {name: wanted[name] for name in names if wanted.get(name) is not None}
        options["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif isinstance(wanted, dict) and wanted.get("type") not in (None, "text"):
        options["response_format"] = wanted
    return options


def response_of(order: Order, report: Report) -> dict[str, object]:
    """The whole Response of a Run that has an Answer."""
    base = _base(order, report.id, created=created_s(report))
    output: list[dict[str, object]] = []
    reasons: list[str] = []
    for choice in choices_of(order, report):
        message = choice["message"]
        assert isinstance(message, dict)
        reasons.append(str(choice["finish_reason"]))
        output += _items(base["id"], len(output), message=message)
    return {
        **base,
        "model": model_of(order, report),
        "output": output,
        **_ending(reasons),
        "usage": _usage(usage_of(report)),
        "ultrai": about_report(report),
    }


def _base(order: Order, run_id: str, *, created: int) -> dict[str, Any]:
    sampling = order.ask.sampling
    return {
        "id": f"resp_{run_id.removeprefix('run_')}",
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": sampling.max_tokens,
        "metadata": {},
        "model": order.model,
        "output": [],
        "parallel_tool_calls": bool(sampling.extra.get("parallel_tool_calls", True)),
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": sampling.temperature,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": sampling.extra.get("top_p"),
        "truncation": "disabled",
        "usage": None,
    }


def _ending(reasons: list[str]) -> dict[str, object]:
    """How a Response with an Answer ends: cut if any of its items was."""
    cut = next((_INCOMPLETE[each] for each in reasons if each in _INCOMPLETE), None)
    if cut is None:
        return {"status": "completed", "incomplete_details": None}
    return {"status": "incomplete", "incomplete_details": {"reason": cut}}


def _items(response_id: object, first: int, *, message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message's text and its calls, as items of the output; none where there is neither."""
    items: list[dict[str, Any]] = []
    if message.get("content"):
        items.append(_message_item(f"{response_id}_{first}", message["content"]))
    for call in message.get("tool_calls") or ():
        items.append(_call_item(f"{response_id}_{first + len(items)}", call))
    return items


def _message_item(item_id: str, text: str, *, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"msg_{item_id.removeprefix('resp_')}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [_part(text)] if status == "completed" else [],
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call_item(item_id: str, call: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"fc_{item_id.removeprefix('resp_')}",
        "type": "function_call",
        "status": "completed",
        "call_id": call["id"],
        "name": call["function"]["name"],
        "arguments": call["function"]["arguments"],
    }


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    prompt, completion = usage["prompt_tokens"] or 0, usage["completion_tokens"] or 0
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": prompt + completion,
        "cost": usage.get("cost"),
    }


@dataclass
class _Item:
    """A choice whose text is being sent."""

    place: int
    item_id: str
    parts: list[str] = field(default_factory=list)
    is_open: bool = True

    @property
    def at(self) -> dict[str, object]:
        """Where its text stands in the Response."""
        return {"item_id": self.item_id, "output_index": self.place, "content_index": 0}


class _Events:
    """Chunks of chat completions in, events of a Response out."""

    def __init__(self, base: dict[str, Any]) -> None:
        self._base = base
        self._number = 0
        self._output: list[dict[str, Any]] = []
        self._texts: dict[int, _Item] = {}
        self._reasons: list[str] = []
        self._has_begun = False

    def take(self, chunk: dict[str, Any]) -> bytes:
        """What one chunk adds."""
        said: list[bytes] = []
        if not self._has_begun:
            self._has_begun = True
            opening = {**self._base, "model": chunk.get("model") or self._base["model"]}
            self._base = opening
            said += [
                self._say(f"response.{n}", response=opening) for n in ("created", "in_progress")
            ]
        for row in chunk["choices"]:
            said += self._row(row)
        if "ultrai" in chunk:
            said += self._end(chunk)
        return b"".join(said)

    def _row(self, row: dict[str, Any]) -> list[bytes]:
        said: list[bytes] = []
        delta, index = row["delta"], row["index"]
        if delta.get("content"):
            said += self._text(index, delta["content"])
        for call in delta.get("tool_calls") or ():
            said += [*self._close(index), *self._call(call)]
        if row.get("finish_reason"):
            self._reasons.append(row["finish_reason"])
            said += self._close(index)
        return said

    def _text(self, index: int, text: str) -> list[bytes]:
        said: list[bytes] = []
        item = self._texts.get(index)
        if item is None or not item.is_open:
            place = len(self._output)
            item = self._texts[index] = _Item(place, "")
            shape = _message_item(f"{self._base['id']}_{place}", "", status="in_progress")
            item.item_id = shape["id"]
            self._output.append(shape)
            said.append(self._say("response.output_item.added", output_index=place, item=shape))
            said.append(self._say("response.content_part.added", **item.at, part=_part("")))
        item.parts.append(text)
        said.append(self._say("response.output_text.delta", **item.at, delta=text, logprobs=[]))
        return said

    def _close(self, index: int) -> list[bytes]:
        item = self._texts.get(index)
        if item is None or not item.is_open:
            return []
        item.is_open = False
        text = "".join(item.parts)
        whole = _message_item(f"{self._base['id']}_{item.place}", text)
        self._output[item.place] = whole
        return [
            self._say("response.output_text.done", **item.at, text=text, logprobs=[]),
            self._say("response.content_part.done", **item.at, part=_part(text)),
            self._say("response.output_item.done", output_index=item.place, item=whole),
        ]

    def _call(self, call: dict[str, Any]) -> list[bytes]:
        place = len(self._output)
        whole = _call_item(f"{self._base['id']}_{place}", call)
        self._output.append(whole)
        opening = {**whole, "status": "in_progress", "arguments": ""}
        at = {"item_id": whole["id"], "output_index": place}
        kind = "response.function_call_arguments"
        return [
            self._say("response.output_item.added", output_index=place, item=opening),
            self._say(f"{kind}.delta", **at, delta=whole["arguments"]),
            self._say(f"{kind}.done", **at, name=whole["name"], arguments=whole["arguments"]),
            self._say("response.output_item.done", output_index=place, item=whole),
        ]

    def _end(self, chunk: dict[str, Any]) -> list[bytes]:
        said = [part for index in list(self._texts) for part in self._close(index)]
        response = {
            **self._base,
            "output": self._output,
            "usage": _usage(chunk.get("usage") or {"prompt_tokens": 0, "completion_tokens": 0}),
            "ultrai": chunk["ultrai"],
        }
        error = chunk.get("error")
        if error is not None:
            response |= {"status": "failed", "error": _failure(error)}
        else:
            response |= _ending(self._reasons)
        return [*said, self._say(f"response.{response['status']}", response=response)]

    def _say(self, kind: str, **more: object) -> bytes:
        shape = {"type": kind, "sequence_number": self._number, **more}
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode(shape))


def _failure(error: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": error.get("code") or "server_error", "message": error.get("message") or ""}


def _stream(order: Order, run_id: str, *, created: int) -> Translated:
    events = _Events(_base(order, run_id, created=created))
    return Translated(Chunks(order, run_id, created=created), events.take)


def _broken(problem: Problem) -> bytes:
    shape = {"type": "error", "sequence_number": 0, **problem.error}
    return b"event: error\ndata: %b\n\n" % encode(shape)


RESPONSES = Dialect(order_of, response_of, _stream, _broken)
"""OpenAI's Responses."""
