"""A text cut into smaller pieces that join to it again: sentences, clauses, words, characters.

Ends of sentences are those of most scripts in use: `.` `!` `?` with a blank after them, the full
stops of Chinese and Japanese, the danda, the Arabic and Urdu marks and more, with the quotes and
brackets that close behind them. What this does not know: abbreviations, beyond that a sentence does
not begin with a small letter, and scripts that end a sentence with a blank alone (Thai).

Every expression here is linear: a run of marks is entered at its first one only.
"""

from __future__ import annotations

import re
import unicodedata

_CLOSERS = "\"'”’“»)\\]}」』）】》"
_SPACED_ENDS = ".!?…"
_BARE_ENDS = "。！？｡．।॥؟۔։።။༎།᠃᠉‼⁇⁈⁉"
_SENTENCE_END = re.compile(
    rf"(?<![{_BARE_ENDS}])[{_BARE_ENDS}]++[{_CLOSERS}]*+\s*+"
    rf"|(?<![{_SPACED_ENDS}])[{_SPACED_ENDS}]++[{_CLOSERS}]*+\s++(?![a-zà-öø-ÿα-ωа-яё])"
    r"|\n[ \t]*+\n\s*+"
)
_CLAUSE_END = re.compile(r"[,;:،؛、，；：·፣፤][\s]*+|(?<=\s)[–—-]++\s++|[—–](?=\S)")
_WORD = re.compile(r"\S++\s*+|\s++")
_JOINER = "\u200d"
_FURTHEST_BACK = 32  # no script in use stacks more marks on one character


def split_sentences(text: str) -> list[str]:
    """The sentences, each with the blanks behind it."""
    return _split_after(_SENTENCE_END, text)


def split_clauses(text: str) -> list[str]:
    """Pieces that end at a comma, a semicolon, a colon or a dash."""
    return _split_after(_CLAUSE_END, text)


def split_words(text: str) -> list[str]:
    """The words, each with the blanks behind it."""
    return _WORD.findall(text)


def split_characters(text: str, size: int) -> list[str]:
    """Pieces of at most `size` characters; characters that are drawn as one stay together.

    A stack of more marks than any script uses is cut all the same.
    """
    pieces = []
    start = 0
    while len(text) - start > size:
        end = _joint_before(text, start + size, least=start + 1)
        pieces.append(text[start:end])
        start = end
    pieces.append(text[start:])
    return pieces


def _split_after(end: re.Pattern[str], text: str) -> list[str]:
    pieces = []
    start = 0
    for match in end.finditer(text):
        pieces.append(text[start : match.end()])
        start = match.end()
    if start < len(text):
        pieces.append(text[start:])
    return pieces


def _joint_before(text: str, wanted: int, *, least: int) -> int:
    """The last place at or before `wanted` that is inside no composed character."""
    floor = max(least, wanted - _FURTHEST_BACK)
    for place in range(wanted, floor - 1, -1):
        if not _are_one(text[place - 1], text[place]):
            return place
    return wanted


def _are_one(left: str, right: str) -> bool:
    """Whether two neighbours are drawn as one character."""
    if right.isascii():
        return left == "\r" and right == "\n"
    if _JOINER in (left, right) or "\ud800" <= left <= "\udbff":
        return True
    if "\U0001f1e6" <= right <= "\U0001f1ff":  # two letters make a flag
        return "\U0001f1e6" <= left <= "\U0001f1ff"
    is_skin_tone = "\U0001f3fb" <= right <= "\U0001f3ff"
    return is_skin_tone or unicodedata.category(right).startswith("M") or _is_jamo_tail(left, right)


def _is_jamo_tail(left: str, right: str) -> bool:
    return "\u1160" <= right <= "\u11ff" and "\u1100" <= left <= "\u11ff"
