"""Before embedded models are asked: are their weights here?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ultrai.cli.output import write_text
from ultrai.domain.cocktail import AUTO, parse_seat
from ultrai.domain.errors import LocalModelError, NotFound
from ultrai.settings.cocktails import shipped_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ultrai.cli.terminal import Terminal
    from ultrai.domain.ask import Ask
    from ultrai.local.models import LocalModel
    from ultrai.settings.model import Settings

_PREFIX = "local/"
_WITHOUT_KEY = "LOCAL"


def bring_weights(settings: Settings, ask: Ask, *, terminal: Terminal) -> None:
    """Pull what the Ask needs and is not here: on a terminal, with a progress bar.

    Elsewhere raises LocalModelError that names `ultrai local pull`: half a gigabyte is not fetched
    where nobody sees it.
    """
    missing = _missing(settings, ask)
    if not missing:
        return
    from ultrai.cli.pulling import pull_models, size_words

    names = ", ".join(model.id for model in missing)
    if not terminal.redraws:
        command = " ".join(["ultrai local pull", *(model.id for model in missing)])
        raise LocalModelError(
            f"the weights of {names} ({size_words(missing)}) are not here",
            hint=f"fetch them with: {command}",
        )
    write_text(terminal, f"fetching the weights of {names}, {size_words(missing)}, once")
    pull_models(missing, home=settings.home, terminal=terminal)


def _missing(settings: Settings, ask: Ask) -> Sequence[LocalModel]:
    wanted = [model for model in _asked_first(settings, ask) if model.startswith(_PREFIX)]
    if not wanted:
        return ()
    from ultrai.local.models import find_model
    from ultrai.local.weights import is_installed

    models = []
    for model_id in dict.fromkeys(wanted):
        try:
            model = find_model(model_id)
        except NotFound:
            continue  # planning says so, with the nearest id
        if not is_installed(model, settings.home):
            models.append(model)
    return models


def _asked_first(settings: Settings, ask: Ask) -> Sequence[str]:
    """The ids that the Slots ask first, as far as that is known before planning."""
    if ask.resume is not None:
        return ()
    if ask.models:
        return [_seat(model) for model in ask.models]
    name = ask.cocktail or (AUTO if settings.names_a_key else _WITHOUT_KEY)
    if name.strip().casefold() == AUTO:
        return ()
    cocktail = shipped_file().book.merged(settings.cocktails).find(name)
    return () if cocktail is None else [slot.primary for slot in cocktail.slots]


def _seat(text: str) -> str:
    try:
        return parse_seat(text)[0]
    except ValueError:
        return text  # planning says what is wrong with it
