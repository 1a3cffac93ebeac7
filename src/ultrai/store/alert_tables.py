"""The tables of alerts. `scope` is the profile: each tells its own people.

`alert_marks` are the levels that were told, `alert_parcels` what is on its way to a sink,
`alert_moments` when something was last done, and what was found then.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from ultrai.store.tables import METADATA

MARKS = Table(
    "alert_marks",
    METADATA,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("epoch", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("since", Text, nullable=False),
)

# `next_try_at` lies ahead while a process is delivering: should it die, another one will.
PARCELS = Table(
    "alert_parcels",
    METADATA,
    Column("alert_id", Text, primary_key=True),
    Column("sink", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", Text, nullable=False),
    Column("problem", Text, nullable=False),
)

MOMENTS = Table(
    "alert_moments",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("found", Text),
)
