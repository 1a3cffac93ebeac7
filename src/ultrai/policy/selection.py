"""Which of the four cocktails suits a query: the policy behind the name `auto`.

Two steps. The *wish*: the first signal in `_SIGNALS` that holds says which cocktail the question
calls for, and which come next. The *objections*: a cocktail whose models are not ready, that is
expected to cost more than the cap or take longer than the deadline, is passed over. If all are,
the one with the fewest objections is taken, and under a cost cap the cheapest of those.

Signals are cheap: lengths and English words at both ends of the prompt, where instructions stand.
What this does not know: other languages, irony, whether a long text is code or a novel beyond its
first and last lines, and how good any model really is. It is a starting point that says its
reason; `-c NAME` overrules it. Small models for classifying and summarising: the report of October
2025, "Cost Optimization Strategies".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

PREMIUM, SPEEDY, BUDGET, DEPTH = "PREMIUM", "SPEEDY", "BUDGET", "DEPTH"

SHORT_DEADLINE_S = 20.0
"""A deadline up to this is taken as a wish for speed."""

SMALL_CAP_NANOS = 10_000_000
"""A cost cap up to this (one cent) is taken as a wish for thrift."""

SHORT_PROMPT_CHARACTERS = 120
"""A question up to this long, with no other signal, is taken as a quick one."""

LONG_PROMPT_CHARACTERS = 40_000
"""About 10,000 tokens: beyond it, BUDGET's small windows (16,385 tokens and more) get tight."""

_LEAST_READY_SHARE = 0.5
_HEAD_CHARACTERS = 1500
_TAIL_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the choice rests on. The mappings' keys are cocktail names; absent: not known.

    `asked_depth`: the user wants depth, whatever the prompt says. `ready_share`: 0 to 1, the part
    of a cocktail's Slots that have a ready Candidate. `expected_cost_nanos` and
    `expected_latency_s`: for the whole run.
    """

    prompt: str
    asked_depth: bool = False
    deadline_s: float | None = None
    max_cost_nanos: int | None = None
    ready_share: Mapping[str, float] = field(default_factory=dict)
    expected_cost_nanos: Mapping[str, int | None] = field(default_factory=dict)
    expected_latency_s: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """The cocktail's name and one plain sentence that says why."""

    cocktail: str
    reason: str


def choose_cocktail(circumstances: Circumstances) -> Choice:
    """One of the four, always; the same circumstances give the same choice."""
    wish = _wish(circumstances)
    objections = {name: _objections(name, circumstances) for name in wish.order}
    for position, name in enumerate(wish.order):
        if not objections[name]:
            passed = wish.order[:position]
            return Choice(name, _sentence(name, wish.because, passed=passed, objections=objections))

    def badness(name: str) -> tuple[bool, int, bool, int, int]:
        return _badness(name, wish, now=circumstances, objections=objections)

    closest = min(wish.order, key=badness)
    against = " and ".join(objections[closest])
    return Choice(
        closest,
        f"{closest} was chosen because {wish.because}, though {against}: no cocktail fits better.",
    )


@dataclass(frozen=True, slots=True)
class _Wish:
    order: tuple[str, ...]
    because: str


_DEPTH_WORDS = re.compile(
    r"\b(in[- ]depth|in detail|detailed|step[- ]by[- ]step|compar(?:e|ison)|pro(?:ve|of)|derive"
    r"|thorough(?:ly)?|comprehensive(?:ly)?|analy[sz]e|critically|trade-?offs?|pros and cons"
    r"|deep(?:ly| dive))\b",
    re.IGNORECASE,
)
_LABEL_WORDS = re.compile(
    r"\b(classif(?:y|ication)|categori[sz]e|sentiment|which (?:category|label|class)"
    r"|label (?:this|these|each|the)|yes or no|true or false|spam or (?:not|ham))\b",
    re.IGNORECASE,
)
_SUMMARY_WORDS = re.compile(
    r"\b(summar(?:i[sz]e|y)|tl;?dr|key points|in (?:one|a) sentence|shorten|condense|the gist)\b",
    re.IGNORECASE,
)
_MATHS = re.compile(
    r"\b(integral|derivative|theorem|lemma|equations?|solve for|eigenvalues?|probability that"
    r"|differentiate|polynomial|modulo)\b|\\(?:frac|sum|int|sqrt|lim)(?![a-z])|[∫∑√∂≤≥∀∃]",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"```|\bTraceback \(most recent|[;{}][ \t]*$"
    r"|(?-i:^[ \t]*(?:def \w+\(|class \w+[:({]|import [\w.]+;?$|from [\w.]+ import |func? \w+\("
    r"|#include\b|public (?:class|static)))"
    r"|\b(?:refactor|debug|unit tests?|stack ?trace|regex|compil(?:e|er|ation) error"
    r"|function (?:that|which|to)|(?:python|javascript|typescript|java|rust|golang|c\+\+|sql|bash)"
    r" (?:code|script|function|class|query|program))\b",
    re.IGNORECASE | re.MULTILINE,
)

