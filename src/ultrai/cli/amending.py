"""Puts replacements of model ids into the user's own files: `ultrai doctor --write`.

A cocktail that came from a file of the user's is changed there, id by id, so that comments, order
and all else stay. A shipped one is added to the settings file as a table of the same name, which
replaces it. Each changed file keeps its former self beside it as `FILE.before`, or `FILE.before.2`
and so on: no earlier copy is overwritten. What was written is proved by reading the settings anew:
if they cannot be read, or a cocktail does not ask what it should (a profile may define it, too),
every file is put back.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from ultrai.cli.json_cocktails import with_replaced_ids
from ultrai.domain.cocktail import SHIPPED, Cocktail, CocktailBook
from ultrai.domain.errors import SettingsError
from ultrai.settings.cocktails import shipped_book
from ultrai.settings.load import file_to_edit, load
from ultrai.settings.write import edit_file, replaced, with_cocktail, with_replaced_models

if TYPE_CHECKING:
    from ultrai.settings.model import Settings

_COMMENT = "the shipped {name} with other ids, written by 'ultrai doctor --write'"


@dataclass(frozen=True, slots=True)
class Former:
    """What a file was: its text to the letter, and the copy that this call put beside it."""

    text: str
    copy: Path


def amend_settings(
    settings: Settings, replacements: Mapping[str, str]
) -> Mapping[Path, Path | None]:
    """Write the replacements (old id -> new id); each changed file -> the copy of its former self.

    The copy is None for a file that was not there.

    `settings` as they were loaded without flags. Raises SettingsError; nothing is changed then.
    """
    book = shipped_book().merged(settings.cocktails)
    touched = [c for c in book if any(model in replacements for model in c.model_ids)]
    if not touched:
        return {}
    main = settings.source or file_to_edit()
    by_file: dict[Path, list[Cocktail]] = {}
    for cocktail in touched:
        path = main if cocktail.source == SHIPPED else Path(cocktail.source)
        by_file.setdefault(path, []).append(cocktail)
    formers: dict[Path, Former | None] = {}
    try:
        for path, cocktails in by_file.items():
            formers[path] = _keep(path)
            edit_file(path, _change(cocktails, replacements, is_toml=path == main))
        _prove(
            load(config=settings.source),
            wanted=[replaced(cocktail, replacements) for cocktail in touched],
        )
    except (OSError, SettingsError) as error:
        _put_back(formers)
        message = f"the replacements could not be written, nothing was changed: {error}"
        raise SettingsError(message, hint="change the ids in your file by hand") from None
    return {path: former.copy if former else None for path, former in formers.items()}


def _change(
    cocktails: Iterable[Cocktail], replacements: Mapping[str, str], *, is_toml: bool
) -> Callable[[str], str]:
    """The change of one file's text."""

    def change(text: str) -> str:
        for cocktail in cocktails:
            if cocktail.source == SHIPPED:
                comment = _COMMENT.format(name=cocktail.name)
                text = with_cocktail(text, replaced(cocktail, replacements), comment=comment)
            elif is_toml:
                text = with_replaced_models(text, cocktail, replacements=replacements)
            else:
                text = with_replaced_ids(text, cocktail, replacements=replacements)
        return text

    return change


def _keep(path: Path) -> Former | None:
    """What the file was, after a copy was put beside it; None where there is no file."""
    if not path.exists():
        return None
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not UTF-8") from None
    copy = _claim_name(path)
    try:
        shutil.copy2(path, copy)
    except OSError:
        copy.unlink(missing_ok=True)
        raise
    return Former(text, copy)


def _claim_name(path: Path) -> Path:
    """An empty file beside `path`, made now, so that no copy of an earlier call is overwritten."""
    for number in count(1):
        ending = "" if number == 1 else f".{number}"
        copy = path.with_name(f"{path.name}.before{ending}")
        try:
            copy.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            continue
        return copy
    raise AssertionError  # counting never ends


def _prove(settings: Settings, *, wanted: Iterable[Cocktail]) -> None:
    """Raise SettingsError unless the cocktails in force are these."""
    book = CocktailBook(settings.cocktails)
    for cocktail in wanted:
        found = book.find(cocktail.name)
        if found is None or found.slots != cocktail.slots:
            message = f"another place of the settings, such as a profile, defines {cocktail.name}"
            raise SettingsError(message)


def _put_back(formers: Mapping[Path, Former | None]) -> None:
    """Every file as it was, at once for each."""
    for path, former in formers.items():
        if former is None:
            path.unlink(missing_ok=True)
        else:
            edit_file(path, _always(former.text))
            former.copy.unlink(missing_ok=True)


def _always(text: str) -> Callable[[str], str]:
    return lambda _: text
