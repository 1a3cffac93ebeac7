"""Text that others wrote, made safe for a terminal and for a line of its own.

A model's text is untrusted: an escape sequence in it could move the cursor, rename the window,
fill the clipboard or hide what stands there. Everything that can is taken out, never escaped,
before the text reaches a person; JSON keeps the text as it came, with such characters escaped.
"""

from __future__ import annotations

import re

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, modes
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, ...
    r"|\x1b[ -/]*[0-~]"
)
# Line feed and tab stay. The last two ranges turn the direction of text round (Trojan Source).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?$")
_LONGEST_HELD = 256
_SHOWN = 400


def clean(text: str) -> str:
    """`text` without escape sequences, control characters and direction overrides."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def one_line(text: str, *, limit: int = _SHOWN) -> str:
    """`text` cleaned, on one line, at most `limit` characters long."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


class Cleaner:
    """`clean` for text that arrives in pieces: a sequence cut in two is still taken out whole."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown after this piece."""
        text = self._held + piece
        self._held = ""
        tail = _UNFINISHED.search(text)
        if tail is not None and len(tail.group()) <= _LONGEST_HELD:
            self._held = tail.group()
            text = text[: tail.start()]
        return clean(text)

    def flush(self) -> str:
        """What was held back, at the end of the text."""
        held, self._held = self._held, ""
        return clean(held)
