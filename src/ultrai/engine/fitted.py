"""What one model gets of a Query's documents; of summaries first as a promise, then as written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ultrai.domain.document import Document
from ultrai.domain.fitting import Fit, FitMode, Lines, SourceFit
from ultrai.domain.query import Message, Query
from ultrai.domain.value import value
from ultrai.policy.digesting import LEAST_DIGEST_TOKENS, Part, shortened
from ultrai.policy.showing import Shown, show
from ultrai.policy.tokens import bound_tokens, estimate_tokens, text_tokens

_SUMMARY = "a summary"
_MOST_BYTES_PER_TOKEN = 6  # prose has four or five; a summary with more is shortened


@value
class Fitted:
    """What one model gets. `refusal`: why nothing that would do fits it.

    `most_tokens`: a summary that is still to be written makes the prompt no longer than this, as
    the family of `tokenizer` is reckoned; and `most_bound` is no tokenizer's count of it.
    """

    messages: tuple[Message, ...]
    fit: Fit | None = None
    refusal: str = ""
    most_tokens: int = 0
    most_bound: int = 0
    tokenizer: str | None = None
    pinned: tuple[Shown, ...] = ()


def promised(
    query: Query, limit: int, *, tokenizer: str | None, pinned: tuple[Shown, ...] = ()
) -> Fitted:
    """A summary that will be written once the Run has begun, in a prompt within the limit.

    What is pinned stands in front of it as it is.
    """
    messages = show(query.messages, pinned)
    left = limit - estimate_tokens(messages, tokenizer)
    if left < LEAST_DIGEST_TOKENS:
        what = "the pinned passages do not fit" if pinned else "no summary fits"
        return Fitted(query.messages, refusal=f"{what} beside the question and the answer")
    sizes = [text_tokens(document.text, tokenizer) for document in query.documents]
    share = min(1.0, left / max(1, sum(sizes)))
    sources = tuple(
        SourceFit(
            document.name,
            file_tokens(document, tokenizer),
            int(size * share),
            (all_lines(document),),
        )
        for document, size in zip(query.documents, sizes, strict=True)
    )
    return Fitted(
        messages,
        make_fit(FitMode.SUMMARISE, sources, documents=query.documents),
        most_tokens=limit,
        most_bound=bound_tokens(messages) + _MOST_BYTES_PER_TOKEN * left,
        tokenizer=tokenizer,
        pinned=pinned,
    )


def digested(query: Query, promise: Fitted, *, levels: Sequence[Sequence[Part]]) -> Fitted:
    """The summaries as one model gets them: the finest level that keeps the promise."""
    family = promise.tokenizer
    for level in levels:
        if holds(query, promise, level=level):
            return Fitted(_with(query, promise, level=level), _fit(query, level, family=family))
    left = promise.most_tokens - estimate_tokens(promise.messages, family)
    level = shortened(levels[-1], left, tokenizer=family)
    while level and not holds(query, promise, level=level):  # few tokens, and many bytes
        left //= 2
        level = shortened(levels[-1], left, tokenizer=family)
    return Fitted(_with(query, promise, level=level), _fit(query, level, family=family))


def holds(query: Query, promise: Fitted, *, level: Sequence[Part]) -> bool:
    """Whether the summaries keep what was promised."""
    messages = _with(query, promise, level=level)
    if bound_tokens(messages) > promise.most_bound:
        return False
    return estimate_tokens(messages, promise.tokenizer) <= promise.most_tokens


def all_lines(document: Document) -> Lines:
    """From its first line to its last."""
    many = document.text.count("\n") + (not document.text.endswith("\n"))
    return Lines(document.first_line, document.first_line + max(1, many) - 1)


def file_tokens(document: Document, tokenizer: str | None) -> int:
    """Estimated tokens of the file; where only a part of it is here, in proportion."""
    tokens = text_tokens(document.text, tokenizer)
    if document.file_characters is None:
        return tokens
    return round(tokens * document.file_characters / max(1, len(document.text)))


def make_fit(
    mode: FitMode, sources: Sequence[SourceFit], *, documents: Sequence[Document], remark: str = ""
) -> Fit:
    """The Fit; parts of one file are told together, and are never the whole of anything."""
    if not any(document.is_part for document in documents):
        return Fit(mode, tuple(sources), remark=remark)
    if mode in (FitMode.WHOLE, FitMode.CLEANED):
        mode = FitMode.RETRIEVE
    files: dict[str, SourceFit] = {}
    for each in sources:
        known = files.get(each.name)
        files[each.name] = (
            each
            if known is None
            else SourceFit(
                each.name,
                max(known.tokens, each.tokens),
                known.sent_tokens + each.sent_tokens,
                (*known.passages, *each.passages),
            )
        )
    return Fit(mode, tuple(files.values()), remark=remark)


def lines_of(document: Document, spans: Sequence[tuple[int, int]]) -> tuple[Lines, ...]:
    """The lines that the spans have a part in, ranges that touch as one."""
    ends = [place for place, character in enumerate(document.text) if character == "\n"]
    ranges: list[Lines] = []
    for start, end in spans:
        first = bisect_right(ends, start - 1) + document.first_line
        last = bisect_right(ends, max(start, end - 2)) + document.first_line
        if ranges and first <= ranges[-1].last + 1:
            ranges[-1] = Lines(ranges[-1].first, max(last, ranges[-1].last))
        else:
            ranges.append(Lines(first, last))
    return tuple(ranges)


def _with(query: Query, promise: Fitted, *, level: Sequence[Part]) -> tuple[Message, ...]:
    names = [document.name for document in query.documents]
    parts = [Shown(names[each.document], each.text, each.lines, _SUMMARY) for each in level]
    return show(query.messages, [*promise.pinned, *parts])


def _fit(query: Query, level: Sequence[Part], *, family: str | None) -> Fit:
    return make_fit(
        FitMode.SUMMARISE,
        tuple(
            SourceFit(
                document.name,
                file_tokens(document, family),
                sum(text_tokens(part.text, family) for part in level if part.document == place),
                tuple(part.lines for part in level if part.document == place),
            )
            for place, document in enumerate(query.documents)
        ),
        documents=query.documents,
    )
