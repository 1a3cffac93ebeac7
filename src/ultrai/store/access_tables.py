"""The table of access keys. Lists are JSON text; the secret is not in it, only its SHA-256."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from ultrai.store.tables import METADATA

ACCESS_KEYS = Table(
    "access_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("per_minute", Integer),
    Column("expires_at", Text),
    Column("revoked_at", Text),
)
