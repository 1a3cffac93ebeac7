"""From a body to an Ask and to the shape in which the answer is wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from ultrai.assembly.asking import checked, documents_of, messages_of, nanos_of
from ultrai.domain.ask import Ask, Commit
from ultrai.domain.cocktail import AUTO, NO_SYNTHESIS, CocktailBook
from ultrai.domain.document import Document
from ultrai.domain.errors import ModelNotFound, UsageError
from ultrai.domain.fitting import FitWish
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.query import DEFAULT_MAX_TOKENS, Message, Role, Sampling
from ultrai.policy.nearest import did_you_mean
from ultrai.server.problems import bad_request, not_available_yet
from ultrai.server.wire import (
    AWAITED,
    KNOWN,
    PASSED_ON,
    ChatMessage,
    ChatRequest,
    RunRequest,
    UltraiOptions,
)

PREFIX = "ultrai/"
AWAITED_MODES = ("fuse", "judge", "vote")
_MOST_NAMED = 5
_MODES = ("all", "first")
_OF_TOOLS = ("tool_calls", "tool_call_id")
# What the model reads of the request beside its messages.
_READ_TOO = ("tools", "response_format")
_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")

Wire = TypeVar("Wire")


class Shape(StrEnum):
    """How the Answers of a Run become choices."""

    SINGLE = "single"  # one model: its answer as it is
    PLAIN = "plain"  # one text, the answers one after another, each under its heading
    ALL = "all"  # a choice for each Slot
    FIRST = "first"  # the first completed Answer


@dataclass(frozen=True, slots=True)
class Order:
    """One request of chat completions, understood. `model` is whom it names, as it is called."""

    ask: Ask
    shape: Shape
    model: str
    stream: bool
    include_usage: bool


def order_of(body: bytes, book: CocktailBook) -> Order:
    """The Order. Raises Refused, ModelNotFound and UsageError; nothing was sent then."""
    return order_from(decode(body), book)


def order_from(fields: dict[str, Any], book: CocktailBook) -> Order:
    """The same of the body's fields."""
    _check_prefix(fields.get("model"), book)
    remarks = [*_check_awaited(fields), *_unknown(fields)]
    request = typed(fields, ChatRequest)
    named, mode = _split(request.model, book)
    shape = _shape(named, mode)
    stream = bool(request.stream)
    if shape is Shape.PLAIN and request.tools:
        message = "tools need one choice for each model: use :all, :first or a single model"
        raise bad_request(message, param="tools")
    messages, more = messages_from(request.messages, fields["messages"])
    messages = _with_counted(messages, fields)
    ask = _with_options(
        Ask(
            messages=messages,
            cocktail=None if named is None or named == AUTO else named,
            models=_models(request, named),
            sampling=_sampling(request),
            user=request.user or None,
            commit=_COMMITS[shape] if stream else Commit.NONE,
            notices=tuple(_remark(text) for text in (*remarks, *more)),
        ),
        request.ultrai or UltraiOptions(),
        shape=shape,
    )
    if request.n is not None and request.n > 1:
        if named is not None:
            raise bad_request("n is for single models; a cocktail has as many as slots", param="n")
        shape = Shape.ALL
    options = request.stream_options
    return Order(
        ask=checked(ask),
        shape=shape,
        model=request.model if named is None else f"{PREFIX}{named.lower()}{mode and ':'}{mode}",
        stream=stream,
        include_usage=options is not None and bool(options.include_usage),
    )


_COMMITS = {
    Shape.SINGLE: Commit.EACH,
    Shape.PLAIN: Commit.FIRST,
    Shape.ALL: Commit.EACH,
    Shape.FIRST: Commit.NONE,
}


def run_ask_of(body: bytes, book: CocktailBook) -> Ask:
    """The Ask of a native run. Raises Refused and UsageError."""
    fields = decode(body)
    request = typed(fields, RunRequest)
    if (request.prompt is None) == (request.messages is None):
        raise bad_request("give either prompt or messages", param="prompt")
    remarks: list[str] = []
    if request.messages is not None:
        given, remarks = messages_from(request.messages, fields["messages"])
        messages = messages_of(given, request.system)
    else:
        messages = messages_of(request.prompt or "", request.system)
    named, models, shape = _whom(request, book)
    ask = Ask(
        messages=messages,
        cocktail=None if named == AUTO else named,
        models=models,
        backups={model: tuple(others) for model, others in (request.backups or {}).items()},
        sampling=Sampling(
            request.max_tokens or DEFAULT_MAX_TOKENS, request.temperature, request.seed
        ),
        strict=bool(request.strict),
        user=request.user or None,
        documents=documents_of([Document(d.name, d.text) for d in request.documents or ()]),
        fit=None if request.fit is None else FitWish(request.fit),
        pins=tuple(request.pins or ()),
        notices=tuple(map(_remark, remarks)),
    )
    return checked(_with_options(ask, _options(request), shape=shape))


