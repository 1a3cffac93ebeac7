"""The ledger: budgets, entries with their seals, and what is open."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the ledger's tables."""
    _create_budgets()
    _create_entries()
    _create_open()


def _create_budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("limit_nanos", sa.BigInteger(), nullable=False),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
    )
    op.create_table(
        "balances",
        sa.Column("budget", sa.Text(), primary_key=True),
        sa.Column("period_start", sa.Text(), primary_key=True),
        sa.Column("posted_nanos", sa.BigInteger(), nullable=False),
        sa.Column("held_nanos", sa.BigInteger(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.CheckConstraint("held_nanos >= 0", name="nothing_is_held_twice"),
    )


def _create_entries() -> None:
    whole, text = sa.BigInteger, sa.Text
    op.create_table(
        "ledger_entries",
        sa.Column("writer", text(), primary_key=True),
        sa.Column("seq", whole(), primary_key=True, autoincrement=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("at", text(), nullable=False),
        sa.Column("day", text(), nullable=False),
        sa.Column("began_at", text(), nullable=False),
        sa.Column("run_id", text(), nullable=False),
        sa.Column("slot", sa.Integer()),
        sa.Column("attempt", sa.Integer()),
        sa.Column("held_delta", whole(), nullable=False),
        sa.Column("posted_delta", whole(), nullable=False),
        sa.Column("unknown_delta", sa.Integer(), nullable=False),
        sa.Column("unsure_delta", whole(), nullable=False),
        sa.Column("cost_nanos", whole()),
        *(sa.Column(name, text()) for name in ("cost_state", "cost_raw", "outcome", "model")),
        *(sa.Column(name, text()) for name in ("upstream", "provider", "generation_id", "key")),
        *(sa.Column(name, text()) for name in ("environment", "user", "feature", "tags")),
        sa.Column("prompt_tokens", whole()),
        sa.Column("completion_tokens", whole()),
        sa.Column("reasoning_tokens", whole()),
        sa.Column("cached_tokens", whole()),
        sa.Column("normalised_prompt_tokens", whole()),
        sa.Column("normalised_completion_tokens", whole()),
        sqlite_with_rowid=False,
    )
    op.create_index("ledger_entries_of_run", "ledger_entries", ["run_id"])
    op.create_index("ledger_entries_by_time", "ledger_entries", ["began_at"])
    op.create_table(
        "ledger_seals",
        sa.Column("writer", text(), primary_key=True),
        sa.Column("last_seq", whole(), primary_key=True, autoincrement=False),
        sa.Column("first_seq", whole(), nullable=False),
        sa.Column("head", text(), nullable=False),
    )
    op.create_table(
        "ledger_chains",
        sa.Column("writer", text(), primary_key=True),
        sa.Column("next_seq", whole(), nullable=False),
        sa.Column("head", text(), nullable=False),
    )


def _create_open() -> None:
    op.create_table(
        "open_runs",
        sa.Column("run_id", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=False),
    )
    op.create_table(
        "open_attempts",
        sa.Column("run_id", sa.Text(), primary_key=True),
        sa.Column("slot", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.Text(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("posted_nanos", sa.BigInteger(), nullable=False),
        sa.Column("bound_nanos", sa.BigInteger()),
        sa.Column("generation_id", sa.Text()),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("first_try_at", sa.Text()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.Text()),
    )
