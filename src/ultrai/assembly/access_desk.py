"""`UltrAI.access`: the keys to a server of our own."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ultrai.domain.access import TAG, AccessKey, NewAccess
from ultrai.domain.budget import Budget, Period, Scope
from ultrai.domain.errors import NotFound, UsageError
from ultrai.domain.stamp import stamp
from ultrai.policy.access_tokens import digest_of, token_of

if TYPE_CHECKING:
    from ultrai.engine.ports import Clock
    from ultrai.store.database import Database

_ID_BYTES = 6
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class AccessDesk:
    """Makes, lists and revokes access keys. Every method raises StoreError."""

    database: Database
    clock: Clock

    def now(self) -> str:
        """The stamp of this moment, which keys expire by."""
        return stamp(self.clock.now())

    async def keys(self) -> Sequence[AccessKey]:
        """All there ever were, the oldest first."""
        from ultrai.store.access_book import AccessBook

        return await self.database.read(AccessBook(self.database).keys)

    async def create(self, wanted: NewAccess) -> tuple[AccessKey, str]:
        """A new key, and the token that is never to be had again."""
        from ultrai.store.access_book import AccessBook
        from ultrai.store.budget_book import BudgetBook

        key_id = secrets.token_hex(_ID_BYTES)
        token = token_of(key_id, secrets.token_urlsafe(_SECRET_BYTES))
        key = AccessKey(
            id=key_id,
            name=wanted.name,
            digest=digest_of(token),
            created_at=self.now(),
            scopes=tuple(wanted.scopes),
            models=tuple(wanted.models),
            per_minute=wanted.per_minute,
            expires_at=wanted.expires_at,
        )

        def add() -> None:
            if wanted.limit_nanos is not None:  # first: no key is ever without its ceiling
                BudgetBook(self.database).set(_budget(key, wanted))
            AccessBook(self.database).add(key)

        await self.database.read(add)
        return key, token

    async def revoke(self, name: str) -> AccessKey:
        """Let the key of that id or name open nothing more. Raises NotFound and UsageError."""
        from ultrai.store.access_book import AccessBook
        from ultrai.store.budget_book import BudgetBook

        key = _named(await self.keys(), name)

        def revoke() -> None:
            AccessBook(self.database).revoke(key.id, self.now())
            with suppress(NotFound):
                BudgetBook(self.database).remove(key.budget_name)

        await self.database.read(revoke)
        return _named(await self.keys(), key.id)


def _budget(key: AccessKey, wanted: NewAccess) -> Budget:
    return Budget(
        name=key.budget_name,
        scope=Scope.TAG,
        subject=f"{TAG}={key.id}",
        period=Period(wanted.per),
        limit_nanos=wanted.limit_nanos or 0,
    )


def _named(keys: Sequence[AccessKey], name: str) -> AccessKey:
    found = [key for key in keys if key.id == name]
    found = found or [key for key in keys if key.name == name and key.revoked_at is None]
    if len(found) > 1:
        raise UsageError(f"several keys are called {name!r}", hint="name one by its id")
    if not found:
        raise NotFound(f"there is no access key {name!r}", hint="list them: ultrai access ls")
    return found[0]
