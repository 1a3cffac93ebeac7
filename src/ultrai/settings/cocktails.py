"""Reads cocktails: the shipped data file, a user's JSON file of its shape, tables of ultrai.toml.

A cocktail is written in one of two ways, in either format:

    slots = [{primary = "ID", backups = ["ID", …]}, "ID", "ID*3"]
    "ID" = ["backup", …]          the report's way; the key may be "ID*3", too

beside `quorum` and `synthesis`. Ids stay as written: corrections are applied, and noted, when a Run
is planned. Whatever a file holds, the only error is SettingsError, with file, path and bad value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from ultrai.domain.cocktail import (
    AUTO,
    NO_SYNTHESIS,
    SHIPPED,
    Cocktail,
    CocktailBook,
    Slot,
    is_model_id,
    parse_seat,
)
from ultrai.domain.errors import SettingsError
from ultrai.policy.checkup import Reference
from ultrai.policy.corrections import Corrections
from ultrai.policy.succession import Successions
from ultrai.settings.correction_prose import parse_corrections
from ultrai.settings.dated_tables import read_date, read_references, read_successions
from ultrai.settings.entry import shown
from ultrai.settings.node import DoubledTable, Node
from ultrai.settings.places import LARGEST_FILE_BYTES, read_text

MOST_SLOTS = 100
MOST_BACKUPS = 20
AWAITED_SYNTHESIS = ("fuse", "judge", "vote")

_FILE_KEYS = (
    *("version", "last_updated", "cocktails", "model_corrections"),
    *("successions", "references"),
)
_OPTIONS = ("slots", "quorum", "synthesis")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION = re.compile(r"2(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class CocktailFile:
    """What a file of the report's shape holds; what it leaves out is empty.

    `references`: what ids cost and held when the file was last looked at, for `ultrai doctor`.
    """

    cocktails: tuple[Cocktail, ...] = ()
    corrections: Corrections = field(default_factory=Corrections)
    successions: Successions = field(default_factory=Successions)
    version: str | None = None
    last_updated: str | None = None
    references: Mapping[str, Reference] = field(default_factory=dict)

    @property
    def book(self) -> CocktailBook:
        """The file's cocktails, by name."""
        return CocktailBook(self.cocktails)

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Every id that the file's cocktails name, once."""
        ids = (model_id for cocktail in self.cocktails for model_id in cocktail.model_ids)
        return tuple(dict.fromkeys(ids))


@cache
def shipped_file() -> CocktailFile:
    """The data file of the package: PREMIUM, SPEEDY, BUDGET, DEPTH, LOCAL and their tables."""
    text = resources.files("ultrai").joinpath("data/cocktails.json").read_text(encoding="utf-8")
    return _read_file(Node(SHIPPED, "", _loaded(text, SHIPPED)), CocktailFile())


def shipped_book() -> CocktailBook:
    """The shipped cocktails."""
    return shipped_file().book


def read_cocktails_file(path: Path) -> CocktailFile:
    """A user's JSON file of the report's shape; SettingsError where it cannot be read."""
    return parse_cocktails_json(read_text(path), path=path)


def parse_cocktails_json(text: str | bytes, *, path: str | Path) -> CocktailFile:
    """The contents of a user's JSON file of the report's shape; `path` is its name in errors."""
    name = str(path)
    return _read_file(Node(name, "", _loaded(text, name)), shipped_file())


def parse_cocktails_table(table: object, *, path: str | Path) -> tuple[Cocktail, ...]:
    """The cocktails of ultrai.toml's table `cocktails`; `path` is the file's name in errors."""
    return _read_cocktails(Node(str(path), "cocktails", table), shipped_file().model_ids)


def _loaded(text: str | bytes, name: str) -> object:
    """The JSON value; doubled keys are kept as a DoubledTable, to be reported with their path."""
    if len(text) > LARGEST_FILE_BYTES:
        raise SettingsError(f"{name}: is larger than {LARGEST_FILE_BYTES >> 20} MiB")
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        line = bytes(text).count(b"\n", 0, error.start) + 1 if isinstance(text, bytes) else 1
        message = f"{name}: line {line} is not UTF-8"
        raise SettingsError(message, hint="save the file as UTF-8") from None
    try:
        value: object = json.loads(decoded.removeprefix("\ufeff"), object_pairs_hook=_table)
    except json.JSONDecodeError as error:
        message = f"{name}: line {error.lineno}, column {error.colno} is not JSON: {error.msg}"
        raise SettingsError(message) from None
    except (RecursionError, ValueError):
        message = f"{name}: is nested too deep or holds a number with too many digits"
        raise SettingsError(message) from None
    return value


def _table(pairs: list[tuple[str, object]]) -> dict[str, object]:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return DoubledTable(pairs, doubled=key)
        seen.add(key)
    return dict(pairs)


