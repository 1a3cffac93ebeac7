"""Reasoning: what a request asks for, and the thoughts that come of it.

An effort becomes a budget as documented (`max` and `xhigh` 95 % of ``max_tokens``, `high` 80,
`medium` 50, `low` 20, `minimal` 10; for Claude at least 1024 and at most 128,000 tokens, for others
at least 64). How much of it is used grows with the effort and is drawn. Thoughts are paid like
text, and come first: a small ``max_tokens`` may leave no text at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from ultrai_sim.catalogue import Model
from ultrai_sim.phrases import SUMMARIES, THOUGHTS
from ultrai_sim.refusals import refuse
from ultrai_sim.tokens import split

# Effort -> share of max_tokens, and the range of tokens that thoughts take if there is room.
EFFORTS: Mapping[str, tuple[float, int, int]] = {
    "max": (0.95, 200, 500),
    "xhigh": (0.95, 160, 400),
    "high": (0.8, 100, 300),
    "medium": (0.5, 50, 160),
    "low": (0.2, 20, 60),
    "minimal": (0.1, 6, 20),
}
DEFAULT_EFFORT = "medium"
CLAUDE_BUDGETS = (1024, 128_000)
LEAST_BUDGET = 64
TOKENS_PER_BUDGET = 4
MOST_THOUGHTS = 8_000
"""With a budget in tokens, up to one in so many is used, and no more than `MOST_THOUGHTS`."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """Whether a model thinks, whether it keeps it to itself, and how much it may."""

    on: bool = False
    hidden: bool = False
    effort: str = DEFAULT_EFFORT
    budget: int | None = None


SILENT = Thinking()


def read_thinking(body: Mapping[str, Any], model: Model) -> Thinking:
    """The reasoning that a request gets; 400 for wishes that contradict each other or the model."""
    asked = body.get("reasoning")
    wish: Mapping[str, Any] = asked if isinstance(asked, Mapping) else {}
    effort, budget = _effort(wish, body), wish.get("max_tokens")
    if effort is not None and budget is not None:
        text = 'Only one of "reasoning.effort" and "reasoning.max_tokens" can be specified'
        raise refuse(400, text)
    hidden = wish.get("exclude") is True or body.get("include_reasoning") is False
    if wish.get("enabled") is False or effort == "none":
        if model.must_reason:
            text = "Reasoning is mandatory for this endpoint and cannot be disabled."
            raise refuse(400, text)
        return Thinking(hidden=hidden)
    wanted = bool(effort or wish) or body.get("include_reasoning") is True
    return Thinking(
        on=model.reasons or (wanted and model.reasoning is not None),
        hidden=hidden,
        effort=_known(effort, model),
        budget=budget if isinstance(budget, int) and budget > 0 else None,
    )


def _effort(wish: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    inner, outer = wish.get("effort"), body.get("reasoning_effort")
    if inner is not None and outer is not None and inner != outer:
        raise refuse(400, '"reasoning.effort" and "reasoning_effort" must not differ')
    effort = outer if inner is None else inner
    return effort if isinstance(effort, str) else None


def _known(effort: str | None, model: Model) -> str:
    """An effort that means something: the one asked for, else the model's own, else medium."""
    if effort is not None and effort in EFFORTS:
        return effort
    own = str((model.reasoning or {}).get("default_effort"))
    return own if own in EFFORTS else DEFAULT_EFFORT


def budget_of(thinking: Thinking, *, limit: int | None, is_claude: bool) -> int | None:
    """The most tokens that thoughts may take; None where nothing bounds them."""
    if thinking.budget is not None:
        return max(thinking.budget, CLAUDE_BUDGETS[0]) if is_claude else thinking.budget
    if limit is None:
        return None
    budget = int(limit * EFFORTS[thinking.effort][0])
    if is_claude:
        return max(min(budget, CLAUDE_BUDGETS[1]), CLAUDE_BUDGETS[0])
    return max(budget, LEAST_BUDGET)


def think(
    thinking: Thinking, topics: list[str], *, budget: int | None, family: str, source: Random
) -> tuple[str, ...]:
    """The thoughts, one piece for each token of the family."""
    _, least, most = EFFORTS[thinking.effort]
    if thinking.budget is not None:
        least, most = 1, min(max(thinking.budget // TOKENS_PER_BUDGET, 1), MOST_THOUGHTS)
    wanted = source.randint(least, most)
    if budget is not None:
        wanted = min(wanted, budget)
    pieces: list[str] = []
    start = source.randrange(len(THOUGHTS))
    told = 0
    while len(pieces) < wanted:
        a, b = source.choice(topics), source.choice(topics)
        text = THOUGHTS[(start + told) % len(THOUGHTS)].format(a=a, b=b)
        pieces += split(f" {text}" if told else text, family)
        told += 1
    return tuple(pieces if budget is None else pieces[:budget])


def summarise(topics: list[str], *, family: str, source: Random) -> tuple[str, ...]:
    """What a model says of its thoughts where it does not show them."""
    text = source.choice(SUMMARIES).format(a=source.choice(topics), b=source.choice(topics))
    return split(text, family)
