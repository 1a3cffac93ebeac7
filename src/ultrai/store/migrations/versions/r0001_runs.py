"""Runs, their Events, and what is remembered of models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("cocktail", sa.Text()),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("cost_nanos", sa.BigInteger()),
        sa.Column("cost_known", sa.Boolean(), nullable=False),
        sa.Column("finished_at", sa.Text()),
        sa.Column("owner", sa.Text(), nullable=False),
    )
    op.create_index("runs_newest_first", "runs", [sa.text("created_at DESC"), sa.text("id DESC")])
    op.create_table(
        "events",
        sa.Column("run_id", sa.Text(), primary_key=True),
        sa.Column("first_seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "model_health",
        sa.Column("model_id", sa.Text(), primary_key=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
    )
