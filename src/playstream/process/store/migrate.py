"""The version of a store's schema: creating the tables, migrating older ones, rejecting newer ones.

Creating or migrating tables takes an exclusive lock, and writing takes a shared one, so the version of a store only
changes between two runs and never within a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, false, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from playstream.pipeline.errors import StoreError
from playstream.process.store import schema

Step = Callable[[Connection], None]


def _add_label_and_directory(connection: Connection) -> None:
    for name in ("label", "directory"):
        connection.execute(text(f"ALTER TABLE runs ADD COLUMN {name} VARCHAR(255)"))
        connection.execute(text(f"CREATE INDEX runs_by_{name} ON runs ({name}, status, started)"))


def _add_events(connection: Connection) -> None:
    postgresql = connection.dialect.name == "postgresql"
    key, reference = ("BIGSERIAL PRIMARY KEY", "BIGINT") if postgresql else ("INTEGER NOT NULL PRIMARY KEY", "INTEGER")
    time, number, data = ("TIMESTAMPTZ", "FLOAT", "BYTEA") if postgresql else ("DATETIME", "FLOAT", "BLOB")
    connection.execute(text("ALTER TABLE runs ADD COLUMN kept_events BIGINT"))
    connection.execute(
        text(
            f"CREATE TABLE event_sets (id {key}, run_id {reference} UNIQUE REFERENCES runs (id) ON DELETE CASCADE, "
            f"touched {time} NOT NULL)"
        )
    )
    connection.execute(
        text(
            f"CREATE TABLE event_blocks (set_id {reference} NOT NULL REFERENCES event_sets (id) ON DELETE CASCADE, "
            f"number INTEGER NOT NULL, events INTEGER NOT NULL, last BIGINT NOT NULL, first_moment {number}, "
            f"last_moment {number}, tasks TEXT NOT NULL, size BIGINT NOT NULL, data {data} NOT NULL, "
            "PRIMARY KEY (set_id, number))"
        )
    )


STEPS: Mapping[int, Step] = {1: _add_label_and_directory, 2: _add_events}
"""The step from each version to the next. A step names tables and columns itself, because `schema` changes."""

_WHAT_NOW = "Restore it from a backup, or start a new one"
_MISSING = ("42P01", "42703")
"""PostgreSQL's SQLSTATE for a missing table and a missing column."""
_LOCK = 0x706C6179
"""Number of the advisory lock in the PostgreSQL database: `play` in ASCII."""


def prepare(connection: Connection, shown: str, *, may_write: bool, may_create: bool) -> bool:
    """Check that the store has the tables of this version; create or migrate them if it does not.

    Args:
        connection: a connection in a transaction, which writes if `may_write`.
        shown: the store's URL without password.
        may_write: False to only check.
        may_create: False if a store without tables is an error.

    Returns:
        False if something has to be done but `may_write` is False.

    Raises:
        StoreError: it was created by a newer version, has other tables, or does not exist; or its version or its tables
            are not those of any playstream.
    """
    if may_write and connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = _read_version(connection, shown)
    if found is None:
        if not may_create:
            raise StoreError(f"there is no store {shown}: the database exists, but nothing has been written to it")
        if may_write:
            _create(connection, shown)
        return may_write
    if found > schema.VERSION:
        raise StoreError(
            f"the store {shown} has version {found} of the tables, and this playstream supports up to "
            f"{schema.VERSION}. A newer playstream has written to it: run pip install --upgrade playstream"
        )
    if found < schema.VERSION and may_write:
        for version in range(found, schema.VERSION):
            STEPS[version](connection)
        write_version(connection)
    if found == schema.VERSION:
        _check_tables(connection, shown)
    return found == schema.VERSION or may_write


def write_version(connection: Connection) -> None:
    """Record that the tables have this version."""
    connection.execute(update(schema.version).values(version=schema.VERSION))


def require_current(connection: Connection, shown: str) -> None:
    """Check, in a transaction that writes, that the tables still have this version, and lock it until the end.

    Raises:
        StoreError: they do not.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": _LOCK})
    found = _read_version(connection, shown)
    if found != schema.VERSION:
        was = "has lost its tables" if found is None else f"has been migrated to version {found} of the tables"
        raise StoreError(f"the store {shown} {was} since this run began; nothing was written")


def _read_version(connection: Connection, shown: str) -> int | None:
    if not inspect(connection).has_table(schema.version.name):
        return None
    found = connection.execute(select(schema.version.c.version)).scalars().all()
    if len(found) != 1:
        raise StoreError(
            f"the store {shown} is damaged: its table {schema.version.name} has {len(found)} rows, not 1. {_WHAT_NOW}"
        )
    number = found[0]
    if type(number) is not int or number < 1:
        raise StoreError(
            f"the store {shown} is damaged: expected an integer of 1 or more as the version of its tables, got "
            f"{str(number)[:20]!r}. {_WHAT_NOW}"
        )
    return number


def _check_tables(connection: Connection, shown: str) -> None:
    """Select every column without reading rows, which shows whether one is missing."""
    for table in schema.metadata.sorted_tables:
        try:
            connection.execute(select(*table.c).where(false()))
        except DBAPIError as error:
            said = " ".join(str(error.orig).split())
            if getattr(error.orig, "sqlstate", None) not in _MISSING and not said.startswith("no such "):
                raise
            raise StoreError(
                f"the store {shown} is damaged: it has version {schema.VERSION} of the tables, but {said}. {_WHAT_NOW}"
            ) from None


def _create(connection: Connection, shown: str) -> None:
    there = set(inspect(connection).get_table_names()) & set(schema.metadata.tables)
    if there:
        raise StoreError(
            f"the database {shown} already has tables named {', '.join(sorted(there))} that playstream did not create. "
            "Use a separate database for the store"
        )
    schema.metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(schema.version).values(version=schema.VERSION))
