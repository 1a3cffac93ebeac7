"""`--debug`: what goes over the wire, on standard error, with every secret masked."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ultrai.cli.render.safety import one_line
from ultrai.domain.secret import MASK

if TYPE_CHECKING:
    from ultrai.settings.model import Settings

# What looks like a key is masked even where it is not the configured one.
_KEYS = re.compile(r"\bsk-[A-Za-z0-9_-]{8,}|(?<=[Bb]earer )[^\s'\",]+")
_LONGEST_LINE = 4000


def mask(text: str, settings: Settings | None) -> str:
    """`text` without the keys in use, nor anything that looks like one."""
    if settings is not None:
        for key in settings.known_keys():
            text = key.mask(text)
    return _KEYS.sub(MASK, text)


def wire_log(settings: Settings) -> Callable[[str], None]:
    """Takes one line for each step on the wire and writes it to standard error, masked again."""

    def write(line: str) -> None:
        sys.stderr.write(f"wire: {one_line(mask(line, settings), limit=_LONGEST_LINE)}\n")
        sys.stderr.flush()

    return write
