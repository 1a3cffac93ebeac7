"""From the keywords of `ask` and `stream` to an Ask, with every value checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar, cast

from ultrai.domain.ask import Ask
from ultrai.domain.document import Document
from ultrai.domain.errors import UsageError
from ultrai.domain.fitting import FitWish
from ultrai.domain.money import parse_usd
from ultrai.domain.query import DEFAULT_MAX_TOKENS, Message, Role, Sampling
from ultrai.domain.report import Report

_HOTTEST = 2.0
_OWN = ("messages", "max_tokens", "temperature", "seed", "documents")
Documents = Sequence[Document] | Mapping[str, str]
Sources = tuple[Documents, str | None, Sequence[str], str | None]
Number = TypeVar("Number", int, float)


def ask_of(
    prompt: str | Sequence[Message],
    *,
    system: str | None,
    cocktail: str | None,
    models: Sequence[str],
    backups: Mapping[str, Sequence[str]] | None,
    sampling: tuple[int, float | None, int | None],
    limits: tuple[int | None, float | None, str | Decimal | None],
    modes: tuple[str | None, bool, bool, bool | None],
    sources: Sources,
) -> Ask:
    """The Ask. Raises UsageError for values that no upstream would take."""
    max_tokens, temperature, seed = sampling
    quorum, deadline_s, max_cost_usd = limits
    synthesis, strict, use_cache, streaming = modes
    documents, fit, pins, index = sources
    _check_types(sampling, limits)
    for model, others in (backups or {}).items():
        if isinstance(others, str):
            raise UsageError(f"backups of {model} are a text", hint="give a list of ids")
    if backups and not models:
        raise UsageError("backups go with models; a cocktail has its own")
    return checked(
        Ask(
            messages=messages_of(prompt, system),
            cocktail=_text(cocktail, "cocktail"),
            models=tuple(
                str(_text(model, "models"))
                for model in ((models,) if isinstance(models, str) else models)
            ),
            backups={model: tuple(others) for model, others in (backups or {}).items()},
            sampling=Sampling(max_tokens, temperature, seed),
            synthesis=synthesis,
            quorum=quorum,
            deadline_s=deadline_s,
            max_cost_nanos=None if max_cost_usd is None else nanos_of(max_cost_usd),
            strict=strict,
            use_cache=use_cache,
            streaming=streaming,
            documents=documents_of(documents),
            fit=_wish(fit),
            pins=(pins,) if isinstance(pins, str) else tuple(pins),
            index=_text(index, "index"),
        )
    )


def documents_of(given: Documents) -> tuple[Document, ...]:
    """Documents from themselves or from texts by name. Raises UsageError for what is neither."""
    if isinstance(given, Mapping):
        given = [Document(name, text) for name, text in given.items()]
    for each in given:
        if not isinstance(each, Document):
            raise UsageError("documents are texts by name, or ultrai.domain.document.Document")
        _text(each.name, "a document's name")
        _sound(str(_text(each.text, each.name)), each.name)
    return tuple(given)


def _wish(word: str | None) -> FitWish | None:
    try:
        return None if word is None else FitWish(word)
    except ValueError:
        modes = ", ".join(wish.value for wish in FitWish)
        raise UsageError(f"fit must be one of {modes}, not {word!r}; nothing was sent") from None


def _check_types(
    sampling: tuple[int, float | None, int | None],
    limits: tuple[int | None, float | None, str | Decimal | None],
) -> None:
    """Python lets anything through: what no upstream would take is refused by name."""
    max_tokens, temperature, seed = sampling
    quorum, deadline_s, _ = limits
    for name, value in (("max_tokens", max_tokens), ("seed", seed), ("quorum", quorum)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise UsageError(f"{name} must be a whole number, not {value!r}; nothing was sent")
    for name, number in (("temperature", temperature), ("deadline_s", deadline_s)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
            raise UsageError(f"{name} must be a number, not {number!r}; nothing was sent")


def _text(value: str | None, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {value!r}; nothing was sent")
    return value


def checked(ask: Ask) -> Ask:
    """The same Ask, once its numbers are known to make sense."""
    sampling = ask.sampling
    complaints = (
        (sampling.max_tokens < 1, f"max_tokens must be 1 or more, not {sampling.max_tokens}"),
        (
            sampling.temperature is not None and not 0 <= sampling.temperature <= _HOTTEST,
            f"temperature must lie between 0 and 2, not {sampling.temperature}",
        ),
        (ask.quorum is not None and ask.quorum < 1, f"quorum must be 1 or more, not {ask.quorum}"),
        (
            ask.deadline_s is not None and not 0 < ask.deadline_s < float("inf"),
            f"deadline_s must be more than 0, not {ask.deadline_s}",
        ),
    )
    for is_wrong, complaint in complaints:
        if is_wrong:
            raise UsageError(f"{complaint}; nothing was sent")
    return ask


def messages_of(prompt: str | Sequence[Message], system: str | None) -> tuple[Message, ...]:
    """The conversation: an optional system message, then the prompt or the messages given."""
    opening = () if system is None else (Message("system", _sound(system)),)
    if isinstance(prompt, str):
        if not prompt.strip():
            raise UsageError("the prompt is empty; nothing was sent", hint="give a prompt")
        return (*opening, Message("user", _sound(prompt)))
    messages: Iterable[object] = prompt or ()
    if not all(isinstance(message, Message) for message in messages):
        raise UsageError("a prompt is a text or a sequence of ultrai.domain.query.Message")
    return (*opening, *(replace(m, content=_sound(m.content)) for m in prompt or ()))


def _sound(text: str, what: str = "the prompt") -> str:
    """The same text, once it is known that it can be sent and stored as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{what} holds what is no text (at character {error.start}); nothing was sent",
            hint="give it in UTF-8",
        ) from None
    return text


