"""HealthMemory over the database: what is known of models outlives the process."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select

from ultrai.policy.health import ModelHealth
from ultrai.store.tables import MODEL_HEALTH

if TYPE_CHECKING:
    from ultrai.store.database import Database


class SqlHealthMemory:
    """Fits `engine.ports.HealthMemory`. The Database is closed by whoever opened it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Mapping[str, ModelHealth]:
        """What is remembered, by model id. What cannot be read is forgotten. Raises StoreError."""
        return await self._database.read(self._load)

    def remember(self, health: Mapping[str, ModelHealth]) -> None:
        """Queue what has changed; returns at once.

        A later value of a model replaces the earlier, whichever process it comes from.
        """
        self._database.writer.remember(health)

    def _load(self) -> dict[str, ModelHealth]:
        query = select(MODEL_HEALTH.c.model_id, MODEL_HEALTH.c.payload)
        with self._database.engine.connect() as connection:
            rows = connection.execute(query).all()
        known: dict[str, ModelHealth] = {}
        for model_id, payload in rows:
            with suppress(msgspec.DecodeError):
                known[model_id] = msgspec.json.decode(payload, type=ModelHealth)
        return known
