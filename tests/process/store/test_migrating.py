"""Versions of the tables: made once, migrated forwards, refused when newer."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text

from playstream.process.store import Store, StoreError, list_runs, migrate, open_store, schema
from tests.process.store.events import deployment


def set_version(store: Store, version: int) -> None:
    """As another version of playstream would have left it."""
    with store.read() as connection:
        connection.execute(text("UPDATE playstream_store SET version = :version"), {"version": version})


def read_version(store: Store) -> int:
    """What the store says."""
    with store.read() as connection:
        version: int = connection.execute(text("SELECT version FROM playstream_store")).scalar_one()
        return version


def add_column(connection: Connection) -> None:
    """A step of a version to come."""
    connection.execute(text("ALTER TABLE runs ADD COLUMN site VARCHAR(20)"))


def fill_column(connection: Connection) -> None:
    """Another one."""
    connection.execute(text("UPDATE runs SET site = 'here'"))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """This playstream is two versions later."""
    first = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", first + 2)
    monkeypatch.setattr(migrate, "STEPS", {**migrate.STEPS, first: add_column, first + 1: fill_column})


def test_a_newer_store_is_refused_and_left_alone(store_url: str) -> None:
    with open_store(store_url) as store:
        deployment().save(store)
        set_version(store, 99)
        for writable in (True, False):
            with pytest.raises(
                StoreError, match=rf"version 99 .* supports up to {schema.VERSION}\b.*pip install --upgrade playstream"
            ):
                open_store(store_url, writable=writable)
        assert read_version(store) == 99
        with pytest.raises(StoreError, match=r"migrated to version 99 .* nothing was written"):
            deployment("late").save(store)
        assert [run.ident for run in list_runs(store)] == ["nightly"]


@pytest.mark.parametrize("writable", [True, False])
def test_an_older_store_is_migrated_with_what_it_holds(
    store_url: str, writable: bool, request: pytest.FixtureRequest
) -> None:
    with open_store(store_url) as store:
        deployment().save(store)
    first = schema.VERSION
    request.getfixturevalue("later")
    with open_store(store_url, writable=writable) as store:
        assert read_version(store) == first + 2
        assert [run.ident for run in list_runs(store)] == ["nightly"]
        with store.read() as connection:
            assert connection.execute(text("SELECT site FROM runs")).scalars().all() == ["here"]


def test_a_migration_that_fails_changes_nothing(store_url: str, later: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(connection: Connection) -> None:
        connection.execute(text("UPDATE nothing SET site = 'here'"))

    first = schema.VERSION - 2
    with monkeypatch.context() as now:
        now.setattr(schema, "VERSION", first)
        with open_store(store_url) as store:
            deployment().save(store)
    monkeypatch.setattr(migrate, "STEPS", {first: add_column, first + 1: break_down})
    with pytest.raises(StoreError, match="nothing"):
        open_store(store_url)
    monkeypatch.setattr(schema, "VERSION", first)
    with open_store(store_url) as store, store.read() as connection:
        assert read_version(store) == first
        assert "site" not in {column["name"] for column in inspect(connection).get_columns("runs")}


def test_many_migrate_at_once(store_url: str, request: pytest.FixtureRequest) -> None:
    open_store(store_url).close()
    first = schema.VERSION
    request.getfixturevalue("later")

    def open_and_read(_: int) -> int:
        with open_store(store_url) as store:
            return read_version(store)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(open_and_read, range(6))) == [first + 2] * 6


def test_a_migration_waits_for_who_writes(store_url: str, request: pytest.FixtureRequest) -> None:
    ended: list[str] = []

    def migrate_here() -> None:
        open_store(store_url).close()
        ended.append("migration")

    with open_store(store_url) as store:
        with store.write() as connection:
            connection.execute(text("DELETE FROM runs"))
            request.getfixturevalue("later")
            migration = threading.Thread(target=migrate_here)
            migration.start()
            migration.join(0.3)
            ended.append("writer")
        migration.join(60)
    assert ended == ["writer", "migration"]


def test_tables_of_someone_else_are_left_alone(store_url: str) -> None:
    engine = create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE runs (kilometres INTEGER)"))
    with pytest.raises(StoreError, match="tables named runs that playstream did not create"):
        open_store(store_url)
    with engine.begin() as connection:
        assert inspect(connection).get_table_names() == ["runs"]
    engine.dispose()


@pytest.mark.parametrize("version", [0, -3, 2**31 - 1])
def test_an_impossible_version_is_refused_before_anything_runs(store_url: str, version: int) -> None:
    with open_store(store_url) as store:
        set_version(store, version)
    for writable in (True, False):
        with pytest.raises(StoreError, match=rf"version.*\W{version}\b"):
            open_store(store_url, writable=writable)


@pytest.mark.parametrize("version", ["newest", 2.5, b"\0", 1e300])
def test_sqlite_keeps_anything_as_a_version(tmp_path: Path, version: object) -> None:
    path = tmp_path / "runs.db"
    open_store(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE playstream_store SET version = ?", (version,))
    connection.close()
    for writable in (True, False):
        with pytest.raises(StoreError, match=r"damaged: expected an integer of 1 or more as the version"):
            open_store(str(path), writable=writable)


@pytest.mark.parametrize(
    ("change", "named"),
    [("DROP TABLE results", "results"), ("ALTER TABLE runs DROP COLUMN explanation", "explanation")],
)
def test_a_table_or_column_that_is_missing_is_told_before_anything_runs(
    store_url: str, change: str, named: str
) -> None:
    with open_store(store_url) as store:
        with store.read() as connection:
            connection.execute(text(change))
        for writable in (True, False):
            said = rf"damaged: it has version {schema.VERSION} of the tables, but .*\b{named}\b"
            with pytest.raises(StoreError, match=said):
                open_store(store_url, writable=writable)


def test_a_damaged_store_says_so(store_url: str) -> None:
    with open_store(store_url) as store:
        with store.read() as connection:
            connection.execute(text("DELETE FROM playstream_store"))
        with pytest.raises(StoreError, match="damaged"):
            open_store(store_url)
        with store.read() as connection:
            connection.execute(text("DROP TABLE playstream_store"))
        with pytest.raises(StoreError, match="lost its tables"):
            deployment().save(store)
