"""Run by alembic: applies revisions on the connection that `schema` passes, in its transaction."""

from __future__ import annotations

from alembic import context

from ultrai.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
