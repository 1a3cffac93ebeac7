"""Puts replacements of model ids into the user's own files: `ultrai doctor --write`.

A cocktail that came from a file of the user's is changed there, id by id, so that comments and
order stay. A shipped one is added to the settings file as a table of the same name, which replaces
it. Each changed file keeps its former self beside it as `FILE.before`; if the settings cannot be
read afterwards, the former self is put back.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ultrai.domain.cocktail import SHIPPED, Cocktail, Slot
from ultrai.domain.errors import SettingsError
from ultrai.settings.cocktails import shipped_file
from ultrai.settings.load import load

if TYPE_CHECKING:
    from ultrai.settings.model import Settings

_FILE_NAME = "ultrai.toml"


def amend_settings(settings: Settings, replacements: Mapping[str, str]) -> Sequence[Path]:
    """Write the replacements; the files that were changed. Raises SettingsError."""
    book = shipped_file().book.merged(settings.cocktails)
    touched = [
        cocktail for cocktail in book if any(model in replacements for model in cocktail.model_ids)
    ]
    main = settings.source or _default_file()
    texts = {
        Path(cocktail.source): _replaced(Path(cocktail.source), replacements)
        for cocktail in touched
        if cocktail.source != SHIPPED
    }
    tables = [_table(c, replacements) for c in touched if c.source == SHIPPED]
    if tables:
        before = texts[main] if main in texts else _text_of(main)
        texts[main] = "\n".join([*([before.rstrip("\n"), ""] if before else []), *tables])
    _write_all(texts, main)
    return tuple(texts)


def _default_file() -> Path:
    """Where the user's settings are looked for when there is no file here."""
    on_linux = platform.system() == "Linux"
    folder = Path(click.get_app_dir("ultrai")) if on_linux else Path.home() / ".config" / "ultrai"
    return folder / _FILE_NAME


def _replaced(path: Path, replacements: Mapping[str, str]) -> str:
    text = _text_of(path)
    for old, new in replacements.items():
        for quote in ('"', "'"):
            text = text.replace(f"{quote}{old}{quote}", f"{quote}{new}{quote}")
            # A seat taken several times: "ID*3".
            text = text.replace(f"{quote}{old}*", f"{quote}{new}*")
    return text


def _table(cocktail: Cocktail, replacements: Mapping[str, str]) -> str:
    lines = [f"[cocktails.{json.dumps(cocktail.name)}]"]
    if cocktail.quorum is not None:
        lines.append(f"quorum = {cocktail.quorum}")
    lines.append("slots = [")
    lines.extend(f"  {_seat(slot, replacements)}," for slot in cocktail.slots)
    return "\n".join([*lines, "]", ""])


def _seat(slot: Slot, replacements: Mapping[str, str]) -> str:
    ids = dict.fromkeys(replacements.get(model, model) for model in slot.candidates)
    primary, *backups = ids
    listed = ", ".join(json.dumps(model) for model in backups)
    return f"{{primary = {json.dumps(primary)}, backups = [{listed}]}}"


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error


def _write_all(texts: Mapping[Path, str], main: Path) -> None:
    kept: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                kept[path] = path.with_name(f"{path.name}.before")
                shutil.copy2(path, kept[path])
            path.write_text(text, encoding="utf-8")
        if texts:
            load(config=main if main.exists() else None)
    except (OSError, SettingsError) as error:
        for path in texts:
            if path in kept:
                shutil.copy2(kept[path], path)
            else:
                path.unlink(missing_ok=True)
        raise SettingsError(
            f"the replacements could not be written, nothing was changed: {error}",
            hint="change the ids in your file by hand",
        ) from error
