"""Reading rows in parts, each in its own transaction.

The consumer may be slow. While a transaction waits for it, the log of a SQLite store grows, or writers wait if there is
no log; a server keeps rows that others have deleted, or ends the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, RowMapping, Select, literal, tuple_

from playstream.pipeline.errors import StoreError
from playstream.process.store.engine import Store

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fill:
    """How to fetch complete rows by their number, if finding the numbers is a costly query of its own.

    Args:
        statement: selects complete rows.
        number: the column that identifies them.
        at_once: number of complete rows that are fetched and held at once.
    """

    statement: Select[Any]
    number: Column[int]
    at_once: int

    def part(self, numbers: Sequence[int]) -> Select[Any]:
        """Return the statement for these rows, in any order."""
        return self.statement.where(self.number.in_(numbers))


@dataclass(frozen=True, slots=True)
class Question:
    """A query that is read in parts.

    Args:
        statement: sorted by the columns of `key`, all in the same direction.
        key: columns that together identify a row, by their names in the rows.
        at_once: number of rows that are fetched and held at once.
        descending: whether the rows are sorted in descending order.
        limit: maximum number of rows; None for all.
        same: a statement with one value that must not change from one part to the next; None for nothing.
        fill: the query for complete rows instead of these; rows that were removed meanwhile are omitted.
    """

    statement: Select[Any]
    key: dict[str, Column[Any]]
    at_once: int
    descending: bool = False
    limit: int | None = None
    same: Select[Any] | None = None
    fill: Fill | None = None

    def part(self, after: RowMapping | None, size: int) -> Select[Any]:
        """Return the statement for `size` rows after the row `after`; for the first rows if it is None."""
        if after is None:
            return self.statement.limit(size)
        columns = tuple_(*self.key.values())
        values = tuple_(*(literal(after[name], column.type) for name, column in self.key.items()))
        return self.statement.where(columns < values if self.descending else columns > values).limit(size)


def stream(store: Store, question: Question, convert: Callable[[RowMapping], _T]) -> Generator[_T, None, None]:
    """Yield the converted rows; at most `at_once` are held, and no transaction is open while one is yielded.

    Raises:
        StoreError: when iterating; the store cannot be read, or the data has changed meanwhile.
    """
    session = store.session()
    parts = read_parts(store, question)
    try:
        while (rows := session.call(lambda: next(parts, None), parts.close)) is not None:
            for row in rows:
                try:
                    found = convert(row)
                except (ValueError, TypeError, RecursionError) as error:
                    raise store.damaged(error) from None
                yield found
    finally:
        if not session.abandoned:  # otherwise the session releases them
            session.call(parts.close)


def read_parts(store: Store, question: Question) -> Generator[Sequence[RowMapping], None, None]:
    """Yield the rows in parts, on one connection.

    Raises:
        StoreError: as `stream`.
    """
    left = question.limit
    after = known = None
    with store.connect() as connection:
        while left is None or left > 0:
            size = question.at_once if left is None else min(left, question.at_once)
            with store.begin(connection):
                rows = connection.execute(question.part(after, size)).mappings().all()
                found = None if question.same is None else connection.execute(question.same).scalar()
            if after is not None and found != known:
                raise StoreError(f"the run was removed from the store {store.shown} while it was read")
            if rows and question.fill is None:
                yield rows
            elif question.fill is not None:
                yield from _fill(store, connection, question.fill, [row[question.fill.number.name] for row in rows])
            if len(rows) < size:
                return
            left = None if left is None else left - len(rows)
            after, known = rows[-1], found


def _fill(
    store: Store, connection: Connection, fill: Fill, numbers: Sequence[int]
) -> Generator[Sequence[RowMapping], None, None]:
    """Yield complete rows in the order of their numbers, in parts."""
    for start in range(0, len(numbers), fill.at_once):
        wanted = numbers[start : start + fill.at_once]
        with store.begin(connection):
            rows = connection.execute(fill.part(wanted)).mappings().all()
        found = {row[fill.number.name]: row for row in rows}
        yield [found[number] for number in wanted if number in found]
