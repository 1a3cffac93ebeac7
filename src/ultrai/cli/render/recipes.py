"""Cocktails for people and programs, with what the tables say about their ids.

The tables alone are asked, not the catalogue: a succession counts only where the live catalogue
lacks the id (`ultrai doctor` looks).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import count
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out, paragraph
from ultrai.domain.cocktail import Cocktail, CocktailBook
from ultrai.policy.corrections import Corrections, correct
from ultrai.policy.succession import Successions

_LIST_COLUMNS = (
    Column("cocktail"),
    Column("slots", "right", rank=2),
    Column("asks", flexible=True, wraps=True, least=40),
    Column("from", rank=1),
)
_SLOT_COLUMNS = (
    Column("slot", "right"),
    Column("role", rank=2),
    Column("model"),
    Column("note", flexible=True, wraps=True),
)


@dataclass(frozen=True, slots=True)
class RecipeBook:
    """The cocktails, and the tables that are applied to their ids."""

    cocktails: CocktailBook
    corrections: Corrections
    successions: Successions


def cocktails_table(book: RecipeBook, *, width: int | None) -> list[Line]:
    """One line for each cocktail."""
    rows = [
        [
            Cell(one_line(cocktail.name), Style.BOLD),
            Cell(str(len(cocktail.slots))),
            Cell(", ".join(one_line(slot.primary) for slot in cocktail.slots)),
            Cell(one_line(_where(cocktail, is_brief=width is not None)), Style.DIM),
        ]
        for cocktail in book.cocktails
    ]
    return lay_out(_LIST_COLUMNS, rows, width=width, header=True)


def cocktail_lines(cocktail: Cocktail, book: RecipeBook, *, width: int | None) -> list[Line]:
    """One cocktail in full."""
    quorum = "all are waited for" if cocktail.quorum is None else f"quorum {cocktail.quorum}"
    title = f"{one_line(cocktail.name)} · {count(len(cocktail.slots), 'slot')} · {quorum}"
    title += f" · synthesis {cocktail.synthesis} · {one_line(cocktail.source)}"
    rows = []
    for index, slot in enumerate(cocktail.slots):
        for place, model in enumerate(slot.candidates):
            rows.append(
                [
                    Cell("" if place else str(index + 1), Style.DIM),
                    Cell(f"backup {place}" if place else "primary"),
                    Cell(one_line(model), Style.PLAIN if place else Style.BOLD),
                    Cell("; ".join(notes_on(model, book)), Style.ODD),
                ]
            )
    head = paragraph(title, Style.BOLD, width=width)
    return [*head, (), *lay_out(_SLOT_COLUMNS, rows, width=width, header=True)]


def notes_on(model_id: str, book: RecipeBook) -> list[str]:
    """What the tables say about an id."""
    correction = correct(model_id, book.corrections)
    notes = []
    if correction is not None:
        notes.append(f"read as {correction.corrected}: {correction.reason}")
    meant = correction.corrected if correction else model_id
    heirs = book.successions.retired.get(meant, ())
    if heirs:
        notes.append(f"if no longer listed: {', '.join(heirs)}")
    return notes


def _where(cocktail: Cocktail, *, is_brief: bool) -> str:
    """Where it was defined; the whole path where there is room for it."""
    return Path(cocktail.source).name if is_brief else cocktail.source


def cocktail_to_dict(cocktail: Cocktail, book: RecipeBook) -> dict[str, object]:
    """JSON types."""
    return {
        "name": cocktail.name,
        "slots": [
            {"primary": slot.primary, "backups": list(slot.backups)} for slot in cocktail.slots
        ],
        "synthesis": cocktail.synthesis,
        "quorum": cocktail.quorum,
        "source": cocktail.source,
        "notes": {model: notes for model in cocktail.model_ids if (notes := notes_on(model, book))},
    }
