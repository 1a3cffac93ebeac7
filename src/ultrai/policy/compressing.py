"""Query-aware extractive compression: the sentences that matter to a question, verbatim, in order.

Theory of operation. The text is taken apart into passages (`policy/passages.py`): sentences, rows,
code blocks. Each has a score: what it has in common with the question (BM25), a share of what its
neighbours have, and a little for opening a paragraph, for numbers, quotes and code, which say most
in few words. Pinned passages come first of all, then the best until the limit is reached; a heading
comes with the best passage below it. Nothing is rewritten: what is kept is the text's own,
and a mark stands wherever something was left out.

What it does not know: meaning. A passage that answers in other words than the question's is found
only beside one that shares them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ultrai.domain.value import value
from ultrai.policy.chunking import LEAST_CHUNK_TOKENS, ChunkKind, chunk_text
from ultrai.policy.passages import Passage, find_passages
from ultrai.policy.relevance import score_all
from ultrai.policy.tokens import Scale, scale_of, text_tokens

OMISSION = "[…]"
_NEIGHBOUR_SHARE = 0.5  # by bench/compression
_HEADING_SHARE = 0.6
_OPENING_SHARE = 0.02  # these four are parts of the best score
_NUMBER_SHARE = 0.05
_QUOTE_SHARE = 0.05
_CODE_SHARE = 0.05
_LARGEST_SHARE = 2  # a passage that takes more than this part of the limit is parted
_PART_SHARE = 4  # into such as take up to this one
_NUMBER = re.compile(r"\d")
_QUOTE = re.compile(r"[\"“”«»„「『]")


@value
class Compression:
    """What was kept of a text.

    `kept` are the spans of the source, in order. `coverage_percent` is the kept share of its
    tokens. `pins_left_out`: pinned passages for which the limit has no room, in whole or in part.
    """

    text: str
    kept: tuple[tuple[int, int], ...]
    dropped_tokens: int
    coverage_percent: float
    pins_left_out: tuple[str, ...] = ()


def compress(
    text: str,
    *,
    question: str,
    most_tokens: int,
    kind: ChunkKind,
    pinned: Sequence[str] = (),
    tokenizer: str | None = None,
) -> Compression:
    """The text at no more than `most_tokens` as the project plans them, marks included.

    A text that fits is returned as it is. Raises ValueError where `most_tokens` is less than
    `LEAST_CHUNK_TOKENS`.
    """
    if most_tokens < LEAST_CHUNK_TOKENS:
        raise ValueError(f"at least {LEAST_CHUNK_TOKENS} tokens are needed, not {most_tokens}")
    scale = scale_of(tokenizer)
    limit = scale.most_weight(most_tokens)
    if scale.weigh(text) <= limit:
        return Compression(text, ((0, len(text)),) if text else (), 0, 100.0)
    passages = list(_parted(find_passages(text, kind), most_tokens, tokenizer=tokenizer))
    pins = {pin: span for pin in pinned if (span := _find_pin(text, pin))}
    selection = _Selection(passages, scale, limit=limit)
    for span in pins.values():
        selection.take_all(_places_in(span, passages))
    scores = _scores(passages, question)
    selection.take_all(sorted(range(len(passages)), key=lambda place: -scores[place]))
    kept = tuple(selection.spans())
    kept_tokens = sum(text_tokens(text[start:end], tokenizer) for start, end in kept)
    tokens = max(text_tokens(text, tokenizer), kept_tokens)
    return Compression(
        text=_joined(text, kept),
        kept=kept,
        dropped_tokens=tokens - kept_tokens,
        coverage_percent=round(100 * kept_tokens / max(1, tokens), 1),
        pins_left_out=tuple(pin for pin, span in pins.items() if not _is_within(span, kept)),
    )


class _Selection:
    """The passages that were taken, within the limit together with the marks between them."""

    def __init__(self, passages: Sequence[Passage], scale: Scale, *, limit: int) -> None:
        self._passages = passages
        self._weights = [scale.weigh(each.text) for each in passages]
        self._mark = scale.weigh(OMISSION + "\n\n")
        self._left = limit - self._mark  # of all that is left out, one gap
        self._is_taken = [False] * len(passages)

    def take_all(self, places: Iterable[int]) -> None:
        """Take those that still fit, in this order."""
        for place in places:
            if self._is_taken[place]:
                continue
            cost = self._weights[place] + self._mark * self._gaps_added(place)
            if cost <= self._left:
                self._left -= cost
                self._is_taken[place] = True

    def spans(self) -> Iterator[tuple[int, int]]:
        """What was taken, neighbours as one."""
        for is_taken, run in groupby(
            zip(self._is_taken, self._passages, strict=True), key=lambda pair: pair[0]
        ):
            if is_taken:
                members = [passage for _, passage in run]
                yield members[0].start, members[-1].end

    def _gaps_added(self, place: int) -> int:
        """How many gaps there are more than before: -1, 0 or 1."""
        is_gap_before = place > 0 and not self._is_taken[place - 1]
        is_gap_behind = place + 1 < len(self._is_taken) and not self._is_taken[place + 1]
        return is_gap_before + is_gap_behind - 1


def _parted(
    passages: Sequence[Passage], most_tokens: int, *, tokenizer: str | None
) -> Iterator[Passage]:
    """The passages, large ones in parts, so that one alone does not take the limit up."""
    scale = scale_of(tokenizer)
    limit = scale.most_weight(most_tokens) // _LARGEST_SHARE
    part_tokens = max(LEAST_CHUNK_TOKENS, most_tokens // _PART_SHARE)
    for passage in passages:
        if scale.weigh(passage.text) <= limit:
            yield passage
            continue
        kind = ChunkKind.CODE if passage.is_code else ChunkKind.PROSE
        for chunk in chunk_text(
            passage.text, kind=kind, most_tokens=part_tokens, tokenizer=tokenizer
        ):
            start = passage.start + chunk.start
            yield Passage(chunk.text, start, chunk.start == 0, is_code=passage.is_code)


def _find_pin(text: str, pin: str) -> tuple[int, int] | None:
    """Where a pinned passage stands first, whatever blanks part its words; None: nowhere."""
    words = pin.split()
    if not words:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), text)
    return found.span() if found else None


def _places_in(span: tuple[int, int], passages: Sequence[Passage]) -> range:
    """The passages that have a part in the span."""
    first = bisect_right(passages, span[0], key=lambda each: each.start) - 1
    return range(first, bisect_left(passages, span[1], key=lambda each: each.start))


def _is_within(span: tuple[int, int], kept: Sequence[tuple[int, int]]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in kept)


def _scores(passages: Sequence[Passage], question: str) -> list[float]:
    """What each passage is worth to the question; what was said before, nothing."""
    own = score_all([each.text for each in passages], question)
    best = max(own, default=0.0) or 1.0
    scores = []
    seen: set[str] = set()
    for place, passage in enumerate(passages):
        beside = max(own[max(0, place - 1) : place + 2])
        score = own[place] + _NEIGHBOUR_SHARE * beside + best * _worth(passage)
        is_repeated = passage.text in seen and not passage.is_code
        scores.append(0.0 if is_repeated else score)
        seen.add(passage.text)
    _raise_headings(scores, passages)
    return scores


def _worth(passage: Passage) -> float:
    """What a passage is worth whatever the question, as a part of the best score."""
    return (
        _OPENING_SHARE * passage.opens
        + _CODE_SHARE * passage.is_code
        + _NUMBER_SHARE * (_NUMBER.search(passage.text) is not None)
        + _QUOTE_SHARE * (_QUOTE.search(passage.text) is not None)
    )


def _raise_headings(scores: list[float], passages: Sequence[Passage]) -> None:
    """Let a heading come with the best passage of its section."""
    best = 0.0
    for place in range(len(passages) - 1, -1, -1):
        if passages[place].is_heading:
            scores[place] = max(scores[place], _HEADING_SHARE * best)
            best = 0.0
        else:
            best = max(best, scores[place])


def _joined(text: str, kept: Sequence[tuple[int, int]]) -> str:
    """What was kept, with a mark for every part that was not."""
    pieces = []
    behind = 0
    for start, end in kept:
        pieces += [_mark(text[behind:start]), text[start:end]]
        behind = end
    return "".join([*pieces, _mark(text[behind:], blank="")])


def _mark(left_out: str, *, blank: str = " ") -> str:
    """The mark, and the line ends that what was left out ended with, or else a blank."""
    if not left_out:
        return ""
    lines = left_out[len(left_out.rstrip()) :].count("\n")
    return OMISSION + ("\n" * min(lines, 2) or blank)
