"""How documents stand in a prompt: before the question, each passage fenced under its name.

What does not change from question to question comes first, so that an upstream can keep it: the
documents stand in front of the conversation's first user message. A fence is longer than any run of
backticks within it. Where a model gets passages only, one sentence says so and how to cite them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ultrai.domain.fitting import Lines
from ultrai.domain.query import Message
from ultrai.domain.value import value

_BACKTICKS = re.compile(r"`+")
_LEAST_FENCE = 3
CITE = (
    "Below are passages of longer files; what lies between them is left out. "
    "Where you rely on one, cite its file and lines like this: [name:first-last]."
)


@value
class Shown:
    """A text as it is shown: of which document, which of its lines, and what was done to it."""

    name: str
    text: str
    lines: Lines
    what: str = ""  # such as "shortened", after the lines


def show(
    messages: Sequence[Message], parts: Sequence[Shown], *, as_passages: bool = False
) -> tuple[Message, ...]:
    """The messages with the parts in front of the first user message's own words."""
    if not parts:
        return tuple(messages)
    blocks = [CITE] if as_passages else []
    blocks += [block_of(part) for part in parts]
    text = "\n\n".join(blocks)
    shown = list(messages)
    for place, message in enumerate(shown):
        if message.role == "user":
            shown[place] = replace(message, content=f"{text}\n\n{message.content}")
            return tuple(shown)
    return (*shown, Message("user", text))


def block_of(part: Shown) -> str:
    """One part under its name and lines, between fences."""
    longest = max(map(len, _BACKTICKS.findall(part.text)), default=0)
    fence = "`" * max(_LEAST_FENCE, longest + 1)
    what = f", {part.what}" if part.what else ""
    head = f"File: {one_line(part.name)} (lines {part.lines.first}-{part.lines.last}{what})"
    return f"{head}\n{fence}\n{part.text.rstrip()}\n{fence}"


def one_line(name: str) -> str:
    """A name as it can stand in one line of a prompt."""
    return "".join(c if c.isprintable() else "?" for c in name)
