"""Load settings: defaults < ultrai.toml < its profile < environment < flags.

Each place becomes a layer of Entries by key path; their union, later ones winning, is read into one
`Settings`. This is the one home of `os.environ`. Whatever the places hold, the outcome is Settings
or a SettingsError of one line that names file and key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ultrai.domain.errors import SettingsError
from ultrai.settings.alerts import read_alerts
from ultrai.settings.budgets import read_budgets
from ultrai.settings.cocktails import CocktailFile
from ultrai.settings.entry import Entry, Origin
from ultrai.settings.layers import FileLayers, Layer, environment_layer, file_layers, flatten
from ultrai.settings.model import DEFAULT_BASE_URL, Settings
from ultrai.settings.network import proxy_for
from ultrai.settings.otel import exports_traces
from ultrai.settings.places import World
from ultrai.settings.production import keys_of_others
from ultrai.settings.schema import SCALARS
from ultrai.settings.tables import (
    read_attribution,
    read_base_url,
    read_cocktails,
    read_key,
    read_paces,
    read_upstreams,
)

_EMBEDDED_DATABASE: Final = "sqlite:///"
_POSTGRESQL: Final = ("postgres:", "postgresql:", "postgresql+")
_VALKEY: Final = ("valkey://", "valkeys://", "redis://", "rediss://", "unix://")


def load(
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """The settings in force.

    `config` is a settings file that must exist; without it `./ultrai.toml`, else the user's, is
    read if it exists. `environ` and `cwd` default to the process's. `flags` are settings by name
    (nested as in the file); None stands for a flag that was not given.

    Raises SettingsError. A key that is named but cannot be had is no error here: see
    `Settings.key_problem`.
    """
    world = _world(environ, cwd)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    from_flags = flatten(given, Origin("flags", world.cwd))
    from_environment = environment_layer(world.environ, world.cwd)
    environment = _environment({**from_environment, **from_flags})
    source = world.settings_file(config)
    file = file_layers(source, environment) if source else FileLayers()
    layers = (file.own, file.of(environment), from_environment, from_flags)
    merged = {path: entry for layer in layers for path, entry in layer.items()}
    refused = keys_of_others(merged, file, environment=environment, world=world)
    wishes = Wishes(merged, environment, refused)
    settings = _settings(wishes, world, cocktails=read_cocktails(layers, world))
    return replace(settings, environment=environment, source=source)


def file_to_edit(
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Path:
    """The settings file that `load` reads with these arguments; where there is none, the user's."""
    world = _world(environ, cwd)
    return world.settings_file(config) or world.user_settings_file()


@dataclass(frozen=True, slots=True)
class Wishes:
    """All layers in one, for which profile, and the fingerprints of keys that it must not use."""

    merged: Layer
    environment: str | None
    refused: frozenset[str]


def _settings(wishes: Wishes, world: World, *, cocktails: CocktailFile) -> Settings:
    """All layers read into one value."""
    merged, refused = wishes.merged, wishes.refused
    base_url_entry = merged.get(("openrouter", "base_url"))
    base_url = read_base_url(base_url_entry) if base_url_entry else DEFAULT_BASE_URL
    found = read_key(merged.get(("openrouter", "api_key")), world, refused=refused)
    manager = read_key(merged.get(("openrouter", "management_key")), world)
    settings = Settings(
        home=_home(merged.get(("home",)), world),
        key=found.key,
        key_reference=found.reference,
        key_problem=found.problem,
        management_key=manager.key,
        management_key_reference=manager.reference,
        management_key_problem=manager.problem,
        base_url=base_url,
        proxy=proxy_for(base_url, world.environ),
        database_url=_database_url(merged.get(("database_url",))),
        valkey_url=_valkey_url(merged.get(("valkey_url",))),
        pace_per_minute=read_paces(merged),
        attribution=read_attribution(merged),
        cocktails=cocktails.cocktails,
        corrections=cocktails.corrections,
        successions=cocktails.successions,
        upstreams=read_upstreams(merged, world, refused=refused),
        alerts=read_alerts(merged, world),
        traces=exports_traces(world.environ),
    )
    budgets = read_budgets(merged, key=settings.key_identity, environment=wishes.environment)
    scalars: dict[str, Any] = {
        name: rule.read(merged[(name,)]) for name, rule in SCALARS.items() if (name,) in merged
    }
    return replace(settings, budgets=budgets, **scalars)


def _world(environ: Mapping[str, str] | None, cwd: Path | None) -> World:
    try:
        folder = Path.cwd() if cwd is None else cwd.absolute()
    except OSError as error:
        message = f"the working directory cannot be used: {error.strerror}"
        raise SettingsError(message, hint="change to a folder that exists") from None
    return World(dict(os.environ if environ is None else environ), folder)


def _environment(layer: Layer) -> str | None:
    """The name of the profile, if one is chosen."""
    entry = layer.get(("environment",))
    return (entry.text().strip() or None) if entry else None


def _home(entry: Entry | None, world: World) -> Path:
    """The state directory, absolute; whether it can be made is the store's business."""
    text = entry.text().strip() if entry else ""
    return world.path(text, folder=entry.origin.folder) if entry and text else world.state_home()


def _database_url(entry: Entry | None) -> str | None:
    """An SQLite address, or None for the database in the state directory. Never echoed."""
    text = entry.text().strip() if entry else ""
    if not entry or not text:
        return None
    if text.casefold().startswith(_POSTGRESQL):
        return text
    if not text.startswith(_EMBEDDED_DATABASE):
        raise entry.problem(
            f"must start with {_EMBEDDED_DATABASE} or postgresql://", hint="or leave it unset"
        )
    return text


def _valkey_url(entry: Entry | None) -> str | None:
    """The address as it is written, or None for no server."""
    text = entry.text().strip() if entry else ""
    if not entry or not text:
        return None
    if not text.casefold().startswith(_VALKEY):
        raise entry.problem(
            "must start with valkey://, valkeys:// (TLS) or unix://", hint="or leave it unset"
        )
    if find_spec("valkey") is None:
        raise entry.problem(
            "needs the extra 'valkey'", hint="install it: pip install 'ultrai[valkey]'"
        )
    return text
