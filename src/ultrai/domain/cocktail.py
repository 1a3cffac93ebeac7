"""Cocktails: named recipes of who is asked, and the book that holds them.

A cocktail's model ids stand as its author wrote them. Corrections, successions and the Catalog are
applied when a Run is planned, so that a Report can say what was written and what became of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

AUTO = "auto"
"""The name that stands for a choice among the shipped cocktails; no cocktail may bear it."""

SHIPPED = "shipped"
"""The `source` of a cocktail that comes with the package."""

NO_SYNTHESIS = "none"
"""The mode in which every Answer is shown as it came."""

MOST_SEATS = 20
"""How many Slots one `ID*N` may make."""

_MODEL_ID = re.compile(r"~?[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._:/@+-]*")
_LONGEST_ID = 200
_COUNTS = frozenset(str(count) for count in range(1, MOST_SEATS + 1))


def is_model_id(text: str) -> bool:
    """Whether `text` has the form of a model id, `maker/model`; not whether such a model exists."""
    return len(text) <= _LONGEST_ID and _MODEL_ID.fullmatch(text) is not None


def parse_seat(text: str) -> tuple[str, int]:
    """The model id and how many Slots it fills: `ID` fills one, `ID*3` fills three.

    Raises ValueError with a sentence for the user when the form or the count is wrong.
    """
    model_id, star, digits = (part.strip() for part in text.partition("*"))
    if not is_model_id(model_id):
        message = "a model id has the form maker/model, such as openai/gpt-4o"
        raise ValueError(message)
    if not star:
        return model_id, 1
    count = int(digits) if digits in _COUNTS else 0
    if not count:
        message = f"a model can be seated *1 to *{MOST_SEATS} times"
        raise ValueError(message)
    return model_id, count


@dataclass(frozen=True, slots=True)
class Slot:
    """One seat: the model asked first, and those tried after it, in order.

    In a Run it yields one Answer, or every Failure that prevented it.
    """

    primary: str
    backups: tuple[str, ...] = ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """The primary, then the backups."""
        return (self.primary, *self.backups)


@dataclass(frozen=True, slots=True)
class Cocktail:
    """A recipe: ordered Slots, a synthesis mode and a Quorum (None: every Slot is waited for).

    `source` is `SHIPPED` or the path of the file that defined it.
    """

    name: str
    slots: tuple[Slot, ...]
    synthesis: str = NO_SYNTHESIS
    quorum: int | None = None
    source: str = SHIPPED

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Every id once, primaries first, each in the order of its first mention."""
        primaries = (slot.primary for slot in self.slots)
        backups = (backup for slot in self.slots for backup in slot.backups)
        return tuple(dict.fromkeys((*primaries, *backups)))


@dataclass(frozen=True, slots=True)
class CocktailBook:
    """Cocktails by name. Case does not count: a name occurs once, the later one replacing."""

    cocktails: tuple[Cocktail, ...] = ()

    def __post_init__(self) -> None:
        """Keep the last cocktail of each name, at the place of the first."""
        by_name: dict[str, Cocktail] = {}
        for cocktail in self.cocktails:
            by_name[cocktail.name.casefold()] = cocktail
        object.__setattr__(self, "cocktails", tuple(by_name.values()))

    def __iter__(self) -> Iterator[Cocktail]:
        """The cocktails in order."""
        return iter(self.cocktails)

    def __len__(self) -> int:
        """How many cocktails there are."""
        return len(self.cocktails)

    def __contains__(self, name: object) -> bool:
        """Whether a cocktail bears that name, in any case."""
        return isinstance(name, str) and self.find(name) is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The names as their authors wrote them, in order."""
        return tuple(cocktail.name for cocktail in self.cocktails)

    def find(self, name: str) -> Cocktail | None:
        """The cocktail of that name in any case, or None."""
        wanted = name.strip().casefold()
        for cocktail in self.cocktails:
            if cocktail.name.casefold() == wanted:
                return cocktail
        return None

    def merged(self, others: Iterable[Cocktail]) -> CocktailBook:
        """This book with `others` added; one of the same name replaces what was there."""
        return CocktailBook((*self.cocktails, *others))
