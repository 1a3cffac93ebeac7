"""A text taken apart into passages that make sense alone: what compression keeps or leaves out.

In Markdown and prose those are sentences, headings, rows of tables and whole code blocks; in code,
what stands between blank lines, or the lines where that is much. They join to the text again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ultrai.domain.value import value
from ultrai.policy.seams import find_seams
from ultrai.policy.sentences import split_sentences
from ultrai.policy.text_kinds import ChunkKind

LINES = re.compile(r"[^\r\n]*+(?:\r\n|\n|\r)|[^\r\n]++")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_ROW = re.compile(r"\s*(?:\||[-*+]\s|\d{1,9}[.)]\s)")
_MOST_BLOCK_LINES = 12


@value
class Passage:
    """A part of a text. `opens`: it is the first of its paragraph or block."""

    text: str
    start: int
    opens: bool = False
    is_heading: bool = False
    is_code: bool = False

    @property
    def end(self) -> int:
        """Behind its last character."""
        return self.start + len(self.text)


def find_passages(text: str, kind: ChunkKind) -> list[Passage]:
    """The passages in order; their texts join to `text`."""
    lines = LINES.findall(text)
    headings = {line for line, _ in find_seams(lines, kind).headings}
    blocks = _blocks(lines, headings, is_markdown=kind is ChunkKind.MARKDOWN)
    passages: list[Passage] = []
    start = 0
    for block in blocks:
        for number, part in enumerate(_parts(block, kind)):
            is_code = block.is_code or kind is ChunkKind.CODE
            passages.append(
                Passage(part, start, number == 0, is_heading=block.is_heading, is_code=is_code)
            )
            start += len(part)
    return passages


@value
class _Block:
    lines: list[str]
    is_heading: bool = False
    is_code: bool = False


def _blocks(lines: Sequence[str], headings: set[int], *, is_markdown: bool) -> Iterator[_Block]:
    """Headings, fenced code, and what blank lines part. Blank lines end what they follow."""
    block = _Block([])
    fence = ""
    for number, line in enumerate(lines):
        is_blank = not line.strip()
        mark = None if fence or not is_markdown else _FENCE.match(line)
        if fence:
            block.lines.append(line)
            if line.strip().startswith(fence) and not line.strip().strip("`~"):
                fence = ""
            continue
        if block.lines and not is_blank and _starts_block(block, number in headings or mark):
            yield block
            block = _Block([])
        if not block.lines:
            block = _Block([], is_heading=number in headings, is_code=mark is not None)
        fence = mark[1] if mark else ""
        block.lines.append(line)
    if block.lines:
        yield block


def _starts_block(block: _Block, mark: object) -> bool:
    """Whether a line that is not blank begins another block than the one before it."""
    last = block.lines[-1]
    if not last.strip() or mark:
        return True
    if block.is_heading:
        return not _is_underline_below(block)
    return block.is_code


def _is_underline_below(block: _Block) -> bool:
    """A heading without `#` takes its underline in."""
    return len(block.lines) == 1 and not block.lines[0].lstrip().startswith("#")


def _parts(block: _Block, kind: ChunkKind) -> Iterable[str]:
    if block.is_heading or block.is_code:
        return ["".join(block.lines)]
    if kind is ChunkKind.CODE:
        return block.lines if len(block.lines) > _MOST_BLOCK_LINES else ["".join(block.lines)]
    return _sentences(block.lines)


def _sentences(lines: Sequence[str]) -> Iterator[str]:
    """The sentences of a paragraph; each row of a table or item of a list begins anew."""
    run: list[str] = []
    for line in lines:
        if run and line.strip() and _ROW.match(line):
            yield from split_sentences("".join(run))
            run = []
        run.append(line)
    yield from split_sentences("".join(run))
