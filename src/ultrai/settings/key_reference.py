"""KeyReference: where a key is kept, and how it is read there, again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from ultrai.domain.errors import CredentialsError
from ultrai.domain.secret import Secret
from ultrai.settings.places import World
from ultrai.settings.secrets import STORES, resolve, scheme_of

_FILE_FRESH_S: Final = 5.0
_STORE_FRESH_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class KeyReference:
    """A place that keeps a key, such as `vault:secret/ultrai#openrouter`.

    `where` is what errors call it. `refused` holds the
    fingerprints of keys that may not be used here. `seen` gathers what was read, to be masked.
    """

    text: str
    where: str = field(compare=False)
    world: World = field(repr=False, compare=False)
    refused: frozenset[str] = frozenset()
    seen: list[Secret] = field(default_factory=list, repr=False, compare=False)

    @property
    def is_slow(self) -> bool:
        """Whether it leads to a store, which answers over a network or asks a person."""
        return scheme_of(self.text) in STORES

    @property
    def fresh_s(self) -> float:
        """How long a key that was read counts as the one that is kept, in seconds."""
        return _STORE_FRESH_S if self.is_slow else _FILE_FRESH_S

    @property
    def identity(self) -> str:
        """Names the key in the ledger; it stays while the key is replaced, and tells no part of it.

        The address of the store is a part of it: two stores may call two keys the same.
        """
        is_vault = scheme_of(self.text) == "vault"
        address = self.world.environ.get("VAULT_ADDR", "") if is_vault else ""
        return f"ref-{sha256(f'{self.text} {address}'.encode()).hexdigest()[:12]}"

    def read(self) -> Secret:
        """The key that is kept there now. Blocks; raises CredentialsError."""
        try:
            key = resolve(self.text, world=self.world, folder=self.world.cwd)
        except CredentialsError as error:
            raise CredentialsError(f"{self.where}: {error}", hint=error.hint) from None
        if key not in self.seen:
            self.seen.append(key)
        if key.fingerprint in self.refused:
            raise CredentialsError(
                f"{self.where}: leads to a key of another profile, and this one is for production",
                hint="give each profile a key of its own",
            )
        return key
