"""Lossless clean-up: blanks at line ends and runs of blank lines, which say nothing.

Code and data are left as they are, also fenced code in Markdown. Two blanks at the end of a line
break it in Markdown: they stay.
"""

from __future__ import annotations

import re

from ultrai.policy.text_kinds import ChunkKind

_FENCE = re.compile(r" {0,3}(```+|~~~+)")


def clean(text: str, kind: ChunkKind) -> str:
    """The text without what says nothing; every word and every line break of words stays."""
    if kind is ChunkKind.CODE:
        return text
    kept: list[str] = []
    fence = ""
    blank_before = True
    for line in text.split("\n"):
        if fence:
            kept.append(line)
            if line.strip().startswith(fence) and not line.strip().strip("`~"):
                fence = ""
            continue
        mark = _FENCE.match(line)
        fence = mark[1] if mark else ""
        stripped = line.rstrip()
        if kind is ChunkKind.MARKDOWN and stripped and line.endswith("  "):
            stripped += "  "
        if stripped or not blank_before:
            kept.append(stripped)
        blank_before = not stripped
    return "\n".join(kept).rstrip()
