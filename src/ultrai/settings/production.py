"""What a profile for production must not do: ask with a key that another profile uses.

A test that runs away would spend the money and the rate limit of production, and whoever may read
the settings of a test could ask as production does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ultrai.domain.errors import CredentialsError
from ultrai.settings.entry import Entry, KeyPath, shown
from ultrai.settings.layers import FileLayers, Layer
from ultrai.settings.places import World
from ultrai.settings.secrets import STORES, canonical, is_reference, resolve, scheme_of

_KEY: Final = "api_key"


def keys_of_others(
    merged: Layer, file: FileLayers, *, environment: str | None, world: World
) -> frozenset[str]:
    """The fingerprints of all keys that a profile for production must not use; else none.

    Raises SettingsError if one of its own is among them, by value or by reference. A key in a store
    is not read here: its fingerprint is compared when it is.
    """
    if environment is None or environment not in file.production:
        return frozenset()
    owners = {
        mark: (name, entry)
        for name, layer in file.profiles.items()
        if name != environment
        for entry in _keys({**file.own, **layer})
        for mark in _marks(entry, world)
    }
    for entry in _keys(merged):
        for mark in _marks(entry, world):
            if mark in owners:
                name, _ = owners[mark]
                raise entry.problem(
                    f"is also the key of profile {shown(name)}, "
                    f"and profile {shown(environment)} is for production",
                    hint="give each profile a key of its own (api_key in [profiles.NAME.…])",
                )
    return frozenset(owners)


def _keys(layer: Layer) -> Iterator[Entry]:
    """What asks models; a key that manages keys belongs to the account, and may be one for all."""
    for path, entry in layer.items():
        if not (_asks(path) and isinstance(entry.value, str) and entry.value.strip()):
            continue
        # One that stands in the file itself is the placeholder of a server on this machine.
        if is_reference(entry.value) or not entry.origin.is_file:
            yield entry


def _asks(path: KeyPath) -> bool:
    return path[-1] == _KEY and path[0] in {"openrouter", "upstreams"}


def _marks(entry: Entry, world: World) -> Iterator[str]:
    """What tells whether two entries lead to one key: the reference, and where known the key."""
    text = str(entry.value).strip()
    scheme = scheme_of(text)
    if scheme is not None:
        yield canonical(text, world=world, folder=entry.origin.folder)
    if scheme not in STORES:
        try:
            yield resolve(text, world=world, folder=entry.origin.folder).fingerprint
        except CredentialsError:
            return  # whoever uses that profile is told
