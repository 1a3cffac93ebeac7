"""The flags that make up a question, shared by `ask` and `plan`, and the Ask they amount to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click

from ultrai.domain.errors import UsageError
from ultrai.domain.money import parse_usd
from ultrai.domain.query import DEFAULT_MAX_TOKENS

if TYPE_CHECKING:
    from ultrai.cli.wishes import Wishes
    from ultrai.domain.ask import Ask
    from ultrai.domain.fitting import FitWish

_SYNTHESES = ("none", "fuse", "judge", "vote")
_MOST_TOKENS = 10_000_000
_HOTTEST = 2


class QuestionFlags(TypedDict):
    """What click hands over for the shared flags."""

    prompt: str | None
    cocktail: str | None
    models: tuple[str, ...]
    system: str | None
    files: tuple[Path, ...]
    fit: str | None
    pins: tuple[str, ...]
    index: str | None
    synthesis: str | None
    quorum: int | None
    deadline_s: float | None
    max_tokens: int
    temperature: float | None
    seed: int | None
    max_cost_nanos: int | None
    no_cache: bool
    strict: bool
    tags: tuple[str, ...]
    user: str | None
    feature: str | None
    resume: str | None


class FiniteRange(click.FloatRange):
    """A range of real numbers; `nan` and `inf` are none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or click's complaint."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class Dollars(click.ParamType[int]):
    """An amount in USD such as `0.10` or `$2`, as nanodollars."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The amount, or click's complaint."""
        if isinstance(value, int):
            return value
        try:
            return parse_usd(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _subject_options() -> list[Callable[[Any], Any]]:
    """Who is asked, and what about."""
    return [
        click.argument("prompt", required=False),
        click.option(
            "-c", "--cocktail", metavar="NAME", help="PREMIUM, SPEEDY, BUDGET, DEPTH, LOCAL, auto."
        ),
        click.option(
            "-m",
            "--model",
            "models",
            multiple=True,
            metavar="ID",
            help="Ask exactly this model; repeatable; ID*3 asks it three times.",
        ),
        click.option("-s", "--system", metavar="TEXT", help="System prompt."),
        click.option(
            "-f",
            "--file",
            "files",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="File that the question is about: text, code, HTML, PDF, DOCX; repeatable.",
        ),
        click.option(
            "--fit",
            metavar="MODE",
            help="Files too long: auto, whole, retrieve, summarise, compress, refuse.",
        ),
        click.option(
            "--pin",
            "pins",
            multiple=True,
            metavar="TEXT",
            help="What every model gets of the files: words, or FILE:FIRST-LAST; repeatable.",
        ),
        click.option(
            "--index", metavar="NAME", help="Index that the question is about: 'ultrai index'."
        ),
    ]


def _limit_options() -> list[Callable[[Any], Any]]:
    """How much and how long, and on whose account."""
    return [
        click.option("--synthesis", metavar="none", help="One text from the answers: none."),
        click.option(
            "--quorum", type=click.IntRange(min=1), metavar="N", help="Enough once N answered."
        ),
        click.option(
            "--deadline",
            "deadline_s",
            type=FiniteRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Bound on the whole run.",
        ),
        click.option(
            "--max-tokens",
            type=click.IntRange(1, _MOST_TOKENS),
            default=DEFAULT_MAX_TOKENS,
            show_default=True,
            metavar="N",
            help="Most tokens of each answer.",
        ),
        click.option("--temperature", type=FiniteRange(0, _HOTTEST), metavar="T", help="0 to 2."),
        click.option("--seed", type=int, metavar="N", help="For models that honour it."),
        click.option(
            "--max-cost",
            "max_cost_nanos",
            type=Dollars(),
            metavar="USD",
            help="Hard cap for this run.",
        ),
        click.option("--no-cache", is_flag=True, help="Ask even what was asked before."),
        click.option("--strict", is_flag=True, help="What would be a notice is an error."),
        click.option(
            "--tag",
            "tags",
            multiple=True,
            metavar="NAME=TEXT",
            help="Whose cost this is, such as team=x; repeatable.",
        ),
        click.option("--user", metavar="NAME", help="The user it is for, in the ledger."),
        click.option("--feature", metavar="NAME", help="The feature it is for, in the ledger."),
        click.option("--resume", metavar="RUN", help="Only the slots of RUN without an answer."),
    ]


def question_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the prompt and the shared flags."""
    for option in reversed([*_subject_options(), *_limit_options()]):
        function = option(function)
    return function


def check_question(flags: QuestionFlags) -> None:
    """Refuse flags that exclude each other or that are not there yet. Raises UsageError."""
    _refuse_broken_text(flags)
    taken = [name for name in ("prompt", "cocktail", "models", "system", "index") if flags[name]]
    if flags["resume"] is not None and taken:
        raise UsageError(
            "--resume asks what its run asked; it takes no prompt, no models and no index",
            hint=f"for example: ultrai ask --resume {flags['resume']}",
        )
    if flags["cocktail"] is not None and flags["models"]:
        raise UsageError(
            "-c and -m exclude each other",
            hint="name a cocktail, or the models one by one",
        )
    if flags["cocktail"] is not None and not flags["cocktail"].strip():
        raise UsageError("the cocktail's name is empty", hint="see 'ultrai cocktails'")
    if any(not model.strip() for model in flags["models"]):
        raise UsageError("a model id is empty", hint="see 'ultrai models' for what there is")
    synthesis = flags["synthesis"]
    if synthesis is None or synthesis == "none":
        return
    if synthesis in _SYNTHESES:
        raise UsageError(f"--synthesis {synthesis} is not available yet", hint="use none")
    raise UsageError(f"--synthesis {synthesis!r} is not a mode", hint="use none")


def _refuse_broken_text(flags: QuestionFlags) -> None:
    """Bytes of the command line that are not UTF-8 would go out, and be stored, as half letters."""
    given: list[tuple[str, str | None]] = [
        ("the prompt", flags["prompt"]),
        ("the system prompt (-s)", flags["system"]),
        ("the cocktail's name (-c)", flags["cocktail"]),
        *(("a model id (-m)", model) for model in flags["models"]),
        *(("the name of a file (-f)", str(path)) for path in flags["files"]),
        *(("a pin (--pin)", pin) for pin in flags["pins"]),
        ("the name of an index (--index)", flags["index"]),
    ]
    for name, text in given:
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"{name} is not valid UTF-8", hint="give it in UTF-8; nothing was sent"
            ) from None


def tags_of(texts: tuple[str, ...]) -> dict[str, str]:
    """Tags by name; whether they can be kept, the engine says. Raises UsageError without a `=`."""
    tags: dict[str, str] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--tag {text!a} is no tag", hint="write NAME=TEXT, such as team=x")
        tags[name] = rest
    return tags


def fit_of(word: str | None) -> FitWish | None:
    """What is to be done with documents. Raises UsageError for a word that is no mode."""
    from ultrai.domain.fitting import FitWish

    try:
        return None if word is None else FitWish(word.strip().casefold())
    except ValueError:
        raise UsageError(
            f"--fit {word!r} is not a mode",
            hint="auto, whole, retrieve, summarise, compress, refuse",
        ) from None


def make_ask(flags: QuestionFlags, wishes: Wishes) -> Ask:
    """The Ask that the flags amount to; reads standard input and files. Raises UsageError."""
    from ultrai.cli.files import compose_messages, read_documents
    from ultrai.domain.ask import Ask
    from ultrai.domain.query import Sampling

    check_question(flags)
    most_mb = wishes.load_settings().max_file_mb if flags["files"] else 0
    documents, notices = read_documents(flags["files"], most_mb=most_mb)
    ask = Ask(
        sampling=Sampling(flags["max_tokens"], flags["temperature"], flags["seed"]),
        synthesis=flags["synthesis"],
        quorum=flags["quorum"],
        deadline_s=flags["deadline_s"],
        max_cost_nanos=flags["max_cost_nanos"],
        strict=flags["strict"],
        use_cache=not flags["no_cache"],
        user=flags["user"],
        feature=flags["feature"],
        tags=tags_of(flags["tags"]),
        documents=documents,
        notices=notices,
        fit=fit_of(flags["fit"]),
        pins=flags["pins"],
        index=flags["index"],
    )
    if flags["resume"] is not None:
        return replace(ask, resume=flags["resume"])
    return replace(
        ask,
        messages=compose_messages(flags["prompt"], system=flags["system"]),
        cocktail=flags["cocktail"],
        models=flags["models"],
    )
