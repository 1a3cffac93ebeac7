"""A real answer of `/models` as a catalogue: JSON with odd nulls and fields that nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultrai_sim.catalogue import AS_LISTED, Catalogue, CatalogueError, Model, id_problem
from ultrai_sim.incoming import NotJSON, read_json
from ultrai_sim.pricing import pricing_problem

# Who serves a maker's own models; anybody else's are served by the first of many hosts.
MAKERS = {
    "anthropic": ("Anthropic", "Amazon Bedrock"),
    "cohere": ("Cohere",),
    "deepseek": ("DeepSeek", "DeepInfra"),
    "google": ("Google AI Studio", "Google"),
    "mistralai": ("Mistral",),
    "moonshotai": ("Moonshot AI",),
    "nvidia": ("Nvidia", "DeepInfra"),
    "openai": ("OpenAI", "Azure"),
    "openrouter": ("OpenRouter",),
    "qwen": ("Alibaba", "DeepInfra"),
    "x-ai": ("xAI",),
    "z-ai": ("Z.AI",),
}
OTHERS = ("DeepInfra", "Together")


def is_json(text: str) -> bool:
    """Whether a catalogue's text is JSON, and not TOML."""
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "[{", "[\n", "[]"))


def read_listing(name: str, text: str) -> Catalogue:
    """The models of a `/models` answer, or of its ``data``; `CatalogueError` names a wrong row."""
    try:
        document = read_json(text.lstrip("\ufeff").encode())
    except NotJSON as error:
        raise _wrong(name, f"is no JSON: {error}") from None
    rows = document.get("data") if isinstance(document, dict) else document
    if not isinstance(rows, list) or not rows:
        raise _wrong(name, "holds no list of models: expected the answer of /models")
    return Catalogue(_model(row, f"{name}: row {n}") for n, row in enumerate(rows, 1))


def _model(row: Any, where: str) -> Model:
    problem = id_problem(_table(row).get("id"))
    if problem is not None:
        raise _wrong(where, problem)
    where = f"{where} ({row['id']})"
    top, shape = _table(row.get("top_provider")), _table(row.get("architecture"))
    maker = row["id"].partition("/")[0].lstrip("~")
    reasoning = row.get("reasoning")
    alias = _table(row.get("alias_target")).get("slug")
    return Model(
        id=row["id"],
        name=_text(row.get("name")) or row["id"],
        canonical=_text(row.get("canonical_slug")) or row["id"],
        answers_as=_text(row.get("canonical_slug")) or row["id"],
        created=_whole(row.get("created")) or 1_750_000_000,
        context_length=_whole(row.get("context_length")),
        top_context_length=_top_window(top),
        max_completion_tokens=_whole(top.get("max_completion_tokens")),
        pricing=_pricing(row.get("pricing"), where),
        parameters=_texts(row.get("supported_parameters")),
        inputs=_texts(shape.get("input_modalities")) or ("text",),
        tokenizer=_text(shape.get("tokenizer")) or "Other",
        providers=MAKERS.get(maker, OTHERS),
        reasoning=reasoning if isinstance(reasoning, dict) else None,
        moderated=top.get("is_moderated") is True,
        hugging_face_id=row.get("hugging_face_id"),
        knowledge_cutoff=_text(row.get("knowledge_cutoff")),
        expiration_date=_text(row.get("expiration_date")),
        alias_of=_text(alias),
    )


def _top_window(top: Mapping[str, Any]) -> int | None:
    """The first provider's window; what the row does not say is the model's own."""
    return _whole(top["context_length"]) if "context_length" in top else AS_LISTED


def _pricing(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, "'pricing' must be a table of texts, in USD per token")
    pricing: dict[str, Any] = {}
    for name, price in value.items():
        if name in ("overrides", "discount"):
            pricing[name] = price
        elif price is not None:
            pricing[name] = price if isinstance(price, bool | list | dict) else str(price)
    problem = pricing_problem(pricing, every_name=True)
    if problem is not None:
        raise _wrong(where, problem)
    return pricing


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...]:
    items: Sequence[Any] = value if isinstance(value, list) else ()
    return tuple(each for each in items if isinstance(each, str))


def _whole(value: Any) -> int | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return int(value) if fits else None


def _wrong(where: str, what: str) -> CatalogueError:
    return CatalogueError(f"{where}: {what}")
