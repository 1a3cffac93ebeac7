"""The world as planning sees it: one frozen look at everything that can change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from ultrai.domain.catalog import Catalog, Model
from ultrai.policy.health import ModelHealth
from ultrai.policy.succession import Successions

_VIRTUAL_SUFFIXES = ("nitro", "floor", "exacto", "online")


class HealthView(Protocol):
    """Health by model id; every id has some."""

    def __getitem__(self, model: str, /) -> ModelHealth:
        """The model's Health."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """What planning sees of the world.

    `keyless`: upstreams that cannot be asked for lack of a key. `local`: those whose listing is
    what lies on this machine's disk.
    `free_left` counts requests left today on `:free` models, None when nobody knows.
    """

    catalog: Catalog
    health: HealthView
    now: datetime
    upstream_of: Callable[[str], str]
    successions: Successions = field(default_factory=Successions)
    keyless: frozenset[str] = frozenset()
    local: frozenset[str] = frozenset()
    free_left: int | None = None
    free_resets_s: float | None = None


def find_model(catalog: Catalog, model_id: str) -> Model | None:
    """The model of an id, also of one with a virtual suffix, which no catalogue lists."""
    model = catalog.get(model_id)
    if model is not None:
        return model
    base, colon, suffix = model_id.rpartition(":")
    if not colon or suffix not in _VIRTUAL_SUFFIXES:
        return None
    model = find_model(catalog, base)
    if model is None:
        return None
    # The web plugin costs extra per search: the price of `:online` is not known beforehand.
    return replace(model, id=model_id, prices=None if suffix == "online" else model.prices)


def free_chat_models(catalog: Catalog) -> tuple[str, ...]:
    """Listed `:free` models that chat, the largest window first."""
    free = [
        model
        for model in catalog
        if model.is_free
        and "text" in (model.output_modalities or ("text",))
        and "safety" not in model.id
    ]
    free.sort(key=lambda model: -(model.context_length or 0))
    return tuple(model.id for model in free)
