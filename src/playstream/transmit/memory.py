"""What this side remembers between jobs: the hashes of files, and the trees that it has offered.

It is a database in the user's cache. Without it every file is hashed again and every listing is sent, so a database
that cannot be used is never an error.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from playstream.pipeline.io import system
from playstream.pipeline.tree.digests import DIGEST_SIZE, digest
from playstream.pipeline.tree.listings import BLOCK_SIZE, MAX_WHOLE, Hashed, part_count
from playstream.pipeline.tree.user_cache import cache_place, is_private
from playstream.transmit.snapshot import TreeObjects

MAX_TREES = 8
"""Number of trees of one directory that are remembered."""
_MAX_TREES = 64
"""Number of all of them."""
_MAX_FILES = 1_000_000
"""Number of files whose hashes are remembered; those that were hashed first are forgotten."""
_FILE = "hashes.sqlite"
_FORM = 2
"""The version of the tables."""
_MARGIN_NS = 2_000_000_000
"""A file that was changed this short before it was hashed may change again without a new time."""
_WINDOW = 64
"""Number of inodes whose hashes are read at once: the files of a directory often have inodes that follow each other."""
_MAX_WINDOWS = 1024
"""Number of windows that are held in memory."""
_MAX_INTEGER = 2**63 - 1
"""The largest that the database takes."""
_WAIT_SECONDS = 1.0
"""Time to wait for another process that writes."""
_TABLES = """
CREATE TABLE IF NOT EXISTS files (
    device INTEGER, inode INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER, algorithm TEXT, hashed INTEGER,
    digests BLOB, PRIMARY KEY (device, inode, algorithm)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trees (
    directory BLOB, algorithm TEXT, root BLOB, used INTEGER, listings BLOB, contents BLOB,
    PRIMARY KEY (directory, algorithm, root)
) WITHOUT ROWID;
"""
_logger = logging.getLogger("playstream")
_T = TypeVar("_T")


def is_there() -> bool:
    """Return whether this user's cache has a database, because a tree was offered before. Nothing is created."""
    return (cache_place("hashes") / _FILE).exists()


class Memory:
    """Remembers hashes. Close it after use.

    Args:
        directory: where the database is; None for the user's cache.
        algorithm: the hash function.
    """

    def __init__(self, directory: Path | None, algorithm: str) -> None:
        self._algorithm = algorithm
        self._now = time.time_ns()
        self._learned: list[tuple[object, ...]] = []
        self._known = lru_cache(_MAX_WINDOWS)(self._read_window)
        """Returns what is known of the files of a device in a window of inodes."""
        self._database: sqlite3.Connection | None = None
        self._database = self._try(lambda: _open(directory or cache_place("hashes")), None)

    def _try(self, call: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return call()
        except (sqlite3.Error, OSError) as error:
            _logger.debug("the hashes of earlier jobs cannot be used: %s", error)
            self._database = None
            return otherwise

    def find(self, status: os.stat_result) -> Hashed | None:
        """Return the content of a file that was hashed before and has not changed since; None for any other."""
        if self._database is None or not status.st_size:
            return None
        inode = _signed(status.st_ino)
        row = self._known(_signed(status.st_dev), inode // _WINDOW).get(inode)
        if row is None or row[1:4] != (status.st_size, status.st_mtime_ns, status.st_ctime_ns):
            return None
        digests = row[4]
        if not isinstance(digests, bytes) or len(digests) != part_count(status.st_size) * DIGEST_SIZE:
            return None
        return Hashed(digests)

    def _read_window(self, device: int, number: int) -> dict[int, tuple[object, ...]]:
        """Return the rows of a window, by inode."""
        if (database := self._database) is None:
            return {}
        first = number * _WINDOW
        key = (device, first, first + _WINDOW - 1, self._algorithm)
        query = (
            "SELECT inode, size, mtime, ctime, digests FROM files "
            "WHERE device = ? AND inode BETWEEN ? AND ? AND algorithm = ?"
        )
        rows: list[tuple[int, object]] = self._try(lambda: database.execute(query, key).fetchall(), [])
        return {row[0]: row for row in rows}

    def hash(self, read: Callable[[int], bytes], status: os.stat_result) -> tuple[Hashed, int]:
        """Hash what `read` returns, at most the size in `status`; return the content and its size.

        Of a large file that shrinks meanwhile the rest counts as zeros, as when it is sent.
        """
        begun = time.time_ns()
        size, whole = status.st_size, True
        if size <= MAX_WHOLE:
            data = read(size) if size else b""
            whole = len(data) == size
            size = len(data)
            digests = digest(data, self._algorithm) if data else b""
        else:
            pieces = []
            for start in range(0, size, BLOCK_SIZE):
                wanted = min(BLOCK_SIZE, size - start)
                data = read(wanted)
                whole = whole and len(data) == wanted
                pieces.append(digest(data.ljust(wanted, b"\0"), self._algorithm))
            digests = b"".join(pieces)
        times = (status.st_mtime_ns, status.st_ctime_ns)
        if whole and size and max(times) < begun - _MARGIN_NS and min(times) >= -_MAX_INTEGER:
            known = (_signed(status.st_dev), _signed(status.st_ino), size, *times)
            self._learned.append((*known, self._algorithm, self._now, digests))
        return Hashed(digests), size

    @property
    def algorithm(self) -> str:
        """The hash function."""
        return self._algorithm

    def trees(self, directory: Path) -> list[bytes]:
        """Return the hashes of the trees of a directory that were offered before, the latest first."""
        if (database := self._database) is None:
            return []
        query = "SELECT root FROM trees WHERE directory = ? AND algorithm = ? ORDER BY used DESC"
        key = (os.fsencode(directory), self._algorithm)
        rows: list[tuple[object]] = self._try(lambda: database.execute(query, key).fetchall(), [])
        return [root for (root,) in rows if isinstance(root, bytes) and len(root) == DIGEST_SIZE]

    def objects(self, directory: Path | None, root: bytes) -> TreeObjects | None:
        """Return what a tree that was offered before consists of; None if it is not known.

        Args:
            directory: the directory of the tree; None for any.
            root: the hash of its root.
        """
        if (database := self._database) is None:
            return None
        query = "SELECT listings, contents FROM trees WHERE algorithm = ? AND root = ?"
        key: tuple[object, ...] = (self._algorithm, root)
        if directory is not None:  # the tree is then found by the primary key
            query += " AND directory = ?"
            key += (os.fsencode(directory),)
        row = self._try(lambda: database.execute(query, key).fetchone(), None)
        if row is None or not all(isinstance(names, bytes) for names in row):
            return None
        listings, contents = map(_split, row)
        return TreeObjects(frozenset(listings), {name: number for number, name in enumerate(contents)})

    def keep(self, directory: Path, root: bytes, objects: TreeObjects) -> None:
        """Remember a tree of a directory, and the hashes of the files that were hashed; forget the oldest ones."""
        if (database := self._database) is not None:
            self._try(lambda: self._write(database, directory, root, objects), None)

    def _write(self, database: sqlite3.Connection, directory: Path, root: bytes, objects: TreeObjects) -> None:
        place = (os.fsencode(directory), self._algorithm)
        tree = (*place, root, self._now, b"".join(objects.listings), b"".join(objects.contents))
        with database:
            database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._learned)
            database.execute("INSERT OR REPLACE INTO trees VALUES (?, ?, ?, ?, ?, ?)", tree)
            database.execute(
                "DELETE FROM trees WHERE directory = ? AND algorithm = ? AND root NOT IN "
                "(SELECT root FROM trees WHERE directory = ? AND algorithm = ? ORDER BY used DESC LIMIT ?)",
                (*place, *place, MAX_TREES),
            )
            database.execute(
                "DELETE FROM trees WHERE (directory, algorithm, root) NOT IN "
                "(SELECT directory, algorithm, root FROM trees ORDER BY used DESC LIMIT ?)",
                (_MAX_TREES,),
            )
            (count,) = database.execute("SELECT count(*) FROM files").fetchone()
            if count > _MAX_FILES:
                database.execute(
                    "DELETE FROM files WHERE hashed <= (SELECT hashed FROM files ORDER BY hashed LIMIT 1 OFFSET ?)",
                    (count - _MAX_FILES,),
                )
        self._learned.clear()

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._try(self._database.close, None)


def _split(names: bytes) -> list[bytes]:
    return [names[start : start + DIGEST_SIZE] for start in range(0, len(names), DIGEST_SIZE)]


def _signed(number: int) -> int:
    """Return the number of a device or an inode, which has 64 bits, as the database takes it."""
    return number if number <= _MAX_INTEGER else number - 2**64


def _open(directory: Path) -> sqlite3.Connection:
    """Open the database in a directory that only this user can enter; replace one that is damaged.

    Raises:
        OSError: the directory cannot be created, or others can enter it.
        sqlite3.Error: the database cannot be opened.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(directory):
        raise PermissionError(f"{directory} belongs to another user, or others can enter it")
    path = directory / _FILE
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, or no room: nothing is wrong with the file
            raise
        path.unlink()
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | system.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path, timeout=_WAIT_SECONDS, check_same_thread=False)
    try:
        if database.execute("PRAGMA user_version").fetchone() != (_FORM,):
            database.executescript(f"DROP TABLE IF EXISTS files; DROP TABLE IF EXISTS trees; {_TABLES}")
            database.execute(f"PRAGMA user_version = {_FORM}")
    except BaseException:
        database.close()
        raise
    return database
