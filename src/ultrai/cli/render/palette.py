"""The few styles that are used, and how they reach a terminal.

Colour never carries a meaning alone: each state has its word and its symbol too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Style(Enum):
    """A way to paint, with its SGR parameters."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    GOOD = "32"
    ODD = "33"
    BAD = "31"
    LIVE = "36"


PLAIN = Style.PLAIN

# For a terminal whose encoding has no such characters.
_ASCII = str.maketrans(
    {
        "✓": "+",
        "✗": "x",
        "●": "*",
        "◌": "o",
        "◍": "?",
        "↻": "~",
        "→": ">",
        "…": ".",
        "·": "|",
        "–": "-",
        "—": "-",
        "─": "-",
        "≥": ">",
    }
)


@dataclass(frozen=True, slots=True)
class Palette:
    """What the terminal at hand can show."""

    colour: bool = False
    unicode: bool = True

    def paint(self, text: str, style: Style) -> str:
        """`text` in that style, or as it is where there is no colour."""
        if not self.colour or style is PLAIN or not text:
            return text
        return f"\x1b[{style.value}m{text}\x1b[0m"

    def spell(self, text: str) -> str:
        """Our own symbols in the characters the terminal has."""
        return text if self.unicode else text.translate(_ASCII)
