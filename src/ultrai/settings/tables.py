"""Settings that hold more than one value, read from layers: keys, upstreams, paces, cocktails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ultrai.domain.cocktail import CocktailBook, is_model_id
from ultrai.domain.errors import CredentialsError
from ultrai.domain.secret import Secret
from ultrai.settings.cocktails import CocktailFile, parse_cocktails_table, read_cocktails_file
from ultrai.settings.entry import Entry, shown
from ultrai.settings.key_reference import KeyReference
from ultrai.settings.layers import ALL_MODELS, Layer
from ultrai.settings.model import OPENROUTER, Attribution, UpstreamSettings
from ultrai.settings.network import checked_base_url, is_loopback, proxy_for
from ultrai.settings.places import World
from ultrai.settings.schema import PACE, TOGGLE
from ultrai.settings.secrets import (
    RESOLVERS,
    canonical,
    check,
    is_reference,
    is_rereadable,
    resolve,
)

LOCAL_PREFIX: Final = "local"
_PREFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_HEADER = 200
_COCKTAILS_FILE: Final = ("cocktails_file",)


@dataclass(frozen=True, slots=True)
class KeyFound:
    """A key, where it is kept, or in one line why it could not be had; else none is named.

    A key in a store is not read here: there is a reference then, and no key.
    """

    key: Secret | None = None
    reference: KeyReference | None = None
    problem: str | None = None


def read_key(
    entry: Entry | None,
    world: World,
    *,
    literal_allowed: bool = False,
    refused: frozenset[str] = frozenset(),
) -> KeyFound:
    """The key that an entry names; `refused` is as in KeyReference.

    A key written out in a file is a SettingsError, unless `literal_allowed`; one that cannot be had
    is no error here, because only what needs the key must fail.
    """
    if entry is None:
        return KeyFound()
    where = f"{entry.origin.name}: {entry.key}"
    text = entry.value
    if not isinstance(text, str):
        raise entry.problem("must be text in quotes")
    if not text.strip():
        return KeyFound()
    if entry.origin.is_file and not literal_allowed and not is_reference(text):
        raise entry.problem(
            "must be a reference, because a key in a settings file is soon shared",
            hint=f"write {' or '.join(f'{s}:…' for s in RESOLVERS)}, or use the environment",
        )
    try:
        check(text)
        if not is_rereadable(text):
            return KeyFound(key=resolve(text, world=world, folder=entry.origin.folder))
        place = canonical(text, world=world, folder=entry.origin.folder)
        reference = KeyReference(place, where, world, refused)
        return KeyFound(None if reference.is_slow else reference.read(), reference)
    except CredentialsError as error:
        told = str(error).removeprefix(f"{where}: ")
        return KeyFound(problem=f"{where}: {told}" + (f"; {error.hint}" if error.hint else ""))


def read_base_url(entry: Entry) -> str:
    """The base address of an entry; SettingsError does not echo it."""
    try:
        return checked_base_url(entry.text().strip())
    except ValueError as error:
        raise entry.problem(str(error)) from None


def read_attribution(layer: Layer) -> Attribution:
    """Whom the upstream is told of; an empty text sends nothing."""
    defaults = Attribution()
    referer = layer.get(("attribution", "referer"))
    title = layer.get(("attribution", "title"))
    return Attribution(
        referer=defaults.referer if referer is None else _header(referer),
        title=defaults.title if title is None else _header(title),
    )


def read_paces(layer: Layer) -> Mapping[str, int]:
    """Starts per minute by model id, `*` for all others; what is `none` is left out."""
    paces: dict[str, int] = {}
    for path, entry in layer.items():
        if path[0] != "pace_per_minute":
            continue
        if path[1] != ALL_MODELS and not is_model_id(path[1]):
            raise entry.problem("is neither a model id nor '*'")
        pace = PACE.read(entry)
        if isinstance(pace, int):
            paces[path[1]] = pace
    return paces


def read_upstreams(
    layer: Layer, world: World, *, refused: frozenset[str] = frozenset()
) -> Mapping[str, UpstreamSettings]:
    """The further upstreams by name, their prefixes distinct; `refused` is as in KeyReference."""
    names = dict.fromkeys(path[1] for path in layer if path[0] == "upstreams")
    upstreams: dict[str, UpstreamSettings] = {}
    taken: dict[str, str] = {LOCAL_PREFIX: "the embedded models", OPENROUTER: "OpenRouter"}
    for name in names:
        parts = {path[2]: e for path, e in layer.items() if path[:2] == ("upstreams", name)}
        upstream = _read_upstream(name, parts, world=world, refused=refused)
        if upstream.prefix in taken:
            entry = parts.get("prefix") or parts["base_url"]
            raise entry.problem(
                f"gives {shown(name)} the prefix {shown(upstream.prefix)}, "
                f"which belongs to {taken[upstream.prefix]}",
                hint="choose another prefix",
            )
        taken[upstream.prefix] = f"upstream {name}"
        upstreams[name] = upstream
    return upstreams


def read_cocktails(layers: Iterable[Layer], world: World) -> CocktailFile:
    """The user's cocktails and tables; those of a JSON file yield to those of the settings file.

    `layers` in the order of precedence, the last wins.
    """
    ordered = list(layers)
    found = CocktailFile()
    for path in _cocktail_files(ordered, world):
        found = _merged(found, read_cocktails_file(path))
    for layer in ordered:
        entries = {path[1]: entry for path, entry in layer.items() if path[0] == "cocktails"}
        if entries:
            origin = next(iter(entries.values())).origin
            table = {name: entry.value for name, entry in entries.items()}
            own = parse_cocktails_table(table, path=origin.name)
            found = _merged(found, CocktailFile(own))
    return found


def _read_upstream(
    name: str, parts: Mapping[str, Entry], *, world: World, refused: frozenset[str]
) -> UpstreamSettings:
    """One upstream; a server on this machine costs nothing and may have its key in the file."""
    if "base_url" not in parts:
        entry = next(iter(parts.values()))
        raise entry.problem(f"belongs to upstream {shown(name)}, which has no base_url")
    base_url = read_base_url(parts["base_url"])
    prefix = parts["prefix"].text() if "prefix" in parts else name
    if not _PREFIX.fullmatch(prefix):
        entry = parts.get("prefix") or parts["base_url"]
        raise entry.problem(
            f"gives {shown(name)} the prefix {shown(prefix)}, which cannot start a model id",
            hint="use letters, digits, dots, dashes and underscores",
        )
    is_here = is_loopback(base_url)
    found = read_key(parts.get("api_key"), world, literal_allowed=is_here, refused=refused)
    return UpstreamSettings(
        prefix=prefix,
        base_url=base_url,
        key=found.key,
        key_reference=found.reference,
        key_problem=found.problem,
        proxy=proxy_for(base_url, world.environ),
        free=TOGGLE.read(parts["free"]) if "free" in parts else is_here,
    )


def _cocktail_files(layers: Iterable[Layer], world: World) -> list[Path]:
    """The JSON files that the last layer to name any names."""
    entries = [layer[_COCKTAILS_FILE] for layer in layers if _COCKTAILS_FILE in layer]
    if not entries:
        return []
    entry = entries[-1]
    names = entry.value if isinstance(entry.value, list | tuple) else [entry.value]
    texts = [Entry(entry.key, name, entry.origin).text() for name in names]
    return [world.path(text, folder=entry.origin.folder) for text in texts]


def _merged(first: CocktailFile, second: CocktailFile) -> CocktailFile:
    """Both, the second winning where they differ."""
    return CocktailFile(
        CocktailBook((*first.cocktails, *second.cocktails)).cocktails,
        first.corrections.merged(second.corrections),
        first.successions.merged(second.successions),
    )


def _header(entry: Entry) -> str:
    """A text that can stand in a header."""
    text = entry.text().strip()
    if len(text) > _LONGEST_HEADER:
        raise entry.problem(f"is longer than {_LONGEST_HEADER} characters")
    return text
