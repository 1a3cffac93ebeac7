"""Layers: what one place says, flattened to Entries by key, so that precedence is a dict union.

`[openrouter] base_url`, its override in `[profiles.dev.openrouter]` and `OPENROUTER_BASE_URL` all
become the key path `("openrouter", "base_url")`. Keys are checked here, values where they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ultrai.domain.errors import SettingsError
from ultrai.policy.nearest import did_you_mean
from ultrai.settings.document import parse_toml
from ultrai.settings.entry import Entry, KeyPath, Origin, dotted, shown
from ultrai.settings.model import Attribution
from ultrai.settings.places import read_text
from ultrai.settings.schema import SCALARS, TOGGLE

Layer = Mapping[KeyPath, Entry]

ALL_MODELS: Final = "*"
PLACES: Final = ("home", "database_url", "valkey_url", "cocktails_file")
"""Settings that name a place and are read by rules of their own."""

TABLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "openrouter": ("api_key", "base_url", "management_key"),
        "attribution": ("referer", "title"),
        "upstreams": ("prefix", "base_url", "api_key", "free"),
        "budgets": ("limit_usd", "per", "scope", "soft"),
        "alerts": (
            "thresholds",
            "speed_factor",
            "speed_least_usd",
            "unknown_usd",
            "drift_usd",
            "key_expires_days",
            "key_age_days",
            "free_left_percent",
            "log",
            "to",
        ),
    }
)
"""The keys of each table; those of `NAMED` stand in a table for each name."""

NAMED: Final = ("upstreams", "budgets")

SWITCHES: Final = ("alerts",)
"""Tables that turn something on by standing there, even empty: an Entry of their own says so."""

OPEN_TABLES: Final = ("pace_per_minute", "cocktails")
"""Tables whose keys are chosen by the user."""

PROFILES: Final = "profiles"
PRODUCTION: Final = "production"
"""The one key that only a profile has: whether it is for production."""

_PRODUCTION_NAMES: Final = frozenset({"prod", "production"})
VARIABLES: Final[Mapping[str, KeyPath]] = MappingProxyType(
    {
        "OPENROUTER_API_KEY": ("openrouter", "api_key"),
        "OPENROUTER_BASE_URL": ("openrouter", "base_url"),
        "OPENROUTER_MANAGEMENT_KEY": ("openrouter", "management_key"),
        "ULTRAI_ENV": ("environment",),
    }
    | {f"ULTRAI_{name.upper()}": (name,) for name in (*PLACES, *SCALARS)}
    | {f"ULTRAI_{name.upper()}": (name,) for name in ("attribution", "pace_per_minute")}
)
"""Environment variables and the key path that each sets."""

_MISTAKEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ULTRAI_API_KEY": "OPENROUTER_API_KEY",
        "ULTRAI_KEY": "OPENROUTER_API_KEY",
        "ULTRAI_BASE_URL": "OPENROUTER_BASE_URL",
        "ULTRAI_ENVIRONMENT": "ULTRAI_ENV",
        "ULTRAI_PROFILE": "ULTRAI_ENV",
    }
)
_PREFIX: Final = "ULTRAI_"
_LEAST_LIKENESS = 0.75


@dataclass(frozen=True, slots=True)
class FileLayers:
    """What a settings file says, for all and by profile. `production` are those that are for it."""

    own: Layer = field(default_factory=dict)
    profiles: Mapping[str, Layer] = field(default_factory=dict)
    production: frozenset[str] = frozenset()

    def of(self, profile: str | None) -> Layer:
        """What the file says for that profile alone."""
        return self.profiles.get(profile or "", {})


def file_layers(path: Path, profile: str | None) -> FileLayers:
    """The layers of a settings file; SettingsError for whatever is wrong, in any profile.

    A profile that the file lacks is an error only if it has a table of profiles.
    """
    table = parse_toml(read_text(path), str(path))
    origin = Origin(str(path), path.parent, is_file=True)
    has_profiles = PROFILES in table
    profiles = _subtable(Entry(PROFILES, table.pop(PROFILES, {}), origin))
    layers: dict[str, Layer] = {}
    production: set[str] = set()
    for name, entry in _children(profiles, origin, under=(PROFILES,)):
        wishes = dict(_subtable(entry))
        if _is_for_production(name, wishes.pop(PRODUCTION, None), origin=origin):
            production.add(name)
        layers[name] = flatten(wishes, origin, under=(PROFILES, name))
    if profile is not None and has_profiles and profile not in layers:
        hint = did_you_mean(profile, layers) or f"its profiles: {', '.join(layers) or 'none'}"
        raise SettingsError(f"{path}: has no profile {shown(profile)} (ULTRAI_ENV)", hint=hint)
    return FileLayers(flatten(table, origin), layers, frozenset(production))


def environment_layer(environ: Mapping[str, str], cwd: Path) -> Layer:
    """What the variables say; an empty one says nothing.

    A variable that starts with `ULTRAI_` and is none of ours is left alone, because other tools may
    use the prefix; but one that looks like a slip of the pen is an error.
    """
    origin = Origin("environment", cwd)
    layer: dict[KeyPath, Entry] = {}
    for name, value in environ.items():
        if name in VARIABLES:
            if value.strip():
                layer.update(_spread(VARIABLES[name], Entry(name, value, origin)))
        elif name.startswith(_PREFIX):
            _refuse_slip(name)
    return layer


def flatten(table: Mapping[str, object], origin: Origin, *, under: KeyPath = ()) -> Layer:
    """The Entries of a table; `under` is where it stands in its file. Unknown keys are refused."""
    layer: dict[KeyPath, Entry] = {}
    for name, entry in _children(table, origin, under=under):
        if name in TABLES or name in OPEN_TABLES:
            layer.update(_table_entries(name, entry, under=(*under, name)))
        elif name in SCALARS or name in PLACES or (name == "environment" and not origin.is_file):
            layer[(name,)] = entry
        else:
            raise _unknown(entry, key=name, valid=[*SCALARS, *PLACES, *OPEN_TABLES, *_table_keys()])
    return layer


def _is_for_production(name: str, said: object, *, origin: Origin) -> bool:
    """What the profile says of itself; one that says nothing is, if its name says so."""
    if said is None:
        return name.casefold() in _PRODUCTION_NAMES
    return TOGGLE.read(Entry(dotted((PROFILES, name, PRODUCTION)), said, origin))


def _table_entries(name: str, entry: Entry, *, under: KeyPath) -> Layer:
    """The Entries of one table of settings, or of the short form that may stand for it."""
    if not isinstance(entry.value, dict):
        return _spread((name,), entry)
    if name in NAMED:
        layer: dict[KeyPath, Entry] = {}
        for upstream, child in _children(entry.value, entry.origin, under=under):
            table = _children(_subtable(child), child.origin, under=(*under, upstream))
            keys = _known(table, TABLES[name])
            layer.update({(name, upstream, key): leaf for key, leaf in keys})
        return layer
    children = _children(entry.value, entry.origin, under=under)
    if name in TABLES:
        children = _known(children, TABLES[name])
    switch: Layer = {(name,): entry} if name in SWITCHES else {}
    return {**switch, **{(name, key): leaf for key, leaf in children}}


def _spread(path: KeyPath, entry: Entry) -> Layer:
    """The Entries for which a single value stands: one pace for all models, no attribution."""
    if path == ("pace_per_minute",):
        return {(*path, ALL_MODELS): entry}
    if path == ("attribution",):
        chosen = Attribution() if TOGGLE.read(entry) else Attribution(referer="", title="")
        return {
            (*path, "referer"): Entry(entry.key, chosen.referer, entry.origin),
            (*path, "title"): Entry(entry.key, chosen.title, entry.origin),
        }
    if len(path) == 1 and (path[0] in TABLES or path[0] in OPEN_TABLES):
        raise _no_table(entry)
    return {path: entry}


def _known(
    children: Iterable[tuple[str, Entry]], keys: tuple[str, ...]
) -> Iterator[tuple[str, Entry]]:
    """The children of a table, each of which must bear one of `keys`."""
    for key, entry in children:
        if key not in keys:
            raise _unknown(entry, key=key, valid=list(keys))
        yield key, entry


def _children(
    table: Mapping[str, object], origin: Origin, *, under: KeyPath
) -> Iterator[tuple[str, Entry]]:
    """The Entries of a table that stands at `under`, by their own key."""
    for key, value in table.items():
        yield key, Entry(dotted((*under, key)), value, origin)


def _subtable(entry: Entry) -> dict[str, object]:
    if isinstance(entry.value, dict):
        return entry.value
    raise _no_table(entry)


def _no_table(entry: Entry) -> SettingsError:
    """The value is not echoed: `openrouter = "…"` may well hold the key itself."""
    example = f"write [{entry.key}] on a line, and its keys below"
    return entry.problem("must be a table", hint=example)


def _table_keys() -> list[str]:
    """What may be meant by a key that stands outside its table."""
    fixed = [f"{name}.{key}" for name in ("openrouter", "attribution") for key in TABLES[name]]
    return [*TABLES, *fixed, PROFILES]


def _unknown(entry: Entry, *, key: str, valid: list[str]) -> SettingsError:
    hint = did_you_mean(key, valid) or f"valid keys: {', '.join(sorted(valid))}"
    return entry.problem("is not a setting", hint=hint)


def _refuse_slip(name: str) -> None:
    """Raise SettingsError if a variable was very probably meant to be one of ours."""
    meant = _MISTAKEN.get(name)
    if meant is None:
        matcher = SequenceMatcher(None, "", name.removeprefix(_PREFIX).upper(), autojunk=False)
        for known in VARIABLES:
            matcher.set_seq1(known.removeprefix(_PREFIX))
            if known.startswith(_PREFIX) and matcher.ratio() >= _LEAST_LIKENESS:
                meant = known
                break
    if meant is not None:
        message = f"environment: {name} is not a setting of UltrAI"
        raise SettingsError(message, hint=f"did you mean {meant}?")
