"""Small edits of a user's settings file, as `ultrai doctor --write` makes them.

Only what has to change does; comments and order stay. Every edit is proved before it is given out:
the new text is parsed, must hold exactly the cocktail that was wanted, and must otherwise mean what
the old one meant. Where that cannot be had, a SettingsError says to edit by hand.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from ultrai.domain.cocktail import NO_SYNTHESIS, Cocktail, Slot
from ultrai.domain.errors import SettingsError
from ultrai.settings.cocktails import parse_cocktails_table
from ultrai.settings.document import parse_toml
from ultrai.settings.places import FILE_NAME, read_text
from ultrai.settings.statements import Statement, quoted, statements, with_strings_replaced

_TABLE: Final = "cocktails"
_BY_HAND: Final = "edit the file by hand"
_NEW_FILE_MODE = 0o600


def replaced(cocktail: Cocktail, replacements: Mapping[str, str]) -> Cocktail:
    """The cocktail with other ids in place of some; a backup that became a double is dropped."""

    def seat(slot: Slot) -> Slot:
        primary = replacements.get(slot.primary, slot.primary)
        backups = dict.fromkeys(replacements.get(backup, backup) for backup in slot.backups)
        return Slot(primary, tuple(backup for backup in backups if backup != primary))

    return replace(cocktail, slots=tuple(seat(slot) for slot in cocktail.slots))


def with_replaced_models(text: str, cocktail: Cocktail, *, replacements: Mapping[str, str]) -> str:
    """A TOML text in which `cocktail` asks the replacements of its ids (old id -> new id).

    Where the text defines the cocktail, only the ids change; otherwise, or where that would seat a
    model twice, its table is written anew. Raises SettingsError when the text cannot be edited.
    """
    wanted = replaced(cocktail, replacements)

    def seat(word: str) -> str:
        model_id, star, count = word.partition("*")
        new_id = replacements.get(model_id.strip())
        return word if new_id is None else f"{new_id}{star}{count}"

    pieces = [
        with_strings_replaced(text[s.start : s.end], seat)
        if _defines(s, cocktail.name)
        else text[s.start : s.end]
        for s in statements(text)
    ]
    edited = "".join(pieces)
    with suppress(SettingsError):
        _prove(text, edited, wanted=wanted)
        return edited
    return with_cocktail(text, wanted)


def with_cocktail(text: str, cocktail: Cocktail, *, comment: str = "") -> str:
    """A TOML text in which `[cocktails.NAME]` is this cocktail, in place of one of that name.

    `comment` is one line to stand above the table. Raises SettingsError when the text cannot be
    edited.
    """
    parse_toml(text, FILE_NAME)
    parts = list(statements(text))
    ours = [part for part in parts if _defines(part, cocktail.name)]
    line_break = "\r\n" if "\r\n" in text else "\n"
    block = _block(cocktail, comment).replace("\n", line_break)
    place = ours[0].start if ours and ours[0].is_header else len(text)
    before = "".join(text[p.start : p.end] for p in parts if p.end <= place and p not in ours)
    after = "".join(text[p.start : p.end] for p in parts if p.start >= place and p not in ours)
    if before and not before.endswith("\n"):
        before += line_break
    is_new = place == len(text)
    gap = line_break if is_new and before and not before.endswith(line_break * 2) else ""
    space = line_break if after and not after.startswith(line_break) else ""
    edited = f"{before}{gap}{block}{space}{after}"
    _prove(text, edited, wanted=cocktail)
    return edited


def edit_file(path: Path, change: Callable[[str], str]) -> None:
    """Replace a settings file by `change` of its text, at once or not at all; its mode stays.

    A file that does not exist is made, with its folders, for its owner only. A link stays a link.
    Raises SettingsError where the file cannot be read or written.
    """
    target = Path(os.path.realpath(path))
    try:
        exists = target.exists()
        text = change(read_text(target) if exists else "")
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o7777 if exists else _NEW_FILE_MODE
        _write_at_once(target, text.encode(), mode=mode)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror}") from None


def _write_at_once(target: Path, data: bytes, *, mode: int) -> None:
    """Write beside the target, then take its place."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _defines(statement: Statement, name: str) -> bool:
    """Whether a statement is part of the cocktail of that name, in any case."""
    path = statement.path
    return len(path) > 1 and path[0] == _TABLE and path[1].casefold() == name.casefold()


def _block(cocktail: Cocktail, comment: str) -> str:
    """The cocktail as a table of TOML."""
    lines = [f"# {line}" for line in comment.splitlines()]
    lines.append(f"[{_TABLE}.{_key(cocktail.name)}]")
    if cocktail.quorum is not None:
        lines.append(f"quorum = {cocktail.quorum}")
    if cocktail.synthesis != NO_SYNTHESIS:
        lines.append(f"synthesis = {quoted(cocktail.synthesis)}")
    lines.append("slots = [")
    for slot in cocktail.slots:
        backups = ", ".join(quoted(backup) for backup in slot.backups)
        seat = f"{{primary = {quoted(slot.primary)}, backups = [{backups}]}}"
        lines.append(f"    {seat if backups else quoted(slot.primary)},")
    return "\n".join([*lines, "]", ""])


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else quoted(name)


def _prove(before: str, after: str, *, wanted: Cocktail) -> None:
    """Raise SettingsError unless `after` holds the wanted cocktail and else what `before` held."""
    old_rest, _ = _without(parse_toml(before, FILE_NAME), wanted.name)
    try:
        new_rest, found = _without(parse_toml(after, FILE_NAME), wanted.name)
        cocktails = parse_cocktails_table(found, path=wanted.source)
    except SettingsError as error:
        message = f"cocktail {wanted.name} cannot be put into this file: {error}"
        raise SettingsError(message, hint=_BY_HAND) from None
    recipes = [(c.slots, c.quorum, c.synthesis) for c in cocktails]
    if old_rest != new_rest or recipes != [(wanted.slots, wanted.quorum, wanted.synthesis)]:
        message = f"cocktail {wanted.name} cannot be put into this file without changing the rest"
        raise SettingsError(message, hint=_BY_HAND)


def _without(table: dict[str, object], name: str) -> tuple[dict[str, object], dict[str, object]]:
    """A file's table without the cocktails of one name, and those."""
    cocktails = table.get(_TABLE, {})
    if not isinstance(cocktails, dict):
        raise SettingsError(f"{_TABLE} must be a table", hint=_BY_HAND)
    found = {k: v for k, v in cocktails.items() if k.casefold() == name.casefold()}
    others = {k: v for k, v in cocktails.items() if k not in found}
    rest = {key: value for key, value in table.items() if key != _TABLE}
    return {**rest, **({_TABLE: others} if others else {})}, found