_FOR_DEPTH = (DEPTH, PREMIUM, SPEEDY, BUDGET)
_FOR_QUALITY = (PREMIUM, DEPTH, SPEEDY, BUDGET)
_FOR_SPEED = (SPEEDY, BUDGET, PREMIUM, DEPTH)
_FOR_THRIFT = (BUDGET, SPEEDY, PREMIUM, DEPTH)


def _is_short_of_time(now: Circumstances) -> bool:
    return now.deadline_s is not None and now.deadline_s <= SHORT_DEADLINE_S


def _is_short_of_money(now: Circumstances) -> bool:
    return now.max_cost_nanos is not None and now.max_cost_nanos <= SMALL_CAP_NANOS


def _says(words: re.Pattern[str]) -> Callable[[Circumstances], bool]:
    return lambda now: words.search(_ends(now.prompt)) is not None


def _is_long(now: Circumstances) -> bool:
    return len(now.prompt) > LONG_PROMPT_CHARACTERS


def _is_long_summary(now: Circumstances) -> bool:
    return _is_long(now) and _says(_SUMMARY_WORDS)(now)


def _is_quick(now: Circumstances) -> bool:
    return len(now.prompt.strip()) <= SHORT_PROMPT_CHARACTERS


_SIGNALS: tuple[tuple[Callable[[Circumstances], bool], _Wish], ...] = (
    (_is_short_of_time, _Wish(_FOR_SPEED, "the deadline is short")),
    (_is_short_of_money, _Wish(_FOR_THRIFT, "the cost cap is small")),
    (lambda now: now.asked_depth, _Wish(_FOR_DEPTH, "depth was asked for")),
    (_says(_DEPTH_WORDS), _Wish(_FOR_DEPTH, "the question asks for depth")),
    (_is_long_summary, _Wish(_FOR_SPEED, "a long text is to be summarised")),
    (_says(_LABEL_WORDS), _Wish(_FOR_THRIFT, "classifying is work for small models")),
    (_says(_SUMMARY_WORDS), _Wish(_FOR_THRIFT, "summarising is work for small models")),
    (_says(_MATHS), _Wish(_FOR_DEPTH, "the question is mathematical")),
    (_says(_CODE), _Wish(_FOR_QUALITY, "the question is about code")),
    (_is_long, _Wish(_FOR_QUALITY, "the prompt is long")),
    (_is_quick, _Wish(_FOR_SPEED, "the question is short")),
)
_OTHERWISE = _Wish(_FOR_QUALITY, "nothing in the question calls for anything special")


def _wish(circumstances: Circumstances) -> _Wish:
    for holds, wish in _SIGNALS:
        if holds(circumstances):
            return wish
    return _OTHERWISE


def _ends(prompt: str) -> str:
    """The parts of a prompt where its instructions stand: all of it, or its head and tail."""
    if len(prompt) <= _HEAD_CHARACTERS + _TAIL_CHARACTERS:
        return prompt
    return f"{prompt[:_HEAD_CHARACTERS]}\n{prompt[-_TAIL_CHARACTERS:]}"


def _objections(name: str, now: Circumstances) -> tuple[str, ...]:
    """What speaks against a cocktail, each the end of a sentence."""
    found: list[str] = []
    share = now.ready_share.get(name, 1.0)
    if share <= 0:
        found.append(f"none of {name}'s slots has a ready model")
    elif share < _LEAST_READY_SHARE:
        found.append(f"fewer than half of {name}'s slots have a ready model")
    if now.max_cost_nanos is not None and name in now.expected_cost_nanos:
        cost = now.expected_cost_nanos[name]
        if cost is None:
            found.append(f"{name}'s cost is not known")
        elif cost > now.max_cost_nanos:
            found.append(f"{name} is expected to cost more than the cap")
    latency = now.expected_latency_s.get(name)
    if now.deadline_s is not None and latency is not None and latency > now.deadline_s:
        found.append(f"{name} is expected to take longer than the deadline")
    return tuple(found)


def _badness(
    name: str, wish: _Wish, *, now: Circumstances, objections: Mapping[str, tuple[str, ...]]
) -> tuple[bool, int, bool, int, int]:
    """Sorts the cocktails when each has an objection: dead ones last, then fewest, then cheapest.

    Cost counts only under a cap; one of unknown cost comes after the known ones.
    """
    dead = now.ready_share.get(name, 1.0) <= 0
    cost = now.expected_cost_nanos.get(name) if now.max_cost_nanos is not None else 0
    return dead, len(objections[name]), cost is None, cost or 0, wish.order.index(name)


def _sentence(
    name: str,
    because: str,
    *,
    passed: tuple[str, ...],
    objections: Mapping[str, tuple[str, ...]],
) -> str:
    if not passed:
        return f"{name} was chosen because {because}."
    against = "; ".join(objections[other][0] for other in passed)
    return f"{name} was chosen: {because}, but {against}."
