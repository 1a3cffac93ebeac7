"""How well a text can be parted before each of its lines, and which heading holds from there.

A seam's strength orders seams, nothing else: the highest in reach is taken. Below the strengths of
lines are those inside a line (`CHARACTER` to `SENTENCE`). A heading, a decorator or a comment stays
with what it stands above; blank lines stay with what they follow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ultrai.domain.value import value
from ultrai.policy.text_kinds import ChunkKind

CHARACTER = 0
WORD = 1
CLAUSE = 2
SENTENCE = 3
_BEFORE_BLANK = 4
_LINE = 10
_ITEM = 24
_BLANK = 30
_BLOCK = 34
_BREAK = 50
_CHAPTER = 80
_HEADING = 90

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_MARKDOWN_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*$")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s")
_SENTENCE_ENDED = re.compile(r"[.!?…。！？।॥؟۔։።။:]['\"”’»)\]」』]*$")
_CHAPTER_LINE = re.compile(
    r"\s*(?:(?:chapter|part|book|section|appendix|kapitel|teil|chapitre|partie|cap[ií]tulo|parte"
    r"|capitolo|глава|часть|الفصل|अध्याय)\s+[\w.]+|第.{1,8}[章节節回部])(?:[\s.:—-].{0,80})?$",
    re.IGNORECASE,
)
_DEFINITION = re.compile(
    r"(?:@\w|#\[|template\b|(?:(?:export|default|pub(?:\([a-z]+\))?|public|private|protected|static"
    r"|abstract|final|async|unsafe|extern|inline|virtual|override|sealed|partial|internal|open|data"
    r"|suspend|local)\s+)*"
    r"(?:def|class|func|fn|function|fun|struct|enum|interface|trait|impl|module|mod|namespace"
    r"|package|type|object|protocol|extension|sub|proc|defmodule|defp|CREATE|create)\b)"
)
_COMMENT = re.compile(r"#(?!\[)|//|/\*|\*|--|;|\"\"\"|%")
_CLOSING = re.compile(r"[)}\]]|(?:end|else|elif|elsif|except|catch|finally|then|fi|done)\b")
_MOST_INDENT = 8
_LONGEST_HEADING = 120


@value
class Seams:
    """Of each line: the strength of the seam before it. `headings`: line and text, in order."""

    strengths: list[int]
    headings: list[tuple[int, str]]


def find_seams(lines: Sequence[str], kind: ChunkKind) -> Seams:
    """The seams before the lines, which carry their line ends."""
    return _FINDERS[kind](lines)


def _markdown_seams(lines: Sequence[str]) -> Seams:
    found = Seams([], [])
    fence = ""
    above = ""  # the last line: blank, of a paragraph, or else `structure`
    structure = "#"
    is_blank_above = False
    for line in lines:
        text = line.strip()
        if not text:
            found.strengths.append(_BEFORE_BLANK)
            is_blank_above = True
            continue
        mark = _FENCE.match(line) if "```" in line or "~~~" in line else None
        strength = _paragraph_strength(above, is_blank_above=is_blank_above)
        if above == structure:
            strength = CHARACTER
        if fence:
            strength = _LINE + is_blank_above
            if mark and mark[1].startswith(fence) and not text.strip("`~"):
                fence, strength, text = "", CLAUSE, ""
        elif mark:
            fence = mark[1]
            strength = max(strength, _BLOCK) if above != structure else strength
        elif text[0] == "#" and (heading := _MARKDOWN_HEADING.match(line.rstrip("\r\n"))):
            strength = _HEADING - len(heading[1])
            found.headings.append((len(found.strengths), (heading[2] or "")[:_LONGEST_HEADING]))
            text = structure
        elif above and not is_blank_above and above != structure and _UNDERLINE.match(text):
            found.strengths[-1] = _HEADING - (1 if text[0] == "=" else 2)
            found.headings.append((len(found.strengths) - 1, above[:_LONGEST_HEADING]))
            strength, text = CHARACTER, structure
        elif text[0] in "-*+0123456789|" and above != structure:
            strength = max(strength, _marked_strength(line))
        found.strengths.append(strength)
        above, is_blank_above = text, False
    return found


def _marked_strength(line: str) -> int:
    """Of a list's item, the outer ones before the inner ones, or a table's row."""
    if line.lstrip().startswith("|"):
        return _LINE
    if _LIST_ITEM.match(line):
        return _ITEM - min(len(line) - len(line.lstrip()), _MOST_INDENT)
    return CHARACTER


def _paragraph_strength(above: str, *, is_blank_above: bool) -> int:
    """Of a line of text: a new paragraph, after a sentence, or inside one that is wrapped."""
    if is_blank_above:
        return _BLANK
    if not above:
        return _BLOCK
    return _LINE if _SENTENCE_ENDED.search(above) else CLAUSE


def _prose_seams(lines: Sequence[str]) -> Seams:
    found = Seams([], [])
    above = ""
    blanks = 0
    is_under_chapter = False
    for line in lines:
        text = line.strip()
        if not text:
            found.strengths.append(_BREAK if "\f" in line else _BEFORE_BLANK)
            blanks += 1
            continue
        strength = _paragraph_strength(above, is_blank_above=blanks > 0)
        if blanks > 1:
            strength = _BREAK
        if is_under_chapter:
            strength = CHARACTER
        is_under_chapter = (blanks > 0 or not above) and bool(_CHAPTER_LINE.match(text))
        if is_under_chapter:
            strength = _CHAPTER
            found.headings.append((len(found.strengths), text[:_LONGEST_HEADING]))
        if line[0] == "\f":
            strength = max(strength, _BREAK)
        found.strengths.append(strength)
        above, blanks = text, 0
    return found


def _code_seams(lines: Sequence[str]) -> Seams:
    found = Seams([], [])
    is_blank_above = True
    is_bound_above = False  # a comment or a decorator, which stays with the line below
    for line in lines:
        text = line.lstrip()
        if not text:
            found.strengths.append(_BEFORE_BLANK)
            is_blank_above, is_bound_above = True, False
            continue
        indent = len(line) - len(text)
        is_definition = _DEFINITION.match(text) is not None
        if is_bound_above:
            strength = CLAUSE
        else:
            strength = _code_strength(
                text, indent, is_definition=is_definition, is_blank_above=is_blank_above
            )
        is_bound_above = text[0] == "@" or _COMMENT.match(text) is not None
        if is_definition and indent == 0 and text[0] not in "@#":
            found.headings.append(
                (len(found.strengths), text.rstrip(" \t\r\n:{(")[:_LONGEST_HEADING])
            )
        found.strengths.append(strength)
        is_blank_above = False
    return found


def _code_strength(text: str, indent: int, *, is_definition: bool, is_blank_above: bool) -> int:
    """Outer before inner, definitions before other lines, after a blank line before elsewhere."""
    depth = min(indent, _MOST_INDENT)
    if is_definition:
        return (_CHAPTER if is_blank_above else _BREAK) - depth
    if _CLOSING.match(text):
        return _BEFORE_BLANK
    if is_blank_above:
        return (_BREAK if indent == 0 else _BLANK) - depth
    return _LINE + _MOST_INDENT - depth


_FINDERS: Mapping[ChunkKind, Callable[[Sequence[str]], Seams]] = {
    ChunkKind.MARKDOWN: _markdown_seams,
    ChunkKind.CODE: _code_seams,
    ChunkKind.PROSE: _prose_seams,
}