def _read_file(node: Node, shipped: CocktailFile) -> CocktailFile:
    """The whole file; `shipped` lends its ids and corrections to what the file leaves out."""
    parts = node.parts("a section of a cocktail file", _FILE_KEYS)
    version = _read_version(parts.get("version"))
    last_updated = read_date(parts.get("last_updated"))
    cocktails: tuple[Cocktail, ...] = ()
    if "cocktails" in parts:
        cocktails = _read_cocktails(parts["cocktails"], shipped.model_ids)
    known = (*CocktailFile(cocktails).model_ids, *shipped.model_ids)
    corrections = Corrections()
    if "model_corrections" in parts:
        corrections = parse_corrections(
            parts["model_corrections"], base=shipped.corrections, known=known
        )
    successions = Successions()
    if "successions" in parts:
        successions = read_successions(parts["successions"], known)
    references: Mapping[str, Reference] = {}
    if "references" in parts:
        references = read_references(parts["references"], known)
    return CocktailFile(cocktails, corrections, successions, version, last_updated, references)


def _read_version(node: Node | None) -> str | None:
    if node is None:
        return None
    version = node.text()
    if not _VERSION.fullmatch(version):
        raise node.problem(f"{shown(version)} is not a version known here", hint='write "2.0"')
    return version


def _read_cocktails(node: Node, known: tuple[str, ...]) -> tuple[Cocktail, ...]:
    cocktails: dict[str, Cocktail] = {}
    for name, body in node.table():
        if not _NAME.fullmatch(name):
            hint = "use up to 64 letters, digits, dots, dashes and underscores"
            raise body.problem(f"{shown(name)} is not a name for a cocktail", hint=hint)
        folded = name.casefold()
        if folded == AUTO:
            raise body.problem(f"{AUTO!r} stands for a choice and cannot be defined")
        if folded in cocktails:
            twin = cocktails[folded].name
            raise body.problem(f"{name} and {twin} are one name: case does not count")
        cocktails[folded] = _read_cocktail(name, body, known=known)
    return tuple(cocktails.values())


def _read_cocktail(name: str, node: Node, *, known: tuple[str, ...]) -> Cocktail:
    options: dict[str, Node] = {}
    seats: list[tuple[str, Node]] = []
    for key, child in node.table():
        if key in _OPTIONS:
            options[key] = child
        elif "/" in key:
            seats.append((key, child))
        else:
            raise node.not_valid(
                "a key of a cocktail or a model id", key, valid=_OPTIONS, known=known
            )
    if "slots" in options and seats:
        raise node.problem("has both slots and ids as keys", hint="keep one of the two ways")
    if "slots" in options:
        slots = tuple(_slots_of_list(options["slots"], known))
    else:
        slots = tuple(
            slot for key, child in seats for slot in _seated(child, key, backups=child, known=known)
        )
    if not slots:
        raise node.problem("has no slots", hint='write slots = ["openai/gpt-4o", …]')
    if len(slots) > MOST_SLOTS:
        raise node.problem(f"has {len(slots)} slots; {MOST_SLOTS} are the most")
    return Cocktail(
        name=name,
        slots=slots,
        synthesis=_read_synthesis(options.get("synthesis")),
        quorum=_read_quorum(options.get("quorum"), len(slots)),
        source=node.file,
    )


def _slots_of_list(node: Node, known: tuple[str, ...]) -> Iterator[Slot]:
    for item in node.items(most=MOST_SLOTS):
        if not isinstance(item.value, dict):
            yield from _seated(item, item.text(), backups=None, known=known)
            continue
        parts = item.parts("a key of a slot", ("primary", "backups"))
        if "primary" not in parts:
            raise item.problem("has no primary", hint='write {primary = "openai/gpt-4o"}')
        primary = parts["primary"]
        yield from _seated(primary, primary.text(), backups=parts.get("backups"), known=known)


def _seated(
    node: Node, text: str, *, backups: Node | None, known: tuple[str, ...]
) -> tuple[Slot, ...]:
    """The Slots of one seat: `ID*3` makes three. Errors about `text` are errors of `node`."""
    try:
        primary, count = parse_seat(text)
    except ValueError as error:
        hint = Node(node.file, node.path, text).not_an_id(known).hint
        is_id = is_model_id(text.partition("*")[0].strip())
        raise node.problem(f"{shown(text)}: {error}", hint="" if is_id else hint) from None
    slot = Slot(primary, () if backups is None else _read_backups(backups, primary, known=known))
    return (slot,) * count


def _read_backups(node: Node, primary: str, *, known: tuple[str, ...]) -> tuple[str, ...]:
    backups = node.distinct_ids(known, most=MOST_BACKUPS)
    if primary in backups:
        raise node.problem(f"{shown(primary)} is its own backup")
    return backups


def _read_synthesis(node: Node | None) -> str:
    if node is None:
        return NO_SYNTHESIS
    mode = node.text().casefold()
    if mode in AWAITED_SYNTHESIS:
        raise node.problem(f"{shown(mode)} is not available yet", hint=f"valid: {NO_SYNTHESIS}")
    if mode != NO_SYNTHESIS:
        raise node.not_valid("a mode of synthesis", mode, valid=(NO_SYNTHESIS,))
    return mode


def _read_quorum(node: Node | None, slots: int) -> int | None:
    if node is None:
        return None
    quorum = node.value
    if isinstance(quorum, bool) or not isinstance(quorum, int) or not 1 <= quorum <= slots:
        raise node.problem(f"must be a whole number from 1 to {slots}, not {shown(quorum)}")
    return quorum
