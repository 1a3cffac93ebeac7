"""What changes while the world goes on: prices, models, credit, faults; at a time or a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ultrai_sim.catalogue import Catalogue, Model
from ultrai_sim.faults import Fault

if TYPE_CHECKING:
    from ultrai_sim.world import World


@dataclass(frozen=True, slots=True)
class Change:
    """One change; it is due ``at_s`` after the start, or once so many ``requests`` were seen.

    ``model`` with ``pricing`` changes its prices, with ``retired`` takes it away or brings it back;
    ``add`` puts a new model in. ``credits_usd`` are bought. ``faults`` replace those in force.
    """

    at_s: float | None = None
    requests: int | None = None
    model: str | None = None
    pricing: Mapping[str, Any] | None = None
    retired: bool | None = None
    add: Model | None = None
    credits_usd: str | None = None
    faults: tuple[Fault, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a change that is never due, or that changes nothing."""
        if (self.at_s is None) == (self.requests is None):
            message = "give 'at_s' or 'requests', one of them"
            raise ValueError(message)
        about_model = self.pricing is not None or self.retired is not None
        if about_model != (self.model is not None):
            message = "'model' goes with 'pricing' or 'retired'"
            raise ValueError(message)
        others = (self.add, self.credits_usd, self.faults)
        if not about_model and all(other is None for other in others):
            message = "it changes nothing: give model, add, credits_usd or faults"
            raise ValueError(message)

    def is_due(self, *, since_s: float, requests: int) -> bool:
        """Whether its moment has come."""
        if self.at_s is not None:
            return since_s >= self.at_s
        return requests > (self.requests or 0)


class Changes:
    """Those still to come, applied before a request is looked at."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._left = list(changes)

    def apply(self, world: World) -> None:
        """Apply whatever is due, in the order in which it was written."""
        if not self._left:
            return
        since_s = world.clock() - world.began
        due = [c for c in self._left if c.is_due(since_s=since_s, requests=world.received)]
        for change in due:
            self._left.remove(change)
            _apply(change, world)


def _apply(change: Change, world: World) -> None:
    models = dict(world.listing.models)
    if change.model is not None and change.model in models:
        model = models[change.model]
        if change.pricing is not None:
            model = replace(model, pricing={**model.pricing, **change.pricing})
        if change.retired is not None:
            model = replace(model, retired=change.retired)
        models[change.model] = model
    if change.add is not None:
        models[change.add.id] = change.add
    world.listing = Catalogue(models.values())
    world.bodies.clear()
    world.rendered.clear()
    if change.credits_usd is not None:
        world.money.bought += Decimal(change.credits_usd)
    if change.faults is not None:
        world.book.replace(change.faults)
