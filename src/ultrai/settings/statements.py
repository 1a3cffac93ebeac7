"""The statements of a TOML text and where they stand: one can be replaced and all else kept.

`tomllib` says what a text means and forgets how it was written. This scanner is its complement: it
finds where each statement begins and ends and which key it defines, and trusts that the text has
already been parsed. It does not know: values. Whoever edits by it must parse the result again.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ultrai.settings.entry import KeyPath

_STRING: Final = (
    r'"""(?:\\.|[^\\])*?"""(?!")' r"|'''.*?'''(?!')" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'"
)
_TOKEN: Final = re.compile(
    rf"(?P<string>{_STRING})|(?P<comment>#[^\n]*)|(?P<open>[\[{{])|(?P<close>[\]}}])"
    r"|(?P<newline>\n)|(?P<equals>=)|(?P<dot>\.)|(?P<bare>[A-Za-z0-9_-]+)|(?P<other>.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """`text[start:end]`, its line break included, and the full path of the key that it defines.

    `path` is empty for a blank line or a comment. `is_header` tells `[a.b]` from `a.b = 1`.
    """

    start: int
    end: int
    path: KeyPath
    is_header: bool


def statements(text: str) -> Iterator[Statement]:
    """The statements of a valid TOML text, in order and without gaps."""
    table: KeyPath = ()
    for start, end in _logical_lines(text):
        key, is_header = _key(text[start:end])
        if is_header:
            table = key
            yield Statement(start, end, key, is_header=True)
        else:
            yield Statement(start, end, (*table, *key) if key else (), is_header=False)


def with_strings_replaced(text: str, replace: Callable[[str], str]) -> str:
    """`text` with each string, key or value, whose meaning `replace` changes, written anew."""

    def rewritten(match: re.Match[str]) -> str:
        token = match.group()
        if match.lastgroup != "string":
            return token
        meaning = _meaning(token)
        changed = replace(meaning)
        return token if changed == meaning else quoted(changed)

    return _TOKEN.sub(rewritten, text)


def quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def _logical_lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each statement: a line, or more where brackets or strings span lines."""
    start = depth = 0
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth -= 1
        elif token.lastgroup == "newline" and depth == 0:
            yield start, token.end()
            start = token.end()
    if start < len(text):
        yield start, len(text)


def _key(line: str) -> tuple[KeyPath, bool]:
    """The key that a statement begins with, and whether it is a header."""
    parts: list[str] = []
    is_header = False
    for token in _TOKEN.finditer(line):
        kind = token.lastgroup
        if kind in {"string", "bare"}:
            word = token.group()
            parts.append(_meaning(word) if kind == "string" else word)
        elif kind == "open":
            is_header = True
        elif kind in {"equals", "close", "comment"}:
            break
    return tuple(parts), is_header


def _meaning(token: str) -> str:
    """What a string token stands for."""
    return str(tomllib.loads(f"v = {token}")["v"])
