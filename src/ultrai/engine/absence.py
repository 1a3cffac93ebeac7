"""What is said of an id that its upstream does not list: with what it may have meant."""

from __future__ import annotations

from ultrai.domain.errors import ModelNotFound, UsageError
from ultrai.domain.plan import NotReady, NotReadyReason
from ultrai.engine.world import World
from ultrai.policy.nearest import did_you_mean
from ultrai.policy.readiness import NOT_IN_CATALOGUE, NOT_PULLED


def absent(model_id: str, world: World) -> NotReady:
    """The verdict on an id that is not listed and has no heir."""
    if world.upstream_of(model_id) in world.local:
        return NotReady(NotReadyReason.NOT_LISTED, f"{model_id} {NOT_PULLED}")
    if model_id in world.successions.retired:
        message = f"{model_id} is no longer listed, and none of its successors is ready"
        return NotReady(NotReadyReason.NOT_LISTED, message)
    question = did_you_mean(model_id, world.catalog.models)
    message = f"{model_id} {NOT_IN_CATALOGUE}" + (f"; {question}" if question else "")
    return NotReady(NotReadyReason.NOT_LISTED, message)


def unknown(model_id: str, world: World) -> UsageError:
    """The error about an id that the user named and that does not exist."""
    if world.upstream_of(model_id) in world.local:
        return ModelNotFound(
            f"{model_id} has no weights on this machine; nothing was sent",
            hint=f"fetch them with `ultrai local pull {model_id}`",
        )
    question = did_you_mean(model_id, world.catalog.models)
    return ModelNotFound(
        f"there is no model {model_id!r} in the catalogue; nothing was sent",
        hint=question or "search with `ultrai models WORD`",
    )
