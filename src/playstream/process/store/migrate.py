"""The version of a store's schema: making the tables, migrating older ones, refusing newer ones.

Whoever makes or migrates tables holds a lock, and everyone who writes holds it with others, so a store changes its
version between two runs and never within one's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, false, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from playstream.pipeline.errors import StoreError
from playstream.process.store import schema

Step = Callable[[Connection], None]

STEPS: Mapping[int, Step] = {}
"""By version: what makes the next one of it. A step names tables and columns itself, as `schema` goes on changing."""

_WHAT_NOW = "Restore it from a copy, or begin a new one"
_MISSING = ("42P01", "42703")
"""PostgreSQL's words for a table and a column that are not there (SQLSTATE)."""
_LOCK = 0x706C6179
"""Of PostgreSQL's advisory locks, which are by database: `play` in ASCII."""


def prepare(connection: Connection, shown: str, *, may_write: bool, may_create: bool) -> bool:
    """See that the store has this version's tables; make or migrate them if it has not.

    Args:
        connection: in a transaction, which writes if `may_write`.
        shown: the store's URL without password.
        may_write: False to look only.
        may_create: False if a store without tables is an error.

    Returns:
        False if there is something to do that `may_write` does not allow.

    Raises:
        StoreError: it was made by a newer version, or there are others' tables, or there is none; or its version or
            its tables are not what any playstream makes.
    """
    if may_write and connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = _read_version(connection, shown)
    if found is None:
        if not may_create:
            raise StoreError(f"there is no store {shown}: the database is there, and nothing has been written to it")
        if may_write:
            _create(connection, shown)
        return may_write
    if found > schema.VERSION:
        raise StoreError(
            f"the store {shown} has version {found} of the tables and this playstream knows up to {schema.VERSION}. A "
            "newer one has written to it: pip install --upgrade playstream"
        )
    if found < schema.VERSION and may_write:
        for version in range(found, schema.VERSION):
            STEPS[version](connection)
        write_version(connection)
    if found == schema.VERSION:
        _check_tables(connection, shown)
    return found == schema.VERSION or may_write


def write_version(connection: Connection) -> None:
    """Say that the tables are of this version."""
    connection.execute(update(schema.version).values(version=schema.VERSION))


def require_current(connection: Connection, shown: str) -> None:
    """See, within a transaction that writes, that the tables are still this version's, and keep them so to its end.

    Raises:
        StoreError: they are not.
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
            f"the store {shown} is damaged: its table {schema.version.name} has {len(found)} rows, not 1. "
            f"{_WHAT_NOW}"
        )
    number = found[0]
    if type(number) is not int or number < 1:
        raise StoreError(
            f"the store {shown} is damaged: it says that it has version {str(number)[:20]!r} of the tables, and "
            f"expected is a number from 1. {_WHAT_NOW}"
        )
    return number


def _check_tables(connection: Connection, shown: str) -> None:
    """Name every column, which costs nothing, and tells which is missing."""
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
            f"the database {shown} has tables of someone else's by the name {', '.join(sorted(there))}. Give the store "
            "a database of its own"
        )
    schema.metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(schema.version).values(version=schema.VERSION))
