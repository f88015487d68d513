"""A store in a file: its connections, its locks, and reading it if it is not writable."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from playstream.pipeline.errors import StoreError
from playstream.pipeline.io import system
from playstream.pipeline.tree.directories import current_directory
from playstream.process.store.session import current_session

_BUSY_STEP_SECONDS = 0.25
"""How long SQLite itself waits for a lock, which cannot be interrupted."""
_CANNOT_WRITE = ("unable to open database file", "readonly database")
"""SQLite's messages for a file in a directory that is not writable, if the file has a log next to it."""
State = tuple[int, int, int, int]


class SqliteFile:
    """The file of a store.

    Args:
        path: its path. A relative one is made absolute now, because the working directory may change during a run.
        shown: the store's URL.
        lock_seconds: how long to wait for another process.
        writable: False if it is only read.
    """

    def __init__(self, path: Path, shown: str, *, lock_seconds: float, writable: bool) -> None:
        self.path = path if path.is_absolute() else Path(current_directory()) / path
        self._shown = shown
        self._lock_seconds = lock_seconds
        self._writable = writable
        self._state: State | None = None

    @property
    def frozen(self) -> bool:
        """True if it is read as an immutable file, because it cannot be opened otherwise."""
        return self._state is not None

    def find(self) -> None:
        """Check that the file exists; create it if it is to be written.

        It is private to its owner, because results may be sensitive.

        Raises:
            StoreError: it does not exist, is not a file, or cannot be created.
        """
        try:
            if self._writable:
                self._make()
            # An existing file is never opened here: closing it would release all locks of this process on it.
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise StoreError(f"the store {self._shown} cannot be used: it is not a file")
        except FileNotFoundError:
            if self._writable:
                raise StoreError(f"the store {self._shown} cannot be created: its directory does not exist") from None
            raise StoreError(
                f"there is no store {self._shown}: nothing has been written to it, or the path is wrong"
            ) from None
        except OSError as error:
            raise StoreError(f"the store {self._shown} cannot be used: {error.strerror}") from None

    def _make(self) -> None:
        with contextlib.suppress(FileExistsError):
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | system.O_CLOEXEC, 0o600)
            try:
                system.fchmod(fd, 0o600)  # regardless of the umask
            finally:
                os.close(fd)

    def connect(self) -> sqlite3.Connection:
        """Open a connection. If the file is only read, it need not be writable."""
        if self.frozen:
            return self._connect("mode=ro&immutable=1")
        try:
            return self._connect("mode=rw")
        except sqlite3.OperationalError as error:
            # A reader of a file with a log writes an index of the log next to it, unless the file is opened as
            # immutable.
            if self._writable or not any(words in str(error) for words in _CANNOT_WRITE):
                raise
            return self._connect_frozen()

    def _connect_frozen(self) -> sqlite3.Connection:
        state = self._look()
        if state[-1]:
            raise StoreError(
                f"the store {self._shown} cannot be read where it is: its newest runs are in {self.path.name}-wal, "
                "which requires a writable directory. Copy both files to one, and read the copy"
            )
        connection = self._connect("mode=ro&immutable=1")
        self._state = state
        return connection

    def _look(self) -> State:
        """Return values that change when a process writes; the last one is the size of the log next to the file."""
        found = self.path.stat()
        try:
            log = self.path.with_name(f"{self.path.name}-wal").stat().st_size
        except FileNotFoundError:
            log = 0
        return found.st_ino, found.st_size, found.st_mtime_ns, log

    def check_unchanged(self) -> None:
        """Check that a file that was read as immutable has not been written to.

        Raises:
            StoreError: it has; the data that was read may be wrong.
        """
        if self._state is None:
            return
        with contextlib.suppress(OSError):
            if self._look() == self._state:
                return
        raise StoreError(f"the store {self._shown} was written to while it was read; try again")

    def _connect(self, mode: str) -> sqlite3.Connection:
        # Transactions are begun explicitly, because sqlite3 would run CREATE TABLE outside of them.
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?{mode}",
            timeout=self._lock_seconds,
            isolation_level=None,
            check_same_thread=False,
            uri=True,
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            self._use_wal(connection)
            connection.execute("SELECT count(*) FROM sqlite_master")  # a connection opens its file at the first read
        except BaseException:
            connection.close()
            raise
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Let readers continue while a process writes. The file stores this mode, so only the first process sets it."""
        if not self._writable:
            return
        deadline = time.monotonic() + self._lock_seconds
        while connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                # Unlike a transaction, the change does not wait for locks.
                if "locked" not in str(error):
                    return  # the file is only read; transactions work without this mode
                _check_session()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def begin(self, connection: Connection, *, writes: bool) -> None:
        """Begin a transaction. One that reads before it writes would fail instead of waiting for a writer."""
        if not writes:
            connection.exec_driver_sql("BEGIN")
            return
        deadline = time.monotonic() + self._lock_seconds
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_BUSY_STEP_SECONDS * 1000:.0f}")
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if "locked" not in str(error.orig) or time.monotonic() > deadline:
                    raise
            else:
                break
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {self._lock_seconds * 1000:.0f}")


def _check_session() -> None:
    session = current_session()
    if session is not None:
        session.check()
