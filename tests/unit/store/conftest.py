from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ultrai.store.database import Database, open_database
from ultrai.store.history import SqlHistory


@pytest.fixture(scope="session")
def fresh_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database, made once."""
    path = tmp_path_factory.mktemp("fresh") / "ultrai.db"
    open_database(path).close()
    return path


@pytest.fixture
def path(tmp_path: Path, fresh_file: Path) -> Path:
    """A copy of it for one test."""
    home = tmp_path / "state"
    home.mkdir()
    return Path(shutil.copy(fresh_file, home / "ultrai.db"))


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with open_database(path) as database:
        yield database


@pytest.fixture
def history(database: Database) -> SqlHistory:
    return SqlHistory(database)
