"""From an Ask to a Recipe: whose names are meant, with corrections applied and noted.

Pure. It knows cocktails and spellings; whether a model is listed or ready is planning's concern.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from ultrai.domain.ask import Ask
from ultrai.domain.cocktail import NO_SYNTHESIS, Cocktail, CocktailBook, Slot
from ultrai.domain.errors import ModelNotFound, UsageError
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.report import Report, SlotState
from ultrai.policy.corrections import Corrections, correct
from ultrai.policy.nearest import did_you_mean

SEATS_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Recipe:
    """Whom to ask, as written but for spelling. `named`: model by model, not as a cocktail."""

    cocktail: str | None
    slots: tuple[Slot, ...]
    quorum: int | None = None
    named: bool = False
    notices: tuple[Notice, ...] = ()

    def first(self, count: int | None) -> Recipe:
        """The same with the first Slots only; None: with all."""
        return replace(self, slots=self.slots[:count])


def cocktail_named(name: str, book: CocktailBook) -> Cocktail:
    """The cocktail of that name. Raises UsageError with the nearest names."""
    cocktail = book.find(name)
    if cocktail is None:
        names = ", ".join((*book.names, "auto"))
        question = did_you_mean(name, (*book.names, "auto"))
        raise ModelNotFound(
            f"there is no cocktail {name!r}", hint=f"{question} Known: {names}".strip()
        )
    return cocktail


def recipe_of_cocktail(cocktail: Cocktail, corrections: Corrections) -> Recipe:
    """The cocktail with its ids corrected."""
    speller = _Speller(corrections)
    slots = tuple(
        Slot(speller.spell(slot.primary), tuple(map(speller.spell, slot.backups)))
        for slot in cocktail.slots
    )
    return Recipe(cocktail.name, slots, cocktail.quorum, notices=tuple(speller.notices))


def recipe_of_models(ask: Ask, corrections: Corrections) -> Recipe:
    """The models named one by one; `ID*3` seats the same model three times."""
    speller = _Speller(corrections)
    backups = {
        speller.spell(model): tuple(map(speller.spell, others))
        for model, others in ask.backups.items()
    }
    slots: list[Slot] = []
    for written in ask.models:
        model_id, count = _seats(written)
        model_id = speller.spell(model_id)
        slots += [Slot(model_id, backups.get(model_id, ()))] * count
    if len(slots) > SEATS_AT_MOST:
        raise UsageError(
            f"{len(slots)} slots are more than {SEATS_AT_MOST}", hint="name fewer models"
        )
    unused = backups.keys() - {slot.primary for slot in slots}
    if unused:
        raise UsageError(f"backups are given for {min(unused)}, which is not asked")
    return Recipe(None, tuple(slots), named=True, notices=tuple(speller.notices))


def recipe_of_rest(
    recipe: Recipe, earlier: Report, *, only: Collection[int] | None = None
) -> Recipe:
    """Only those Slots that had no Answer in an earlier Run of the same Recipe.

    `only`: of these, those at these places.

    A Slot that the Recipe lacks is asked with its Primary alone: a Report does not hold backups, so
    a Run of models named one by one has none when it is resumed, unless they are given again. The
    Recipe's Quorum counts the Answers that are there already; where they suffice, or the rest is
    too small for it, the whole rest is waited for.
    """
    slots = tuple(
        slot
        for slot, before in zip(_seated(recipe, earlier), earlier.slots, strict=True)
        if before.state is not SlotState.ANSWERED and (only is None or before.index in only)
    )
    if not slots:
        raise UsageError(
            f"every slot of {earlier.id} was answered",
            hint=f"see it with `ultrai show {earlier.id}`",
        )
    return replace(recipe, slots=slots, quorum=_quorum_of_rest(recipe, earlier, rest=len(slots)))


def check_synthesis(wanted: str | None) -> None:
    """Only `none` exists so far. Raises UsageError for any other mode."""
    if wanted not in (None, NO_SYNTHESIS):
        raise UsageError(f"synthesis {wanted!r} is not available yet", hint="use `none`")


def _seated(recipe: Recipe, earlier: Report) -> Sequence[Slot]:
    """The Recipe's Slots in the places of the earlier Run's, one for each."""
    primaries = [slot.primary for slot in earlier.slots]
    if primaries == [slot.primary for slot in recipe.slots]:
        return recipe.slots
    waiting: dict[str, list[Slot]] = {}
    for slot in recipe.slots:
        waiting.setdefault(slot.primary, []).append(slot)
    # The last of a kind stays, for models that the earlier Run seated more often.
    kinds = [waiting.get(primary, [Slot(primary)]) for primary in primaries]
    return [kind.pop(0) if len(kind) > 1 else kind[0] for kind in kinds]


def _quorum_of_rest(recipe: Recipe, earlier: Report, *, rest: int) -> int | None:
    if recipe.quorum is None:
        return None
    answered = sum(slot.state is SlotState.ANSWERED for slot in earlier.slots)
    if earlier.resumed_from is not None:
        # It asked a rest itself: the Answers of the Runs before it are not in its Report.
        answered = max(answered, len(recipe.slots) - rest)
    needed = recipe.quorum - answered
    return needed if 0 < needed <= rest else None


class _Speller:
    """Corrects ids and collects one Notice for each."""

    def __init__(self, corrections: Corrections) -> None:
        self._corrections = corrections
        self._noted: dict[str, Notice] = {}

    @property
    def notices(self) -> Iterable[Notice]:
        return self._noted.values()

    def spell(self, model_id: str) -> str:
        correction = correct(model_id, self._corrections)
        if correction is None:
            return model_id.strip()
        self._noted[model_id] = Notice(NoticeCode.MODEL_CORRECTED, correction.message)
        return correction.corrected


def _seats(written: str) -> tuple[str, int]:
    model_id, star, number = written.strip().rpartition("*")
    if not star:
        return written.strip(), 1
    if not number.isdecimal() or not 1 <= int(number[:4]) <= SEATS_AT_MOST or not model_id:
        raise UsageError(
            f"{written!r} does not seat a model",
            hint=f"write ID*N with N from 1 to {SEATS_AT_MOST}",
        )
    return model_id.strip(), int(number)
