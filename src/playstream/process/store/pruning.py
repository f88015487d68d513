"""Removing old runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, false, func, literal, select, tuple_

from playstream.pipeline.errors import ConfigurationError
from playstream.process.store.engine import Store
from playstream.process.store.event_writer import remove_sets, sets_statement
from playstream.process.store.schema import hosts, plays, results, runs, tasks

_AT_ONCE = 20
"""Runs that are removed in one transaction, so that others can write between two."""
_PARTS = (results, hosts, tasks, plays)
"""The tables with the parts of a run. None comes before a table that refers to it, so that the database has nothing to
search for."""
_KEY = (runs.c.started, runs.c.id)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be."""

    runs: int
    """Number of runs."""
    results: int
    """Number of their results."""
    first: datetime | None
    """When the oldest of them started; None if there are none."""
    last: datetime | None
    """When the latest of them started."""


def prune_runs(
    store: Store, *, older_than: datetime | None = None, keep: int | None = None, dry_run: bool = False
) -> Pruned:
    """Remove old runs with all their parts, the oldest first.

    Args:
        store: the store.
        older_than: only runs that started before this time are removed; with a time zone.
        keep: the newest runs that stay, whatever their age; a number.
        dry_run: True to remove nothing.

    Returns:
        What was removed, or would be.

    Raises:
        ConfigurationError: neither condition is given, `keep` is negative, or `older_than` has no zone.
        StoreError: the store cannot be read or written. Runs that were removed before stay so; none is partly removed.
    """
    if older_than is None and keep is None:
        raise ConfigurationError("older_than or keep: expected at least one of them, got neither")
    if keep is not None and keep < 0:
        raise ConfigurationError(f"keep: expected 0 or more, got {keep}")
    if older_than is not None and older_than.tzinfo is None:
        raise ConfigurationError(f"older_than: the time {older_than.isoformat()} has no time zone")

    def look() -> Pruned:
        with store.read() as connection:
            row = connection.execute(sum_statement(_condition(connection, older_than, keep))).one()
            return Pruned(row[0], int(row[1] or 0), row[2], row[3])

    def remove() -> tuple[int, int, datetime, datetime] | None:
        with store.write() as connection:
            found = connection.execute(oldest_statement(_condition(connection, older_than, keep))).all()
            if not found:
                return None
            numbers = [row.id for row in found]
            remove_sets(connection, list(connection.execute(sets_statement(numbers)).scalars()))
            for table in _PARTS:
                connection.execute(delete(table).where(table.c.run_id.in_(numbers)))
            connection.execute(delete(runs).where(runs.c.id.in_(numbers)))
            return len(found), sum(row.results for row in found), found[0].started, found[-1].started

    if dry_run:
        return store.session().call(look)
    done = Pruned(0, 0, None, None)
    while (part := store.session().call(remove)) is not None:
        number, of_results, first, last = part
        done = Pruned(done.runs + number, done.results + of_results, done.first or first, last)
    return done


def sum_statement(condition: ColumnElement[bool]) -> Select[Any]:
    """Build the statement for what would be removed."""
    columns: list[ColumnElement[Any]] = [func.count(), func.sum(runs.c.results)]
    return select(*columns, func.min(runs.c.started), func.max(runs.c.started)).select_from(runs).where(condition)


def oldest_statement(condition: ColumnElement[bool]) -> Select[Any]:
    """Build the statement for the runs that are removed next."""
    return select(*_KEY, runs.c.results).where(condition).order_by(*_KEY).limit(_AT_ONCE)


def keep_statement(keep: int) -> Select[Any]:
    """Build the statement for the oldest run that stays, of which only newer ones do too."""
    return select(*_KEY).order_by(*(column.desc() for column in _KEY)).offset(keep - 1).limit(1)


def _condition(connection: Connection, older_than: datetime | None, keep: int | None) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    if older_than is not None:
        conditions.append(runs.c.started < older_than.astimezone(UTC))
    if keep:
        oldest = connection.execute(keep_statement(keep)).first()
        if oldest is None:
            return false()
        values = (literal(value, column.type) for value, column in zip(oldest, _KEY, strict=True))
        conditions.append(tuple_(*_KEY) < tuple_(*values))
    elif keep == 0:
        conditions.append(runs.c.id.is_not(None))
    return and_(*conditions)
