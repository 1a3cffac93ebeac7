"""Which tools a model calls, and with what.

With tools at hand a model calls one, unless it was told not to or has had its results already. It
takes the one whose name or parameters the question speaks of, and several where it speaks of
several and parallel calls are allowed. Arguments satisfy the tool's schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from math import isfinite
from random import Random

from ultrai_sim.manners import Manner
from ultrai_sim.question import Question, Tool
from ultrai_sim.speech import ToolCall
from ultrai_sim.structured import Maker
from ultrai_sim.tokens import split

WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
MOST_CALLS = 3


def calls(
    question: Question, topics: Sequence[str], *, manner: Manner, family: str, source: Random
) -> tuple[ToolCall, ...]:
    """The calls of one answer, none where the model speaks instead."""
    made: list[ToolCall] = []
    tools = chosen(question)
    numbers = numbers_of(question.asked) if tools else []
    for tool in tools:
        maker = Maker(tool.parameters or {"type": "object"}, source, topics, numbers)
        arguments = json.dumps(maker.value(), ensure_ascii=False)
        letters = "".join(source.choices(ALPHABET, k=manner.call_letters))
        made.append(
            ToolCall(manner.call_prefix + letters, tool.name, arguments, split(arguments, family))
        )
    return tuple(made)


def chosen(question: Question) -> list[Tool]:
    """The tools that are called, in the order in which they were offered."""
    tools, choice = question.tools, question.choice
    if choice.startswith(":"):
        return [tool for tool in tools if tool.name == choice[1:]][:1]
    if not tools or choice == "none" or (question.results and choice != "required"):
        return []
    asked = {word.lower() for word in WORD.findall(question.asked)}
    named = [tool for tool in tools if asked & _words(tool.name)]
    if not named:
        named = [tool for tool in tools if asked & _words(" ".join(_properties(tool)))]
    return (named or list(tools[:1]))[: MOST_CALLS if question.parallel else 1]


def numbers_of(text: str) -> list[float]:
    """The numbers that a text mentions, in their order."""
    numbers = (float(found) for found in NUMBER.findall(text))
    return [number for number in numbers if isfinite(number)]


def _words(name: str) -> set[str]:
    return {word.lower() for word in WORD.findall(name)}


def _properties(tool: Tool) -> list[str]:
    properties = tool.parameters.get("properties")
    return list(properties) if isinstance(properties, dict) else []
