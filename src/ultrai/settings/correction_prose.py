"""Reads `model_corrections`, whose values are prose for people, as the report of 2025 wrote them.

What is understood, in each of the three sections:

    "WRONG": "RIGHT (why)"                     a table; the first word with a slash counts
    "WRONG": "replaced by RIGHT"               also superseded by, succeeded by, use, now, ->
    "WRONG (superseded by RIGHT)"              an entry of a list
    "WRONG -> RIGHT"                           an entry of a list

RIGHT may leave out the maker (`claude-3.7-sonnet`): then it is WRONG's. It may be the start of a
known id (`llama-3.3`): then it is the first known one of that maker. Of alternatives
(`llama-3.3/llama-4`) the first counts. What this does not know: any other phrase, which is an error
that shows the form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ultrai.domain.cocktail import is_model_id
from ultrai.policy.corrections import Corrections, correct
from ultrai.settings.entry import shown
from ultrai.settings.node import Node

SECTIONS = ("DEPRECATED", "PREFIX_CORRECTIONS", "CLARIFICATIONS")

_MOST_ENTRIES = 1000
_FORM = 'write "WRONG -> RIGHT", or "WRONG (replaced by RIGHT)"'
_WORD = re.compile(r"[^\s(),;]+")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/")
_REPLACED = re.compile(
    r"(?:\b(?:replaced|superseded|succeeded) (?:by|with) |(?:->|→) ?|\b(?:use|now) (?=[^\s(),;]*/))"
    r"(?P<right>[^\s(),;]+)",
    re.IGNORECASE,
)


def parse_corrections(node: Node, *, base: Corrections, known: Iterable[str]) -> Corrections:
    """The file's own corrections; `base` and the `known` ids complete what prose leaves out.

    Raises SettingsError where an entry cannot be read, is doubled, or leads round in a circle.
    """
    sections = node.parts("a section of corrections", SECTIONS)
    prefixes = _prefixes(sections.get("PREFIX_CORRECTIONS"))
    reader = _Reader(base.merged(Corrections(prefixes=prefixes)), tuple(known))
    corrections = Corrections(
        prefixes=prefixes,
        deprecated=reader.ids(sections.get("DEPRECATED")),
        clarifications=reader.ids(sections.get("CLARIFICATIONS")),
    )
    _refuse_circles(node, corrections)
    return corrections


@dataclass(frozen=True, slots=True)
class _Reader:
    corrections: Corrections
    known: tuple[str, ...]

    def ids(self, section: Node | None) -> dict[str, str]:
        """A section's wrong ids and the right ones."""
        table: dict[str, str] = {}
        for node, wrong, prose in _entries(section):
            if not is_model_id(wrong):
                raise node.not_an_id(self.known)
            right = self._completed(wrong, _right_word(node, prose))
            if not is_model_id(right):
                raise node.problem(f"{shown(right)} is not a model id", hint=_FORM)
            if wrong.casefold() in table or right == wrong:
                fault = "is corrected twice" if right != wrong else "is corrected to itself"
                raise node.problem(f"{shown(wrong)} {fault}")
            table[wrong.casefold()] = right
        return table

    def _completed(self, wrong: str, word: str) -> str:
        """The id that the prose means by `word`."""
        fixed = correct(wrong, Corrections(prefixes=self.corrections.prefixes))
        maker = (fixed.corrected if fixed else wrong).partition("/")[0]
        first, slash, _ = word.partition("/")
        makers = {maker, wrong.partition("/")[0], *(i.partition("/")[0] for i in self.known)}
        if slash and first in makers:
            return word
        known = [i for i in self.known if i.startswith(f"{maker}/{first}") and ":" not in i]
        if slash and not known:
            return word
        exact = f"{maker}/{first}"
        return exact if exact in known or not known else known[0]


def _prefixes(section: Node | None) -> dict[str, str]:
    table: dict[str, str] = {}
    for node, wrong, prose in _entries(section):
        right = _right_word(node, prose)
        for prefix in (wrong, right):
            if not _PREFIX.fullmatch(prefix):
                raise node.problem(
                    f"{shown(prefix)} is not a prefix", hint="a prefix ends in a slash: x-ai/"
                )
        if wrong.casefold() in table or right == wrong:
            fault = "is corrected twice" if right != wrong else "is corrected to itself"
            raise node.problem(f"{shown(wrong)} {fault}")
        table[wrong.casefold()] = right
    return table


def _entries(section: Node | None) -> Iterator[tuple[Node, str, str]]:
    """Each entry's Node, what is wrong, and the prose about what is right."""
    if section is None:
        return
    if isinstance(section.value, dict):
        for key, node in section.table():
            yield node, key.strip(), node.text()
        return
    for node in section.items(most=_MOST_ENTRIES):
        text = node.text()
        word = _WORD.match(text)
        if word is None:
            raise node.problem(f"{shown(text)} names nothing to correct", hint=_FORM)
        yield node, word[0], text[word.end() :]


def _right_word(node: Node, prose: str) -> str:
    """The word of the prose that says what is right."""
    first = _WORD.match(prose)
    if first is not None and "/" in first[0]:
        return first[0]
    replaced = _REPLACED.search(prose)
    if replaced is None:
        raise node.problem(f"{shown(node.value)} names no replacement", hint=_FORM)
    return replaced["right"]


def _refuse_circles(node: Node, corrections: Corrections) -> None:
    tables: tuple[Mapping[str, str], ...] = (corrections.deprecated, corrections.clarifications)
    for wrong in (wrong for table in tables for wrong in table):
        if correct(wrong, corrections) is None:
            raise node.problem(f"the corrections of {shown(wrong)} go round in a circle")
    for prefix in corrections.prefixes:
        if correct(f"{prefix}x", corrections) is None:
            raise node.problem(f"the corrections of {shown(prefix)} go round in a circle")
