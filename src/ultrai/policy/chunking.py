"""A text parted into chunks that are never over a limit and join to the text again.

Theory of operation. The text is taken apart into atoms: its lines, and of lines that are long for
the limit their sentences, clauses, words or characters. Every atom has a cost, which is what the
project reckons of it with margin, and the strength of the seam before it (`policy/seams.py`). A
chunk takes as many atoms as fit and ends at the strongest seam in its second half, the last of
equals. Each atom is costed once and looked at a few times: the time is linear in the text.

What a chunk is never: over the limit, empty, or cut inside a composed character (where the limit
leaves a choice). The sum of its atoms' costs bounds its own, because a text is never reckoned
dearer than its parts (`policy/tokens.py`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from ultrai.domain.value import value
from ultrai.policy.seams import CHARACTER, CLAUSE, SENTENCE, WORD, find_seams
from ultrai.policy.sentences import (
    split_characters,
    split_clauses,
    split_sentences,
    split_words,
)
from ultrai.policy.text_kinds import ChunkKind, kind_of
from ultrai.policy.tokens import Scale, scale_of

__all__ = ["LEAST_CHUNK_TOKENS", "Chunk", "ChunkKind", "chunk_text", "kind_of"]

LEAST_CHUNK_TOKENS = 16  # one character can make that many in the dearest family
_FINE = 4  # an atom is cut smaller where it takes more than this part of a chunk
_COARSE = 2  # the same for what is less gladly cut: clauses and words
_SHORT = 2
_LINES = re.compile(r"[^\r\n]*+(?:\r\n|\n|\r)|[^\r\n]++")
_Splitter = Callable[[str], list[str]]


@value
class Chunk:
    """A part of a text: `source[start:end]`, with its place in it.

    `line` and `last_line` count from 1. `heading` is the Markdown heading, the chapter or the
    outermost definition that holds where it begins; None: there is none before it.
    """

    text: str
    start: int
    end: int
    line: int
    last_line: int
    heading: str | None = None


def chunk_text(
    text: str, *, kind: ChunkKind, most_tokens: int, tokenizer: str | None = None
) -> tuple[Chunk, ...]:
    """The text in chunks that the project plans at no more than `most_tokens` each.

    Their texts join to exactly `text`; an empty text has none. Raises ValueError where
    `most_tokens` is less than `LEAST_CHUNK_TOKENS`.
    """
    if most_tokens < LEAST_CHUNK_TOKENS:
        raise ValueError(f"a chunk needs at least {LEAST_CHUNK_TOKENS} tokens, not {most_tokens}")
    scale = scale_of(tokenizer)
    lines = _LINES.findall(text)
    seams = find_seams(lines, kind)
    atoms = _Atoms(scale, scale.most_weight(most_tokens))
    for line, strength in zip(lines, seams.strengths, strict=True):
        atoms.add_line(line, strength)
    return tuple(_chunks(text, atoms, headings=seams.headings))


class _Atoms:
    """The atoms of a text in order, as columns."""

    def __init__(self, scale: Scale, limit: int) -> None:
        self._weigh = scale.weigh
        self._character = scale.dearest_character
        self.limit = limit
        self.texts: list[str] = []
        self.costs: list[int] = []
        self.strengths: list[int] = []
        self.lines: list[int] = []  # of each atom
        self._line = 0
        self._short_costs: dict[str, int] = {}

    def add_line(self, line: str, strength: int) -> None:
        self._line += 1
        cost = self._weigh(line) if len(line) > _SHORT else self._short_cost(line)
        if cost * _FINE <= self.limit:
            self._add(line, cost, strength=strength)
        else:
            self._add_pieces(line, strength, step=0)

    def _short_cost(self, line: str) -> int:
        """The cost of a blank line and the like, reckoned once: there may be very many."""
        cost = self._short_costs.get(line)
        if cost is None:
            cost = self._short_costs[line] = self._weigh(line)
        return cost

    def _add(self, text: str, cost: int, *, strength: int) -> None:
        self.texts.append(text)
        self.costs.append(cost)
        self.strengths.append(strength)
        self.lines.append(self._line)

    def _add_pieces(self, text: str, strength: int, *, step: int) -> None:
        """The text's pieces by the step's splitter; what is still too dear, by the next one's."""
        if step == len(_STEPS):
            self._add_characters(text, strength)
            return
        split, between, part = _STEPS[step]
        for piece in split(text):
            cost = self._weigh(piece)
            if cost * part <= self.limit:
                self._add(piece, cost, strength=strength)
            else:
                self._add_pieces(piece, strength, step=step + 1)
            strength = between

    def _add_characters(self, text: str, strength: int) -> None:
        size = max(1, self.limit // _COARSE // self._character)
        for piece in split_characters(text, size):
            self._add(piece, self._weigh(piece), strength=strength)
            strength = CHARACTER


_STEPS: Sequence[tuple[_Splitter, int, int]] = (
    (split_sentences, SENTENCE, _FINE),
    (split_clauses, CLAUSE, _COARSE),
    (split_words, WORD, _COARSE),
)


def _groups(atoms: _Atoms) -> Iterable[tuple[int, int]]:
    """The chunks as ranges of atoms."""
    sums = list(accumulate(atoms.costs))
    first, spent, count = 0, 0, len(sums)
    while first < count:
        # Up to `last` they fit; from `half` on, the chunk is full enough to end.
        last = max(bisect_right(sums, spent + atoms.limit, first), first + 1)
        if last < count:
            half = bisect_left(sums, spent + atoms.limit // 2, first, last - 1) + 1
            reach = atoms.strengths[half : last + 1]
            last -= reach[::-1].index(max(reach))
        yield first, last
        first, spent = last, sums[last - 1]


def _chunks(text: str, atoms: _Atoms, *, headings: Sequence[tuple[int, str]]) -> Iterable[Chunk]:
    start = 0
    heading: str | None = None
    ahead = 0
    for first, last in _groups(atoms):
        end = start + sum(map(len, atoms.texts[first:last]))
        line, last_line = atoms.lines[first], atoms.lines[last - 1]
        while ahead < len(headings) and headings[ahead][0] < line:
            heading = headings[ahead][1] or None
            ahead += 1
        yield Chunk(text[start:end], start, end, line, last_line, heading)
        start = end
