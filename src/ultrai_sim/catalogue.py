"""What models there are: rows read from TOML, and how they look in `/models` and its neighbours.

Two catalogues are built in, from one file: ``today`` (what OpenRouter listed in November 2026) and
``report-2025``, in which also every id of the 2025 report is still listed. Prices stay the decimal
strings of the wire; `charges` turns them into charges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from typing import Any

from ultrai_sim.pricing import pricing_problem
from ultrai_sim.providers import PROVIDERS
from ultrai_sim.reading import (
    Check,
    a_table,
    a_text,
    nearest,
    positive,
    read_toml,
    short,
    some_texts,
    texts,
    true_or_false,
    whole,
)
from ultrai_sim.tokens import family_of

BUILT_IN = ("today", "report-2025")
MODEL_ID = re.compile(r"[^\s/]{1,100}/[^\s/]{1,150}")
AS_LISTED = 0
VIRTUAL_SUFFIXES = frozenset({"nitro", "floor", "exacto", "online"})


class CatalogueError(ValueError):
    """A catalogue row that cannot be used; the text names the row and the nearest valid key."""


@dataclass(frozen=True, slots=True)
class Model:
    """One row. Only ``id`` is needed; the defaults describe a small paid text model.

    ``pricing`` holds decimal strings in USD per token (plus ``overrides``), as on the wire.
    ``answers_as`` is the ``model`` of answers: the id itself, or for some makers a dated slug.
    ``providers`` are display names, the first is the one that serves. A ``retired`` model is known
    but neither listed nor served. ``top_context_length`` is the window of the first provider where
    that is not the model's own: `top_provider.context_length`.
    """

    id: str
    name: str = ""
    canonical: str = ""
    answers_as: str = ""
    created: int = 1_750_000_000
    context_length: int | None = None
    max_completion_tokens: int | None = None
    pricing: Mapping[str, Any] = field(
        default_factory=lambda: {"prompt": "0.000001", "completion": "0.000002"}
    )
    parameters: tuple[str, ...] = ("max_tokens", "temperature", "top_p", "stop", "seed")
    inputs: tuple[str, ...] = ("text",)
    tokenizer: str = "Other"
    providers: tuple[str, ...] = ("DeepInfra",)
    reasoning: Mapping[str, Any] | None = None
    moderated: bool = False
    hugging_face_id: str | None = None
    knowledge_cutoff: str | None = None
    expiration_date: str | None = None
    alias_of: str | None = None
    retired: bool = False
    top_context_length: int | None = AS_LISTED

    def __post_init__(self) -> None:
        """Let the id stand for the names that are not given."""
        for name in ("name", "canonical", "answers_as"):
            if not getattr(self, name):
                object.__setattr__(self, name, self.id)

    @property
    def served_context_length(self) -> int | None:
        """The window of the provider that serves first; None where it is not listed."""
        top = self.top_context_length
        return self.context_length if top == AS_LISTED else top

    @property
    def is_free(self) -> bool:
        """Whether the free tier's limits apply."""
        return self.id.endswith(":free") or self.id == "openrouter/free"

    @property
    def reasons(self) -> bool:
        """Whether it thinks without being asked to."""
        terms = self.reasoning or {}
        return bool(terms.get("mandatory") or terms.get("default_enabled"))

    @property
    def must_reason(self) -> bool:
        """Whether asking it not to think is an error."""
        return bool((self.reasoning or {}).get("mandatory"))

    @property
    def family(self) -> str:
        """The tokenizer family that counts its tokens."""
        return family_of(self.tokenizer, self.id)

    @property
    def provider(self) -> str:
        """The provider that serves, by display name."""
        return self.providers[0]

    @property
    def stops_when_cancelled(self) -> bool:
        """Whether its provider stops, and stops billing, when the client hangs up."""
        return PROVIDERS.get(self.provider, ("", False))[1]


MODEL_KEYS = tuple(spec.name for spec in fields(Model))
MODEL_CHECKS: Mapping[str, Check] = {
    **dict.fromkeys(("id", "name", "canonical", "answers_as", "tokenizer"), a_text),
    **dict.fromkeys(("hugging_face_id", "knowledge_cutoff", "expiration_date", "alias_of"), a_text),
    **dict.fromkeys(("inputs", "providers"), some_texts),
    **dict.fromkeys(("context_length", "max_completion_tokens", "top_context_length"), positive),
    **dict.fromkeys(("moderated", "retired"), true_or_false),
    "created": whole,
    "reasoning": a_table,
    "pricing": lambda _: None,  # has a check of its own
    "parameters": lambda value: None if isinstance(value, str) else texts(value),
}


