"""Opening a store: connections, transactions, and conversion of the database's errors."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from playstream.pipeline.errors import ConfigurationError, PlaystreamError, StoreError, remedy
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.interpreter import pip_install
from playstream.pipeline.tree.directories import make_private
from playstream.pipeline.tree.user_cache import is_private
from playstream.process.store.address import Address, read_address
from playstream.process.store.migrate import prepare, require_current, write_version
from playstream.process.store.session import Patience, Session, current_session
from playstream.process.store.sqlite import SqliteFile

_T = TypeVar("_T")
_PATIENCE = Patience()
_WRITES = "playstream_writes"
_SET_LIMITS = text(
    "SELECT set_config(name, value, true) FROM (VALUES ('lock_timeout', :lock), ('statement_timeout', :statement)) "
    "AS ours(name, value) WHERE current_setting(name) = '0'"
)
"""Statements that set limits for one transaction: with a pooler, the next one may have another session."""
_HINTS = {
    "55P03": "Another process holds a lock on it; pg_locks tells which",
    "57014": "A statement took longer than statement_timeout allows. Your own limit takes precedence over "
    "playstream's: ?options=-c%20statement_timeout%3D600s at the end of the URL",
}
"""Messages by SQLSTATE."""
_FILE_HINTS = {
    "disk is full": "Free space there",
    "readonly": "Check the owner and mode of the file and of its directory",
    "unable to open": "Check the owner and mode of the file and of its directory",
    "not a database": "Choose another file for the store",
}
"""Messages by a part of SQLite's own."""

# Both log errors that they raise anyway. Without a handler, logging would write them to standard error.
for _name in ("sqlalchemy", "psycopg"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Store:
    """An open store. No connection is held between transactions, so a long run does not burden the server.

    `open_store` creates it; several threads may use it.
    """

    def __init__(
        self,
        engine: Engine,
        address: Address,
        file: SqliteFile | None,
        patience: Patience,
        cancellation: Cancellation | None,
    ) -> None:
        self._engine = engine
        self._address = address
        self._file = file
        self._patience = patience
        self._cancellation = cancellation

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return self._address.shown

    def __repr__(self) -> str:
        return f"Store({self.shown!r})"

    def with_patience(self, patience: Patience) -> Store:
        """Return the same store, for which another patience applies. It is closed by itself."""
        address = self._address if self._file is None else replace(self._address, path=self._file.path)
        engine, file = _make_engine(address, patience, writable=True)
        return Store(engine, address, file, patience, self._cancellation)

    def session(self) -> Session:
        """Create a session, which limits the wait for one operation."""
        return Session(self.shown, self._patience, self._cancellation)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads. Raise as `connect` does."""
        with self.connect() as connection, self.begin(connection):
            yield connection

    @contextlib.contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection for several transactions that only read; between them no transaction is open.

        Raises:
            StoreError: the database cannot be reached or read, or contains data that playstream does not write.
        """
        try:
            with self._connected(self._engine) as connection:
                yield connection
        except PlaystreamError:
            self._check_file()
            raise
        except (ValueError, TypeError, RecursionError) as error:
            self._check_file()
            raise self.damaged(error) from None
        self._check_file()

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes.

        Raises:
            StoreError: the database cannot be reached or written; or another process has migrated it meanwhile.
        """
        with self._transaction(self._engine.execution_options(**{_WRITES: True})) as connection:
            require_current(connection, self.shown)
            yield connection

    @contextlib.contextmanager
    def begin(self, connection: Connection) -> Iterator[None]:
        """Open a transaction on a connection."""
        session = current_session()
        with connection.begin() as transaction:
            if connection.dialect.name == "postgresql":
                connection.execute(_SET_LIMITS, self._limits)
            yield
            self._commit(transaction.commit, session)

    @contextlib.contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        with self._connected(engine) as connection, self.begin(connection):
            yield connection

    @contextlib.contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        session = current_session()
        try:
            with engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            self._refuse(error)
        finally:
            if session is not None:
                session.note_disconnected()

    @staticmethod
    def _commit(commit: Callable[[], None], session: Session | None) -> None:
        if session is not None:
            session.begin_commit()
        try:
            commit()
        except DBAPIError as error:
            if session is not None and not error.connection_invalidated:
                session.end_commit()  # the database has refused it
            raise
        if session is not None:
            session.end_commit()

    @property
    def _limits(self) -> dict[str, str]:
        return {
            "lock": f"{self._patience.lock * 1000:.0f}",
            "statement": f"{self._patience.statement * 1000:.0f}",
        }

    def prepare(self, *, writable: bool) -> None:
        """Create or migrate the tables if necessary; check that they can be written, if `writable`.

        Raises:
            StoreError: the store cannot be used.
        """
        if self._file is not None:
            self._file.find()
        with self._transaction(self._engine) as connection:
            ready = prepare(connection, self.shown, may_write=False, may_create=writable)
        if not ready:
            if self._file is not None and self._file.frozen:
                raise StoreError(
                    f"the store {self.shown} has tables of an older version, and is not writable, so it cannot be "
                    "migrated. Let a user who can write to it open it once"
                )
            with self._transaction(self._engine.execution_options(**{_WRITES: True})) as connection:
                prepare(connection, self.shown, may_write=True, may_create=writable)
        elif writable:
            # Otherwise a store that cannot be written would only be reported at the end of the run.
            with self.write() as connection:
                write_version(connection)

    def damaged(self, why: object) -> StoreError:
        """Return the error for a store with data that playstream does not write."""
        return StoreError(
            f"the store {self.shown} is damaged: {self._said(why)}. Restore it from a backup, or start a new one"
        )

    def _check_file(self) -> None:
        if self._file is not None:
            self._file.check_unchanged()

    def _said(self, what: object) -> str:
        return self._address.scrub(" ".join(str(what).split())).rstrip(".")

    def _refuse(self, error: SQLAlchemyError) -> NoReturn:
        cause = error.orig if isinstance(error, DBAPIError) else error
        said = self._said(cause)
        if self._address.path is None:
            hint = _HINTS.get(
                getattr(cause, "sqlstate", None) or "",
                "Check that the server is running, and that this user can connect and create and write tables",
            )
        elif "locked" in said:
            hint = f"Another process has been writing to it for {self._patience.lock:g} s. Check what it is doing"
        else:
            hint = next((hint for word, hint in _FILE_HINTS.items() if word in said), "Check the file and its disk")
        raise StoreError(f"the store {self.shown} cannot be used: {said}. {hint}") from None

    def close(self) -> None:
        """Release all resources."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def open_store(
    url: str, *, writable: bool = True, cancellation: Cancellation | None = None, patience: Patience = _PATIENCE
) -> Store:
    """Open a store, and create or migrate its tables if necessary.

    Args:
        url: `sqlite:///runs.db`, or `postgresql://user:password@host/database`; the path of a file is a SQLite store,
            and `user` is the user's own.
        writable: True to create the store if it does not exist, and to raise an error now if it is not writable. False
            to read an existing one. An older one is migrated in both cases.
        cancellation: requests to stop waiting for the store, now and in later operations.
        patience: how long to wait for it.

    Raises:
        ConfigurationError: the URL cannot be read, or the packages for it are not installed.
        StoreError: the store cannot be reached, read or written, does not answer, is missing or damaged, or was created
            by a newer playstream.

    Example:
        >>> with open_store("sqlite:///runs.db") as store:  # doctest: +SKIP
        ...     print(list_runs(store, host="node1", since=parse_since("7d")))
    """
    address = read_address(url)
    if address.own and address.path is not None and writable:
        _make_directory(address.path.parent)
    engine, file = _make_engine(address, patience, writable=writable)
    store = Store(engine, address, file, patience, cancellation)
    try:
        store.session().call(partial(store.prepare, writable=writable))
    except BaseException:
        store.close()
        raise
    return store