def _whom(
    request: RunRequest, book: CocktailBook
) -> tuple[str | None, tuple[str, ...], Shape | None]:
    """The cocktail, or the models; and the mode, where `model` has one."""
    models = tuple(request.models or ())
    if request.model is None:
        return request.cocktail and _cocktail(request.cocktail, book), models, None
    if request.cocktail is not None or models:
        raise bad_request("model excludes cocktail and models", param="model")
    named, mode = _split(request.model, book)
    return named, () if named else (request.model,), Shape(mode) if mode else None


def _options(request: RunRequest) -> UltraiOptions:
    """The limits, those that stand alone before those in `ultrai`."""
    inside = request.ultrai or UltraiOptions()
    alone = {name: getattr(request, name) for name in UltraiOptions.__struct_fields__}
    return msgspec.structs.replace(
        inside, **{name: value for name, value in alone.items() if value is not None}
    )


def decode(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises Refused for anything else."""
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"the body is not JSON: {error}", code="bad_json") from None
    except RecursionError:
        raise bad_request("the body is nested too deeply", code="bad_json") from None
    if not isinstance(fields, dict):
        raise bad_request("the body must be a JSON object", code="bad_json")
    return fields


def typed(fields: dict[str, Any], kind: type[Wire]) -> Wire:
    """The fields as that type, null counting as absent. Raises Refused, which names the field."""
    present = {name: value for name, value in fields.items() if value is not None}
    try:
        return msgspec.convert(present, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PATH.search(text)
        param = found[1] if found else None
        missing = re.search(r"missing required field `(\w+)`", text)
        if missing:
            param = f"{param}.{missing[1]}" if param else missing[1]
        cause = _PATH.sub("", text).replace("`", "'")
        cause = cause[:1].lower() + cause[1:]
        raise bad_request(f"{param}: {cause}" if param else cause, param=param) from None


def messages_from(
    messages: list[ChatMessage], written: list[Any]
) -> tuple[tuple[Message, ...], list[str]]:
    """The conversation, and what of it could not be passed on. Raises Refused."""
    passed: list[Message] = []
    left_out: dict[str, None] = {}
    for index, (message, fields) in enumerate(zip(messages, written, strict=True)):
        place = f"messages[{index}]"
        if message.role == "function":
            raise not_available_yet("the role 'function'", param=place)
        role: Role = "system" if message.role == "developer" else message.role
        extra = {n: v for n in _OF_TOOLS if (v := fields.get(n)) is not None}
        if extra and message.content is None:
            passed.append(Message(role, "", {"content": None, **extra}))
        else:
            passed.append(Message(role, _text(message, place), extra))
        known = ("role", "content", *_OF_TOOLS)
        left_out |= dict.fromkeys(n for n, v in fields.items() if n not in known and v)
    remarks = [f"messages: {name} is not passed on" for name in list(left_out)[:_MOST_NAMED]]
    return messages_of(passed, None), remarks


def _with_counted(messages: tuple[Message, ...], fields: dict[str, Any]) -> tuple[Message, ...]:
    """The messages, the first of which counts what stands beside them."""
    beside = [fields[name] for name in _READ_TOO if fields.get(name)]
    if not beside:
        return messages
    counted = msgspec.json.encode(beside).decode()
    return (replace(messages[0], counted=counted), *messages[1:])


def _text(message: ChatMessage, place: str) -> str:
    if message.content is None:
        raise bad_request(f"{place}.content is missing", param=f"{place}.content")
    if isinstance(message.content, str):
        return message.content
    for part in message.content:
        if part.type != "text" or part.text is None:
            raise not_available_yet(f"content of type {part.type!r}", param=f"{place}.content")
    return "\n".join(part.text or "" for part in message.content)


def _check_awaited(fields: dict[str, Any]) -> list[str]:
    for name, harmless in AWAITED.items():
        value = fields.get(name)
        if value is not None and value not in harmless:
            raise not_available_yet(name, param=name)
    return []


def _unknown(fields: dict[str, Any]) -> list[str]:
    names = [name for name, value in fields.items() if name not in KNOWN and value is not None]
    remarks = []
    for name in names[:_MOST_NAMED]:
        question = did_you_mean(name, KNOWN)
        remarks.append(
            f"{name[:80]!r} is not known and was left out" + (question and f"; {question}")
        )
    if len(names) > _MOST_NAMED:
        remarks.append(f"{len(names) - _MOST_NAMED} more unknown fields were left out")
    return remarks


def _remark(text: str) -> Notice:
    return Notice(NoticeCode.PARAMETER_DROPPED, text)


def _split(model: str, book: CocktailBook) -> tuple[str | None, str]:
    """The cocktail's name and its mode; None: a model's id."""
    if not model.lower().startswith(PREFIX):
        return None, ""
    name, _, mode = model[len(PREFIX) :].partition(":")
    mode = mode.lower()
    named = _cocktail(name, book)
    if mode in AWAITED_MODES:
        raise not_available_yet(f"the mode :{mode}", param="model")
    if mode and mode not in _MODES:
        modes = ", ".join(f":{each}" for each in _MODES)
        raise bad_request(f"there is no mode {mode!r}; there are {modes}", param="model")
    return named, mode


def _cocktail(name: str, book: CocktailBook) -> str:
    name = name.strip()
    if name.lower().startswith(PREFIX):
        name = name[len(PREFIX) :]
    if name.casefold() == AUTO:
        return AUTO
    cocktail = book.find(name)
    if cocktail is None:
        names = (*book.names, AUTO)
        question = did_you_mean(name, names)
        known = ", ".join(each.lower() for each in names)
        message = f"there is no cocktail {name!r}"
        raise ModelNotFound(message, hint=f"{question} Known: {known}".strip())
    return cocktail.name


def _check_prefix(model: object, book: CocktailBook) -> None:
    """A cocktail's bare name is no model; say what is."""
    if isinstance(model, str) and "/" not in model:
        name, _, mode = model.partition(":")
        if name in book or name.casefold() == AUTO:
            hint = f"did you mean {PREFIX}{name.lower()}{mode and ':'}{mode}?"
            raise ModelNotFound(f"there is no model {model!r}", hint=hint)


def _shape(named: str | None, mode: str) -> Shape:
    if named is None:
        return Shape.SINGLE
    return Shape(mode) if mode else Shape.PLAIN


def _models(request: ChatRequest, named: str | None) -> tuple[str, ...]:
    if named is not None:
        return ()
    if "*" in request.model:
        raise bad_request("write n instead of '*'", param="model")
    count = request.n or 1
    return (request.model if count == 1 else f"{request.model}*{count}",)


def _sampling(request: ChatRequest) -> Sampling:
    most = request.max_completion_tokens or request.max_tokens or DEFAULT_MAX_TOKENS
    extra = {
        name: value for name in PASSED_ON if (value := getattr(request, name)) not in (None, [])
    }
    return Sampling(most, request.temperature, request.seed, extra)


def _with_options(ask: Ask, options: UltraiOptions, *, shape: Shape | None) -> Ask:
    quorum = options.quorum
    if shape is Shape.FIRST:
        if quorum not in (None, 1):
            raise bad_request("quorum and :first exclude each other", param="ultrai.quorum")
        quorum = 1
    synthesis = options.synthesis
    if synthesis in AWAITED_MODES:
        raise not_available_yet(f"synthesis {synthesis!r}", param="ultrai.synthesis")
    if synthesis not in (None, NO_SYNTHESIS):
        raise bad_request(f"there is no synthesis {synthesis!r}", param="ultrai.synthesis")
    amount = options.max_cost_usd
    return replace(
        ask,
        quorum=quorum,
        deadline_s=options.deadline_s,
        max_cost_nanos=None if amount is None else _nanos(amount),
        synthesis=options.synthesis,
        use_cache=options.cache is not False,
        tags=options.tags or {},
    )


def _nanos(amount: str | float) -> int:
    try:
        return nanos_of(repr(amount) if isinstance(amount, float) else str(amount))
    except UsageError as error:
        raise bad_request(str(error), param="ultrai.max_cost_usd") from None
