"""What a prompt may not say: words that a guardrail forbids, words that a provider flags."""

from __future__ import annotations

from dataclasses import dataclass

from ultrai_sim import refusals
from ultrai_sim.catalogue import Model
from ultrai_sim.world import World


@dataclass(frozen=True, slots=True)
class Said:
    """A prompt on its way to a provider: all its text, and what the user said last."""

    prompt: str
    asked: str
    model_id: str
    provider: str


def looks(world: World, model: Model) -> bool:
    """Whether anybody looks at prompts for this model: a guardrail, or its own provider."""
    return bool(world.blocked or (world.flagged and model.moderated))


def moderate(world: World, model: Model, *, said: Said) -> None:
    """Raise the `Refusal` that a prompt meets."""
    text = said.prompt.casefold()
    blocked = [word for word in world.blocked if word.casefold() in text]
    if blocked:
        raise refusals.blocked_by_guardrail(blocked)
    if model.moderated and any(word.casefold() in text for word in world.flagged):
        raise refusals.moderated(said.model_id, said.provider, flagged=said.asked)