def _make_directory(directory: Path) -> None:
    """Make the directory of the user's own store.

    Raises:
        StoreError: it cannot be made, or is not private.
    """
    try:
        make_private(directory)
        private = is_private(directory)
    except OSError as error:
        raise StoreError(
            f"the directory {str(directory)!r} of your store cannot be used: {error.strerror}. {remedy(error)}"
        ) from None
    if not private:
        raise StoreError(
            f"the directory {str(directory)!r} of your store must belong to you and be closed to others: run "
            f"chmod 700 {shlex.quote(str(directory))}"
        )


def _make_engine(address: Address, patience: Patience, *, writable: bool) -> tuple[Engine, SqliteFile | None]:
    file = None
    if address.path is not None:
        file = SqliteFile(address.path, address.shown, lock_seconds=patience.lock, writable=writable)
        engine = create_engine("sqlite://", creator=file.connect, poolclass=NullPool)
        event.listen(engine, "begin", partial(_begin_sqlite, file))
    else:
        engine = _make_postgresql(address, patience)
    event.listen(engine, "connect", _note_connection, insert=True)  # before SQLAlchemy queries the server
    event.listen(engine, "before_cursor_execute", _before_statement)
    event.listen(engine, "after_cursor_execute", _after_statement)
    return engine, file


def _make_postgresql(address: Address, patience: Patience) -> Engine:
    # A pooler may use another session for each transaction, without the statements that the last one prepared.
    options: dict[str, Any] = {"application_name": "playstream", "prepare_threshold": None}
    if "connect_timeout" not in address.url.query:
        options["connect_timeout"] = patience.connect
    try:
        return create_engine(address.url, connect_args=options, poolclass=NullPool)
    except ImportError:
        raise ConfigurationError(
            "a store in PostgreSQL requires psycopg 3.1 or later with libpq, which is not installed: run "
            f"{pip_install('postgresql')}"
        ) from None


def _begin_sqlite(file: SqliteFile, connection: Connection) -> None:
    file.begin(connection, writes=connection.get_execution_options().get(_WRITES, False))


def _note_connection(connection: Any, _record: object) -> None:
    """Let the session that waits for this connection break it off from another thread."""
    session = current_session()
    if session is None:
        return
    session.note_connected(_Query(connection) if hasattr(connection, "interrupt") else _Socket(connection.fileno()))


class _Query:
    """A connection of SQLite."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def break_off(self) -> None:
        """Interrupt the running statement."""
        with contextlib.suppress(sqlite3.ProgrammingError):  # it has been closed
            self._connection.interrupt()

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


class _Socket:
    """A connection to a server, by a duplicated descriptor: the driver's number may be reused for another file."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=os.dup(fd))

    def break_off(self) -> None:
        """Shut the connection down, so that the driver reads its end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the descriptor."""
        self._socket.close()


def _before_statement(*_: object) -> None:
    session = current_session()
    if session is not None:
        session.check()


def _after_statement(*_: object) -> None:
    session = current_session()
    if session is not None:
        session.note_answer()
