"""Opening a store: connections, transactions, and the database's errors in words of ours."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from playstream.pipeline.errors import ConfigurationError, StoreError
from playstream.process.store.address import Address, read_address
from playstream.process.store.migrate import prepare, require_current, write_version

BUSY_SECONDS = 60.0
"""How long a writer waits for another one to finish."""
CONNECT_SECONDS = 10
"""How long to wait for a server."""
_WRITES = "playstream_writes"


class Store:
    """An open store. No connection is held between transactions, so a long run costs the server nothing.

    Made by `open_store`; may be used by several threads.
    """

    def __init__(self, engine: Engine, address: Address) -> None:
        self._engine = engine
        self._address = address

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return self._address.shown

    def __repr__(self) -> str:
        return f"Store({self.shown!r})"

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        with self._transaction(self._engine) as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: all of it happens, or nothing.

        Raises:
            StoreError: the database cannot be reached or written; or another process has migrated it meanwhile.
        """
        with self._transaction(self._engine.execution_options(**{_WRITES: True})) as connection:
            require_current(connection, self.shown)
            yield connection

    @contextlib.contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            self._refuse(error)

    def _prepare(self, *, writable: bool) -> None:
        with self._transaction(self._engine) as connection:
            ready = prepare(connection, self.shown, may_write=False, may_create=writable)
        if not ready:
            with self._transaction(self._engine.execution_options(**{_WRITES: True})) as connection:
                prepare(connection, self.shown, may_write=True, may_create=writable)
        elif writable:
            # Of a store that cannot be written one hears here, or when the run is over.
            with self.write() as connection:
                write_version(connection)

    def _refuse(self, error: DBAPIError) -> NoReturn:
        said = self._address.scrub(" ".join(str(error.orig).split()))
        if self._address.path is not None:
            hint = "See the file's and its directory's mode and space, and that it is a store"
        else:
            hint = "See that the server runs, and that this user may come in and make and write tables"
        raise StoreError(f"the store {self.shown} cannot be used: {said}. {hint}") from None

    def close(self) -> None:
        """Let go of what is held."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def open_store(url: str, *, writable: bool = True) -> Store:
    """Open a store, and make or migrate its tables where that is needed.

    Args:
        url: `sqlite:///runs.db`, or `postgresql://user:password@host/database`; the path of a file is a SQLite store.
        writable: True to make the store if it is not there, and to hear now that it cannot be written. False to read
            one, which has to be there. An older one is migrated either way.

    Raises:
        ConfigurationError: the URL cannot be read, or the packages for it are not installed.
        StoreError: the store cannot be reached, read or written, is missing, or was made by a newer playstream.

    Example:
        >>> with open_store("sqlite:///runs.db") as store:  # doctest: +SKIP
        ...     print(list_runs(store, host="node1", since=parse_since("7d")))
    """
    address = read_address(url)
    store = Store(_make_engine(address, writable=writable), address)
    try:
        store._prepare(writable=writable)
    except BaseException:
        store.close()
        raise
    return store


def _make_engine(address: Address, *, writable: bool) -> Engine:
    if address.path is not None:
        _check_file(address.path, address.shown, writable=writable)
        engine = create_engine("sqlite://", creator=_sqlite_connector(address.path), poolclass=NullPool)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # A pooler between us and the server may give each transaction another session; what one prepared another lacks.
    options: dict[str, Any] = {"application_name": "playstream", "prepare_threshold": None}
    if "connect_timeout" not in address.url.query:
        options["connect_timeout"] = CONNECT_SECONDS
    try:
        return create_engine(address.url, connect_args=options, poolclass=NullPool)
    except ImportError:
        raise ConfigurationError(
            "a store in PostgreSQL needs psycopg 3.1 or later with libpq, which is not installed: "
            "pip install 'playstream[postgresql]'"
        ) from None


def _check_file(path: Path, shown: str, *, writable: bool) -> None:
    """See that the file is there; made for its owner alone, since results tell much about hosts."""
    try:
        if writable:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        # A file that was there is never opened here: closing it would let go of all locks that this process has on it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise StoreError(f"the store {shown} cannot be used: it is not a file")
    except FileNotFoundError:
        if writable:
            raise StoreError(f"the store {shown} cannot be made: its directory is not there") from None
        raise StoreError(f"there is no store {shown}: nothing has been written to it, or its path is another") from None
    except OSError as error:
        raise StoreError(f"the store {shown} cannot be used: {error.strerror}") from None


def _sqlite_connector(path: Path) -> Callable[[], sqlite3.Connection]:
    place = path.absolute()  # the working directory may be another at the end of the run

    def connect() -> sqlite3.Connection:
        # Transactions are begun below; sqlite3 by itself leaves CREATE TABLE outside of them.
        uri = f"{place.as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            _use_wal(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let readers go on while one writes. The file remembers, so only the first process has to change it."""
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # The change does not wait for others as a transaction does.
            if "locked" not in str(error):
                return  # a file that is only read; transactions work without it
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    # A transaction that reads first and writes later cannot wait for another writer, it fails.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
