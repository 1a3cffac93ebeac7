"""Replaces model ids in a user's JSON file of cocktails: in one cocktail, and nowhere else.

The text is edited where the cocktail stands in it, so that all else keeps its letters. Every edit
is proved before it is given out: read again, the text must hold the wanted cocktail, and must
otherwise mean what it meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from ultrai.domain.cocktail import NO_SYNTHESIS, Cocktail
from ultrai.domain.errors import SettingsError
from ultrai.settings.cocktails import parse_cocktails_json
from ultrai.settings.write import replaced

_STRING: Final = re.compile(r'"(?:\\.|[^"\\])*"')
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_INDENT: Final = "  "
_value_at: Final = json.JSONDecoder().raw_decode


def with_replaced_ids(text: str, cocktail: Cocktail, *, replacements: Mapping[str, str]) -> str:
    """A valid file's text in which `cocktail` asks the replacements of its ids (old -> new).

    Only the ids change, as keys, as values and in `ID*3`; where that would seat a model twice, the
    cocktail is written anew. Raises SettingsError when the text cannot be edited.
    """
    wanted = replaced(cocktail, replacements)
    parse_cocktails_json(text, path=cocktail.source)
    start, end = _place(text, cocktail)

    def renamed(match: re.Match[str]) -> str:
        model_id, star, count = str(json.loads(match.group(), strict=False)).partition("*")
        new_id = replacements.get(model_id.strip())
        return match.group() if new_id is None else json.dumps(f"{new_id}{star}{count}")

    edited = text[:start] + _STRING.sub(renamed, text[start:end]) + text[end:]
    with suppress(SettingsError):
        _prove(text, edited, wanted=wanted)
        return edited
    edited = text[:start] + _written(wanted) + text[end:]
    _prove(text, edited, wanted=wanted)
    return edited


def _place(text: str, cocktail: Cocktail) -> tuple[int, int]:
    """Where the cocktail's value begins and ends."""
    for section, start, _ in _members(text, _past_space(text, 0)):
        if section == "cocktails":
            for name, begin, end in _members(text, start):
                if name == cocktail.name:
                    return begin, end
    message = f"{cocktail.source}: cocktail {cocktail.name} is not there"
    raise SettingsError(message)


def _members(text: str, place: int) -> Iterator[tuple[str, int, int]]:
    """The members of the object that begins at `place`: key, and where the value stands."""
    place = _past_space(text, place + 1)
    while text[place] == '"':
        key, place = _value_at(text, place)
        start = _past_space(text, _past_space(text, place) + 1)
        _, end = _value_at(text, start)
        yield key, start, end
        place = _past_space(text, end)
        if text[place] == ",":
            place = _past_space(text, place + 1)


def _past_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _written(cocktail: Cocktail) -> str:
    """The cocktail as a value at the depth of a file's cocktails."""
    value: dict[str, object] = {} if cocktail.quorum is None else {"quorum": cocktail.quorum}
    if cocktail.synthesis != NO_SYNTHESIS:
        value["synthesis"] = cocktail.synthesis
    value["slots"] = [
        {"primary": slot.primary, "backups": list(slot.backups)} for slot in cocktail.slots
    ]
    return json.dumps(value, indent=_INDENT).replace("\n", f"\n{_INDENT * 2}")


def _prove(before: str, after: str, *, wanted: Cocktail) -> None:
    """Raise SettingsError unless `after` holds the wanted cocktail and else what `before` held."""
    found = parse_cocktails_json(after, path=wanted.source).book.find(wanted.name)
    if found != wanted or _without(before, wanted.name) != _without(after, wanted.name):
        message = f"{wanted.source}: cocktail {wanted.name} cannot be changed without the rest"
        raise SettingsError(message)


def _without(text: str, name: str) -> list[tuple[str, object]]:
    """What a file says beside one cocktail, in its order."""
    table = json.loads(text)
    cocktails = table.pop("cocktails", {})
    return [*table.items(), *((key, value) for key, value in cocktails.items() if key != name)]
