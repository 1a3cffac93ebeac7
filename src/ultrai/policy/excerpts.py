"""From the passages that a search has found to documents: what is near together is one part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from ultrai.domain.document import Document
from ultrai.domain.index import Hit
from ultrai.policy.tokens import planned_tokens

LEAST_SHARE = 0.1  # of the best score: less shares little more than a "the" with the question
MOST_CHARACTERS = 60_000  # a Run keeps the texts of up to 65,536 with it, so that it can be resumed


def excerpts_of(
    hits: Sequence[Hit], beside: Sequence[Hit], *, most_tokens: int
) -> tuple[Document, ...]:
    """The best hits, then what stands beside them, within the tokens, in the order of the files.

    `hits` come best first; none that is worth less than a tenth of the best is taken.
    """
    least = hits[0].score * LEAST_SHARE if hits else 0.0
    taken: dict[tuple[int, int], Hit] = {}
    tokens = characters = 0
    for hit in (*(hit for hit in hits if hit.score >= least), *beside):
        size = planned_tokens(hit.text, None)
        is_too_much = tokens + size > most_tokens or characters + len(hit.text) > MOST_CHARACTERS
        if (hit.file, hit.place) in taken or (taken and is_too_much):
            continue
        taken[hit.file, hit.place] = hit
        tokens, characters = tokens + size, characters + len(hit.text)
    ordered = sorted(taken.values(), key=lambda hit: (hit.path, hit.file, hit.place))
    return tuple(_document(run) for run in _runs(ordered))


def _runs(hits: Sequence[Hit]) -> Iterable[list[Hit]]:
    """Hits that follow one another in one file, together."""
    for _, run in groupby(
        enumerate(hits), key=lambda pair: (pair[1].file, pair[1].place - pair[0])
    ):
        yield [hit for _, hit in run]


def _document(run: Sequence[Hit]) -> Document:
    first = run[0]
    text = "".join(hit.text for hit in run)
    is_whole = len(text) >= first.file_characters
    return Document(first.path, text, first.first_line, None if is_whole else first.file_characters)