def nanos_of(amount: str | Decimal | float) -> int:
    """Nanodollars of a cap in USD. Floats are refused: they do not hold decimal amounts."""
    if isinstance(amount, float):
        raise UsageError(
            f"max_cost_usd is a float ({amount!r})", hint='write it as text, such as "0.10"'
        )
    try:
        return parse_usd(str(amount))
    except ValueError as error:
        raise UsageError(str(error)) from None


def resumed_ask(ask: Ask, earlier: Report) -> Ask:
    """The earlier Run's question for whoever did not answer it; flags given now win.

    Raises UsageError where its documents are not given again and were too large to be kept.
    """
    query = earlier.query
    if not ask.documents:
        ask = replace(ask, documents=earlier.documents)
    _check_documents(ask, earlier)
    written = cast("Sequence[Mapping[str, object]]", query["messages"])
    messages = tuple(map(_message, written))
    given = ask.sampling
    kept = cast("int", query["max_tokens"])
    sampling = Sampling(
        max_tokens=kept if given.max_tokens == DEFAULT_MAX_TOKENS else given.max_tokens,
        temperature=_either(given.temperature, query.get("temperature")),
        seed=_either(given.seed, query.get("seed")),
        extra=given.extra or {name: query[name] for name in query if name not in _OWN},
    )
    named = ask.cocktail is not None or bool(ask.models)
    primaries = tuple(slot.primary for slot in earlier.slots)
    return replace(
        ask,
        messages=messages,
        sampling=sampling,
        cocktail=ask.cocktail if named else earlier.cocktail,
        models=ask.models if named or earlier.cocktail else primaries,
        resume=None,
    )


def _check_documents(ask: Ask, earlier: Report) -> None:
    then = cast("Sequence[Mapping[str, object]]", earlier.query.get("documents") or ())
    given = [document.sha256 for document in ask.documents]
    if [each["sha256"] for each in then] == given:
        return
    names = ", ".join(str(each["name"]) for each in then) or "no document"
    what = "other documents" if given else "documents, whose texts are not kept"
    raise UsageError(
        f"{earlier.id} was asked about {what if then else names}; nothing was sent",
        hint=f"give the same again: {names}" if then else "leave the documents out",
    )


def _message(written: Mapping[str, object]) -> Message:
    """A message as it was stored."""
    extra = {name: value for name, value in written.items() if name not in ("role", "content")}
    content = written["content"]
    if not isinstance(content, str):
        extra["content"] = content
    text = content if isinstance(content, str) else ""
    return Message(cast("Role", written["role"]), text, extra)


def _either(given: Number | None, earlier: object) -> Number | None:
    return cast("Number | None", earlier) if given is None else given
