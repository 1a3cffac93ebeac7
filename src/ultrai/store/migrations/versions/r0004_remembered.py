"""Alerts remember figures that are dear to read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give every moment room for what was found then."""
    op.add_column("alert_moments", sa.Column("found", sa.Text()))