def read_model(row: Mapping[str, Any], presets: Mapping[str, Iterable[str]]) -> Model:
    """A `Model` from one ``[[models]]`` table; `CatalogueError` where it is wrong."""
    _check_row(row)
    values = dict(row)
    parameters = values.get("parameters", ())
    if isinstance(parameters, str):
        if parameters not in presets:
            message = f"models: {row['id']}: no parameter list is called {parameters!r}"
            raise CatalogueError(message)
        parameters = presets[parameters]
    if parameters:
        values["parameters"] = tuple(parameters)
    for key in ("inputs", "providers"):
        if key in values:
            values[key] = tuple(values[key])
    return Model(**values)


def _check_row(row: Mapping[str, Any]) -> None:
    problem = a_table(row)
    if problem is not None:
        message = f"models: {problem}"
        raise CatalogueError(message)
    label = row["id"] if isinstance(row.get("id"), str) else "a model without id"
    for key, value in row.items():
        if key not in MODEL_KEYS:
            near = nearest(key, MODEL_KEYS)
            message = f"models: {label}: unknown key {short(key)}; nearest valid key: {near!r}"
            raise CatalogueError(message)
        problem = MODEL_CHECKS[key](value)
        if problem is not None:
            message = f"models: {label}: {key}: {problem}"
            raise CatalogueError(message)
    problem = id_problem(row.get("id", "")) or pricing_problem(row.get("pricing", {}))
    if problem is None and row.get("alias_of") == row.get("id"):
        problem = "'alias_of' names the model itself"
    if problem is not None:
        message = f"models: {label}: {problem}"
        raise CatalogueError(message)


def id_problem(value: Any) -> str | None:
    """What is wrong with a model's id; None: nothing."""
    fits = isinstance(value, str) and MODEL_ID.fullmatch(value) and value.isprintable()
    return None if fits else "'id' must be a text like 'maker/model'"


class Catalogue:
    """The models of one world, in listing order."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models: dict[str, Model] = {model.id: model for model in models}

    def listed(self) -> list[Model]:
        """The models that `/models` shows."""
        return [model for model in self.models.values() if not model.retired]

    def find(self, model_id: str) -> Model | None:
        """The row of an id, also of a retired one, and of an id with virtual suffixes."""
        model = self.models.get(model_id)
        if model is not None:
            return model
        base, *suffixes = model_id.split(":")
        kept = [suffix for suffix in suffixes if suffix not in VIRTUAL_SUFFIXES]
        return self.models.get(":".join([base, *kept])) if len(kept) < len(suffixes) else None

    def concrete(self, model: Model, choice: int) -> Model:
        """The model that really answers: an alias's target, a router's pick by ``choice``."""
        if model.alias_of is not None:
            return self.models.get(model.alias_of, model)
        if model.tokenizer != "Router":
            return model
        pool = [
            other
            for other in self.listed()
            if other.tokenizer != "Router"
            and ":batch" not in other.id
            and other.is_free == model.is_free
        ]
        return pool[choice % len(pool)] if pool else model

    def with_models(self, models: Iterable[Model]) -> Catalogue:
        """This catalogue, with these rows added or put in the place of rows of the same id."""
        return Catalogue([*self.models.values(), *models])


def load_catalogue(name: str = "today", *, text: str | None = None) -> Catalogue:
    """A built-in catalogue by name, or one from the TOML ``text`` of a file called ``name``."""
    if text is None:
        if name not in BUILT_IN:
            message = f"no built-in catalogue is called {name!r}; there are {', '.join(BUILT_IN)}"
            raise CatalogueError(message)
        text = resources.files("ultrai_sim").joinpath("catalogue.toml").read_text("utf-8")
    document = read_toml(text)
    presets, rows = document.get("parameters", {}), document.get("models", [])
    if not isinstance(rows, list):
        message = "expected [[models]] tables"
        raise CatalogueError(message)
    problem = a_table(presets) or next(filter(None, map(texts, presets.values())), None)
    if problem is not None:
        message = f"parameters: {problem}"
        raise CatalogueError(message)
    models = [read_model(row, presets) for row in rows]
    if name == "report-2025":
        models = [replace(model, retired=False) for model in models]
    return Catalogue(models)
