"""The tables, as SQLAlchemy Core metadata. The migrations build them; a test proves both agree.

Only types that SQLite and PostgreSQL share. Stamps are text in RFC 3339, UTC, milliseconds, so that
they sort as they read. There is no index for the search in prompts: no B-tree serves a substring,
so the search walks `runs_newest_first` and stops at its limit.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData()

# `search_text` is the prompt, case-folded: databases disagree about case beyond ASCII.
# `owner` names the process that writes the Run (see owners). `cost_nanos` is null while unknown.
RUNS = Table(
    "runs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("cocktail", Text),
    Column("prompt", Text, nullable=False),
    Column("search_text", Text, nullable=False),
    Column("cost_nanos", BigInteger),
    Column("cost_known", Boolean, nullable=False),
    Column("finished_at", Text),
    Column("owner", Text, nullable=False),
)
Index("runs_newest_first", RUNS.c.created_at.desc(), RUNS.c.id.desc())

# One row holds the Events that one Run had pending at one commit: JSON lines of `Event.to_dict()`.
EVENTS = Table(
    "events",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("first_seq", Integer, primary_key=True, autoincrement=False),
    Column("last_seq", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

MODEL_HEALTH = Table(
    "model_health",
    METADATA,
    Column("model_id", Text, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("updated_at", Text, nullable=False),
)
