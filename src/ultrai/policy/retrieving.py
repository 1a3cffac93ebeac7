"""The passages of documents that a question is about: chosen by BM25, shown in their order.

Theory of operation. All documents are parted into chunks of about 250 words once, and ranked once
(`Pool`); `pick` then takes what a limit has room for: pinned passages first, then the best, but
none that is worth less than a tenth of the best, which shares little more than a "the" with the
question; then what stands beside the best. Chunks that touch become one passage. A text is never
reckoned dearer than the sum of its parts, so what was picked is within the limit.

Where no chunk has a word in common with the question, the beginnings of the documents are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from ultrai.domain.document import Document
from ultrai.domain.fitting import Lines
from ultrai.domain.value import value
from ultrai.policy.chunking import Chunk, chunk_text, kind_of
from ultrai.policy.pins import Pin
from ultrai.policy.relevance import score_all
from ultrai.policy.showing import Shown, block_of
from ultrai.policy.tokens import scale_of

CHUNK_TOKENS = 600  # with the plain scale's margin, about 250 words
_LEAST_SHARE = 0.1  # of the best score
_WITH_NEIGHBOURS = 8  # of the best: an answer may go on behind the words that were asked for
_JOINT = "\n\n````"  # what parts it from the next, and a fence that must be longer than its own


@value
class Pool:
    """All chunks in order, of which document each is, and what each is worth to the question."""

    documents: tuple[Document, ...]
    owners: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    scores: tuple[float, ...]

    @property
    def matches(self) -> bool:
        """Whether any chunk has a word in common with the question."""
        return any(self.scores)


@value
class Picked:
    """What was taken: for each passage its document's place, and the passage."""

    passages: tuple[tuple[int, Shown], ...]
    has_all_pins: bool = True


def make_pool(documents: Sequence[Document], question: str) -> Pool:
    """The documents' chunks, ranked."""
    owners: list[int] = []
    chunks: list[Chunk] = []
    for place, document in enumerate(documents):
        kind = kind_of(document.name, document.text)
        mine = chunk_text(document.text, kind=kind, most_tokens=CHUNK_TOKENS)
        owners += [place] * len(mine)
        chunks += mine
    scores = score_all([chunk.text for chunk in chunks], question)
    return Pool(tuple(documents), tuple(owners), tuple(chunks), tuple(scores))


def pick(pool: Pool, pins: Sequence[Pin], *, most_tokens: int, tokenizer: str | None) -> Picked:
    """The pinned and the best passages that take no more than so many estimated tokens."""
    scale = scale_of(tokenizer)
    left = most_tokens * 1000
    taken: set[int] = set()
    pinned = _pinned(pool, pins)
    has_all_pins = True
    for place in (*pinned, *_best_first(pool)):
        if place in taken:
            continue
        cost = scale.weigh(block_of(_shown(pool, [place])) + _JOINT)
        if cost <= left:
            left -= cost
            taken.add(place)
        elif place in pinned:
            has_all_pins = False
    passages = tuple(
        (pool.owners[run[0]], _shown(pool, run)) for run in _runs(sorted(taken), pool.owners)
    )
    return Picked(passages, has_all_pins)


def _pinned(pool: Pool, pins: Sequence[Pin]) -> dict[int, None]:
    """The chunks that have a part in a pin, in their order."""
    if not pins:
        return {}
    return {
        place: None
        for place, (owner, chunk) in enumerate(zip(pool.owners, pool.chunks, strict=True))
        if any(p.document == owner and p.start < chunk.end and chunk.start < p.end for p in pins)
    }


def _best_first(pool: Pool) -> Iterable[int]:
    places = range(len(pool.chunks))
    if not pool.matches:
        return sorted(places, key=lambda place: (pool.chunks[place].start, place))
    ranked = sorted(places, key=lambda place: (-pool.scores[place], place))
    least = pool.scores[ranked[0]] * _LEAST_SHARE
    best = [place for place in ranked if pool.scores[place] >= least]
    beside = [n for place in best[:_WITH_NEIGHBOURS] for n in (place + 1, place - 1)]
    return [*best, *(place for place in beside if 0 <= place < len(pool.chunks))]


def _runs(places: Sequence[int], owners: Sequence[int]) -> Iterable[list[int]]:
    """Places that follow one another within a document, together."""
    for _, run in groupby(enumerate(places), key=lambda pair: (pair[1] - pair[0], owners[pair[1]])):
        yield [place for _, place in run]


def _shown(pool: Pool, run: Sequence[int]) -> Shown:
    first, last = pool.chunks[run[0]], pool.chunks[run[-1]]
    document = pool.documents[pool.owners[run[0]]]
    before = document.first_line - 1
    return Shown(
        name=document.name,
        text="".join(pool.chunks[place].text for place in run),
        lines=Lines(before + first.line, before + last.last_line),
    )
