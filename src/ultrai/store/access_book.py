"""The access keys of a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import insert, select, update

from ultrai.domain.access import AccessKey, AccessScope
from ultrai.store.access_tables import ACCESS_KEYS
from ultrai.store.failures import damaged

if TYPE_CHECKING:
    from sqlalchemy import Row

    from ultrai.store.database import Database


@dataclass(frozen=True, slots=True)
class AccessBook:
    """Reads and changes the keys, on the calling thread. Raises StoreError."""

    database: Database

    def keys(self) -> Sequence[AccessKey]:
        """All there ever were, the oldest first."""
        query = select(ACCESS_KEYS).order_by(ACCESS_KEYS.c.created_at, ACCESS_KEYS.c.id)
        with self.database.engine.connect() as connection:
            return [self._key(row) for row in connection.execute(query)]

    def add(self, key: AccessKey) -> None:
        """One more."""
        values = {
            "id": key.id,
            "name": key.name,
            "digest": key.digest,
            "created_at": key.created_at,
            "scopes": _text(key.scopes),
            "models": _text(key.models),
            "per_minute": key.per_minute,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }
        with self.database.engine.begin() as connection:
            connection.execute(insert(ACCESS_KEYS).values(values))

    def revoke(self, key_id: str, at: str) -> None:
        """From now on it opens nothing; one that was revoked before stays so."""
        table = ACCESS_KEYS
        change = update(table).where(table.c.id == key_id, table.c.revoked_at.is_(None))
        with self.database.engine.begin() as connection:
            connection.execute(change.values(revoked_at=at))

    def _key(self, row: Row[Any]) -> AccessKey:
        try:
            return AccessKey(
                id=row.id,
                name=row.name,
                digest=row.digest,
                created_at=row.created_at,
                scopes=tuple(map(AccessScope, msgspec.json.decode(row.scopes))),
                models=tuple(msgspec.json.decode(row.models, type=list[str])),
                per_minute=row.per_minute,
                expires_at=row.expires_at,
                revoked_at=row.revoked_at,
            )
        except (msgspec.MsgspecError, ValueError) as error:
            raise damaged(self.database.path, row.id) from error


def _text(items: Sequence[str]) -> str:
    return msgspec.json.encode([str(item) for item in items]).decode()
