"""What models are expected to count of a text, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ultrai.cli.render.palette import PLAIN, Style
from ultrai.cli.render.phrases import count
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out

if TYPE_CHECKING:
    from ultrai.domain.document import Document
    from ultrai.domain.overview import TokenRow

_COLUMNS = (
    Column(""),
    Column("model", flexible=True, least=22),
    Column("tokenizer", rank=3),
    Column("tokens", "right"),
    Column("learned", "right"),
    Column("planned", "right"),
    Column("window", "right", rank=2),
    Column("margin"),
)


def token_table(rows: Sequence[TokenRow], *, width: int | None) -> list[Line]:
    """One line for each model: `✗` where the window does not hold what is planned."""
    return lay_out(_COLUMNS, [_row(row) for row in rows], width=width, header=True)


def files_words(documents: Sequence[Document]) -> str:
    """How much was counted."""
    characters = sum(len(document.text) for document in documents)
    return f"{count(len(documents), 'file')}, {characters:,} characters; nothing was sent"


def _row(row: TokenRow) -> list[Cell]:
    window = row.context_length
    symbol, style = "–", Style.ODD
    if window is not None:
        fits = row.planned <= window
        symbol, style = ("✓", Style.GOOD) if fits else ("✗", Style.BAD)
    learned = row.learned_percent
    measured = "measured" if row.is_measured else "not measured"
    return [
        Cell(symbol, style),
        Cell(one_line(row.model)),
        Cell(one_line(row.tokenizer or "–")),
        Cell(f"{row.tokens:,}"),
        Cell("–" if learned is None else f"{learned} %"),
        Cell(f"{row.planned:,}"),
        Cell("–" if window is None else f"{window:,}"),
        Cell(f"×{row.margin:g} {measured}", PLAIN),
    ]
