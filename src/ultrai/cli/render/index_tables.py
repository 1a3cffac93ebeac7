"""Indexes as tables and lines: what there is, what has changed, what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import count
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out, paragraph
from ultrai.domain.index import Hit, IndexChange, IndexedFile, IndexSummary, Skipped
from ultrai.policy.relevance import fold, terms_of

_MB = 1_000_000
_MOST_SKIPPED = 20
_SHOWN_LINES = 3


def index_lines(summaries: Sequence[IndexSummary], *, width: int | None) -> list[Line]:
    """One row for each."""
    columns = (
        Column("index"),
        Column("files", "right"),
        Column("passages", "right", rank=1),
        Column("size", "right"),
        Column("updated (UTC)", rank=2),
        Column("of", flexible=True, rank=3),
    )
    rows = [
        (
            Cell(each.name),
            Cell(f"{each.files:,}"),
            Cell(f"{each.passages:,}"),
            Cell(_size(each.size)),
            Cell(_when(each.updated_at)),
            Cell(one_line(", ".join(each.roots))),
        )
        for each in summaries
    ]
    return lay_out(columns, rows, width=width, header=True)


def file_lines(
    summary: IndexSummary, files: Sequence[IndexedFile], *, width: int | None
) -> list[Line]:
    """What it holds in all, then one row for each file."""
    columns = (
        Column("passages", "right"),
        Column("characters", "right", rank=1),
        Column("file", flexible=True, least=30),
        Column("remark", flexible=True, rank=2),
    )
    rows = [
        (
            Cell(f"{each.passages:,}" if not each.trouble else "-"),
            Cell(f"{each.characters:,}" if not each.trouble else "-"),
            Cell(one_line(_below(each.path, summary.roots))),
            Cell(one_line(each.trouble or each.remark), Style.ODD),
        )
        for each in files
    ]
    head: list[Line] = []
    for root in summary.roots:
        head += paragraph(one_line(root), Style.DIM, width=width)
    return [*head, *paragraph(_held(summary), width=width), *_table(columns, rows, width=width)]


def change_lines(summary: IndexSummary, change: IndexChange, *, width: int | None) -> list[Line]:
    """What was read, what it now holds, what was skipped and what comes next."""
    done = [
        f"{number:,} {word}"
        for number, word in (
            (change.added, "added"),
            (change.changed, "changed"),
            (change.removed, "removed"),
            (change.unchanged, "unchanged"),
        )
        if number
    ]
    lines = paragraph(f"{summary.name}: {', '.join(done) or 'no file'}", width=width)
    lines += paragraph(_held(summary), Style.DIM, width=width)
    for each in change.skipped[:_MOST_SKIPPED]:
        lines += _skipped(each, width=width)
    if len(change.skipped) > _MOST_SKIPPED:
        more = len(change.skipped) - _MOST_SKIPPED
        text = f"and {more:,} more without text: ultrai index show {summary.name}"
        lines += paragraph(text, Style.ODD, width=width)
    if summary.files:
        lines += paragraph(f"ask: ultrai ask --index {summary.name} 'QUESTION'", width=width)
    return lines


def hit_lines(hits: Sequence[Hit], *, question: str, width: int | None) -> list[Line]:
    """Each passage: where it stands, then its lines that have most of the words."""
    terms = terms_of(question)
    words = {form for forms in terms.words for form in forms} | set(terms.pairs)
    lines: list[Line] = []
    for hit in hits:
        where = f"{one_line(hit.path)}:{hit.first_line}-{hit.last_line}"
        lines.append((Cell(where, Style.BOLD), Cell(f"  {hit.score:.1f}", Style.DIM)))
        for number, text in _telling(hit, words):
            lines += paragraph(f"  {number}: {one_line(text)}", width=width)
    return lines


def _telling(hit: Hit, words: set[str]) -> list[tuple[int, str]]:
    """Its lines with most of the words, in their order."""
    rows = [(place, row.strip()) for place, row in enumerate(hit.text.splitlines())]
    worth = {place: sum(word in fold(row) for word in words) for place, row in rows if row}
    best = sorted(worth, key=lambda place: (-worth[place], place))[:_SHOWN_LINES]
    return [(hit.first_line + place, row) for place, row in rows if place in best]


def _held(summary: IndexSummary) -> str:
    return (
        f"{count(summary.files, 'file')}, {count(summary.passages, 'passage')},"
        f" {summary.characters:,} characters, {_size(summary.size)} on disk"
    )


def _skipped(each: Skipped, *, width: int | None) -> list[Line]:
    return paragraph(f"{one_line(each.path)}: {one_line(each.why)}", Style.ODD, width=width)


def _table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, width: int | None
) -> list[Line]:
    return lay_out(columns, rows, width=width, header=True) if rows else []


def _below(path: str, roots: Sequence[str]) -> str:
    """The path from its root, where there is one root only."""
    if len(roots) != 1 or path == roots[0]:
        return path
    return str(PurePath(path).relative_to(roots[0]))


def _size(size: int) -> str:
    return f"{size / _MB:,.1f} MB"


def _when(stamp: str | None) -> str:
    return "never" if stamp is None else stamp[:16].replace("T", " ")
