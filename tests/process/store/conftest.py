"""Stores to write to: a file, and a database of a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from playstream.process.store import Store, open_store
from tests.process.store.postgresql import Postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A server for all tests."""
    server = Postgresql()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that nobody has written to."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'runs.db'}"
    server: Postgresql = request.getfixturevalue("postgresql")
    return server.url(server.make_database())


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """That store, open."""
    with open_store(store_url) as opened:
        yield opened


@pytest.fixture
def database(postgresql: Postgresql) -> str:
    """One with an empty store."""
    name = postgresql.make_database()
    open_store(postgresql.url(name)).close()
    return name
