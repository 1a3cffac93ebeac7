"""Keys and the references that stand for them, such as `env:NAME` and `file:/path`.

A reference keeps a key out of settings files. Each scheme has a Resolver; a further secret store is
one more row in `RESOLVERS`. What is raised here never echoes a key, not even a malformed one.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from ultrai.domain.errors import CredentialsError
from ultrai.domain.secret import Secret
from ultrai.settings.cloud_stores import (
    from_key_vault,
    from_kms,
    from_secret_manager,
    from_secrets_manager,
)
from ultrai.settings.places import World
from ultrai.settings.secret_stores import from_keyring, from_vault
from ultrai.settings.store_forms import FORMS


class Resolver(Protocol):
    """How the references of one scheme are followed."""

    def __call__(self, rest: str, *, world: World, folder: Path) -> str:
        """The key behind `rest`, what follows the scheme; else CredentialsError."""


STORES: Final = frozenset(FORMS)
"""Schemes that lead to a store. It is asked when the key is used, never when settings load."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*):")
_LONGEST_KEY = 4096
_OTHERS_MAY: Final = stat.S_IROTH | stat.S_IWOTH


def is_reference(text: str) -> bool:
    """Whether `text` stands for a key kept elsewhere: it begins with a known scheme."""
    return scheme_of(text) is not None


def is_rereadable(text: str) -> bool:
    """Whether what `text` leads to may be another key tomorrow, without a new process."""
    return scheme_of(text) in STORES | {"file"}


def canonical(text: str, *, world: World, folder: Path) -> str:
    """A reference in the one spelling that all its spellings share: to compare two."""
    scheme = scheme_of(text) or ""
    rest = text.strip().partition(":")[2].strip()
    if scheme == "file" and rest and rest.isprintable():
        rest = os.path.normpath(world.path(rest, folder=folder))
    return f"{scheme}:{rest}"


def check(text: str) -> None:
    """Raise CredentialsError if a reference to a store can lead nowhere as it is written."""
    scheme = scheme_of(text)
    form = FORMS.get(scheme or "")
    if form is not None:
        form.match(text.strip().partition(":")[2])


def resolve(text: str, *, world: World, folder: Path) -> Secret:
    """The key that `text` is or stands for. Raises CredentialsError with what to do about it.

    `folder` is where a relative `file:` path starts.
    """
    scheme = scheme_of(text)
    if scheme is None:
        return _checked(text)
    rest = text.strip().partition(":")[2]
    found = RESOLVERS[scheme](rest, world=world, folder=folder)
    if is_reference(found):
        raise CredentialsError(
            f"the {scheme}: reference leads to another reference",
            hint="let it lead to the key itself",
        )
    return _checked(found)


def from_environment(rest: str, *, world: World, folder: Path) -> str:
    """The value of the variable called `rest`; `folder` plays no part."""
    del folder
    if not _VARIABLE.fullmatch(rest):
        raise CredentialsError(
            "env: is not followed by the name of an environment variable",
            hint="write env:NAME, for example env:MY_OPENROUTER_KEY",
        )
    value = world.environ.get(rest, "")
    if not value.strip():
        raise CredentialsError(f"the environment variable {rest} is not set", hint=f"set {rest}")
    return value


def from_file(rest: str, *, world: World, folder: Path) -> str:
    """The only line of a file that no stranger on this machine may read or change."""
    if not rest or not rest.isprintable():
        raise CredentialsError("file: is not followed by a path", hint="write file:/path/to/key")
    path = world.path(rest, folder=folder)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_LONGEST_KEY + 1)
    except OSError as error:
        raise CredentialsError(
            f"the key file {path} cannot be read: {error.strerror}",
            hint="write the key into it, or mend the reference",
        ) from None
    if os.name == "posix" and mode & _OTHERS_MAY:
        raise CredentialsError(
            f"the key file {path} is open to every user of this machine",
            hint=f"chmod 600 {path} (a mounted container secret: mode 0400)",
        )
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise CredentialsError(f"the key file {path} holds no text") from None
    if not text:
        raise CredentialsError(f"the key file {path} is empty", hint="write the key into it")
    return text


RESOLVERS: Final[Mapping[str, Resolver]] = MappingProxyType(
    {
        "env": from_environment,
        "file": from_file,
        "keyring": from_keyring,
        "vault": from_vault,
        "aws-sm": from_secrets_manager,
        "aws-kms": from_kms,
        "azure-kv": from_key_vault,
        "gcp-sm": from_secret_manager,
    }
)


def scheme_of(text: str) -> str | None:
    """The scheme of a reference; None for anything else."""
    match = _SCHEME.match(text.strip())
    scheme = match.group(1).casefold() if match else ""
    return scheme if scheme in RESOLVERS else None


def _checked(key: str) -> Secret:
    """The key without blanks around it, if it can stand in a header."""
    stripped = key.strip()
    if not stripped:
        raise CredentialsError("the key is empty")
    if len(stripped) > _LONGEST_KEY:
        raise CredentialsError(f"the key is longer than {_LONGEST_KEY} characters")
    if not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise CredentialsError(
            "the key holds a blank, a line break or a character that no key has",
            hint="copy it again, without anything around it",
        )
    if "://" in stripped:
        raise CredentialsError(
            "the key looks like a reference of an unknown kind",
            hint=f"known are {', '.join(f'{s}:' for s in RESOLVERS)}",
        )
    return Secret(stripped)
