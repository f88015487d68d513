"""Databases that make others wait: a lock that is held, a backend that is stopped, a server that says nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.process.store.postgresql import Postgresql
from tests.processes import wait_until

_WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = 'playstream' "
    "AND wait_event_type = 'Lock' AND query ILIKE %s"
)


class Blocked:
    """A database in which whoever writes to a table waits, as long as the context lasts.

    Args:
        server: where it is.
        database: its name.
        table: which table.
        readers: whoever reads it waits too.
    """

    def __init__(self, server: Postgresql, database: str, table: str = "results", *, readers: bool = False) -> None:
        self._database = database
        self._connection = server.connect(database)
        self._connection.execute("BEGIN")
        self._connection.execute(f"LOCK TABLE {table} IN {'ACCESS ' if readers else ''}EXCLUSIVE MODE")

    def wait_for(self, statement: str) -> int:
        """Wait until playstream waits with a statement that begins so; the pid of its backend."""
        found: list[int] = []

        def look() -> bool:
            # In a transaction the server shows the same activity again and again.
            self._connection.execute("SELECT pg_stat_clear_snapshot()")
            rows = self._connection.execute(_WAITING, (self._database, f"{statement}%"))
            found[:] = [int(str(row[0])) for row in rows]
            return bool(found)

        wait_until(look)
        return found[0]

    def release(self) -> None:
        """Let the others go on."""
        self._connection.execute("ROLLBACK")

    def __enter__(self) -> Blocked:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that is stopped, and goes on at the end."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def silent_server() -> Iterator[socket.socket]:
    """A server that lets others connect and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


def backends(server: Postgresql, database: str) -> int:
    """How many of playstream's connections a database has."""
    return len(_pids(server, database))


def backend_of(server: Postgresql, database: str) -> int:
    """The pid of the one backend that playstream has, once the server has ended those of closed connections."""
    wait_until(lambda: backends(server, database) == 1)
    (pid,) = _pids(server, database)
    return pid


def _pids(server: Postgresql, database: str) -> list[int]:
    with server.connect() as connection:
        statement = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = 'playstream'"
        return [int(str(row[0])) for row in connection.execute(statement, (database,))]


def nobody_works() -> bool:
    """True if no thread works for a store."""
    return not [thread for thread in threading.enumerate() if thread.name == "playstream-store"]
