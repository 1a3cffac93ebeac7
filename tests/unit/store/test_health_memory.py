from __future__ import annotations

import asyncio

from ultrai.policy.health import ModelHealth
from ultrai.store.database import open_database
from ultrai.store.health import SqlHealthMemory

BAD = ModelHealth(5, 1, 1_764_000_000.5, None, None, (100, 200), (300,))
GOOD = ModelHealth(first_token_ms=(1,), total_ms=(2,))


def test_health_outlives_the_process_and_the_latest_counts(path):
    with open_database(path) as database:
        memory = SqlHealthMemory(database)
        memory.remember({"a/b": GOOD, "c/d": GOOD})
        memory.remember({"a/b": BAD})
    with open_database(path) as database:
        SqlHealthMemory(database).remember({"c/d": BAD})
    with open_database(path) as database:
        assert asyncio.run(SqlHealthMemory(database).load()) == {"a/b": BAD, "c/d": BAD}


def test_what_cannot_be_read_is_forgotten(path):
    with open_database(path) as database:
        memory = SqlHealthMemory(database)
        memory.remember({"a/b": GOOD, "c/d": BAD})
        asyncio.run(database.writer.flush())
        with database.engine.connect() as connection:
            connection.exec_driver_sql("UPDATE model_health SET payload='[' WHERE model_id='a/b'")
        assert asyncio.run(memory.load()) == {"c/d": BAD}


def test_nothing_to_remember_starts_nothing(database):
    SqlHealthMemory(database).remember({})

    assert database.writer._thread is None


def test_nothing_is_known_at_first(database):
    assert asyncio.run(SqlHealthMemory(database).load()) == {}
