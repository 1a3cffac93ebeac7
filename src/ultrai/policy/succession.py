"""Succession: who takes the place of an id that the live catalogue no longer lists.

The table is dated data (`data/cocktails.json`), chosen by hand: for each retired id the concrete
ids of the same maker and class, best first. It is used only when the catalogue is at hand and lacks
the id; a listed id is never replaced. A `:free` id passes to `:free` models of any maker: those of
the table, then any other listed one, and to the model's paid form only if the user allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

FREE = ":free"


@dataclass(frozen=True, slots=True)
class Successions:
    """The table and its date (`YYYY-MM-DD`); retired id -> successors, best first."""

    as_of: str = ""
    retired: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def merged(self, other: Successions) -> Successions:
        """This table with `other`'s lists in place of its own; the later date counts."""
        return Successions(max(self.as_of, other.as_of), {**self.retired, **other.retired})

    def heirs(
        self, model_id: str, *, free_listed: Sequence[str] = (), allow_paid_for_free: bool = False
    ) -> tuple[str, ...]:
        """All that may take the place of `model_id`, in order, listed or not."""
        named = self.retired.get(model_id, ())
        if not model_id.endswith(FREE):
            return tuple(named)
        paid: tuple[str, ...] = ()
        if allow_paid_for_free:
            base = model_id.removesuffix(FREE)
            named_paid = [heir for heir in named if not heir.endswith(FREE)]
            paid = (base, *named_paid, *self.retired.get(base, ()))
        named_free = [heir for heir in named if heir.endswith(FREE)]
        return tuple(dict.fromkeys((*named_free, *free_listed, *paid)))


@dataclass(frozen=True, slots=True)
class Market:
    """What succession asks about the world as it is.

    `listed`: the live catalogue's ids. `taken`: models that other Slots use. `is_ready`: readiness
    for this query. `free_listed`: the catalogue's `:free` chat models, the preferred first.
    """

    listed: Container[str]
    taken: Container[str]
    is_ready: Callable[[str], bool]
    free_listed: Sequence[str] = ()


def successor(
    model_id: str, successions: Successions, *, market: Market, allow_paid_for_free: bool = False
) -> str | None:
    """The id that takes the place of `model_id`, or None: it is listed, or nobody is ready.

    The first heir that is listed, ready and not taken by another Slot; else the first that is
    listed and ready. A paid heir of a `:free` id comes only after every free one.
    """
    if model_id in market.listed:
        return None
    heirs = successions.heirs(
        model_id, free_listed=market.free_listed, allow_paid_for_free=allow_paid_for_free
    )
    usable = [h for h in heirs if h != model_id and h in market.listed and market.is_ready(h)]
    if not model_id.endswith(FREE):
        return _first(usable, market.taken)
    free = [heir for heir in usable if heir.endswith(FREE)]
    paid = [heir for heir in usable if not heir.endswith(FREE)]
    return _first(free, market.taken) or _first(paid, market.taken)


def _first(heirs: Iterable[str], taken: Container[str]) -> str | None:
    """The first that nobody else uses; else the first."""
    ordered = list(heirs)
    for heir in ordered:
        if heir not in taken:
            return heir
    return ordered[0] if ordered else None
