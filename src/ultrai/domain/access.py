"""Access keys: who may ask a server of ours, for what, and how much. No upstream sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

TAG = "access"
"""The tag by which the ledger knows the Runs of an access key, and its Budget holds for them."""


class AccessScope(StrEnum):
    """What a key may be used for."""

    ASK = "ask"  # ask, and see what it asked itself
    READ = "read"  # see everybody's Runs
    METRICS = "metrics"  # what monitors read


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One key. `digest` is the SHA-256 of the secret, in hex; the secret itself is kept nowhere.

    `models` are cocktails as `ultrai/NAME` and ids, with a `*` at the end for all that begin so;
    empty: all. `per_minute`: starts in any 60 seconds. Moments are stamps.
    """

    id: str
    name: str
    digest: str
    created_at: str
    scopes: tuple[AccessScope, ...] = (AccessScope.ASK,)
    models: tuple[str, ...] = ()
    per_minute: int | None = None
    expires_at: str | None = None
    revoked_at: str | None = None

    def is_valid(self, now: str) -> bool:
        """Whether it opens anything at that moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, model: str) -> bool:
        """Whether it may ask that cocktail or model."""
        wanted = model.casefold()
        return not self.models or any(_fits(pattern.casefold(), wanted) for pattern in self.models)

    @property
    def budget_name(self) -> str:
        """What its Budget is called, if it has one."""
        return f"{TAG}-{self.id}"

    def to_dict(self) -> dict[str, object]:
        """JSON types, without the digest."""
        return {
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at,
            "scopes": [scope.value for scope in self.scopes],
            "models": list(self.models),
            "per_minute": self.per_minute,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
        }


@dataclass(frozen=True, slots=True)
class NewAccess:
    """What a new key shall be. `limit_nanos` is over the period named `per`."""

    name: str
    scopes: Sequence[AccessScope] = (AccessScope.ASK,)
    models: Sequence[str] = ()
    per_minute: int | None = None
    expires_at: str | None = None
    limit_nanos: int | None = None
    per: str = "total"


def _fits(pattern: str, model: str) -> bool:
    if pattern.endswith("*"):
        return model.startswith(pattern[:-1])
    return model == pattern
