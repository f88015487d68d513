"""Locks on open files and directories (flock), which the kernel releases when their holder exits."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Take the lock of a file or directory, without waiting for it.

    Args:
        fd: open on it. The lock is held until every copy of this descriptor, those of other processes too, is closed.
        shared: take one that others may share; it only excludes exclusive locks.

    Returns:
        False if it is held already.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(path: Path, fd: int) -> bool:
    """Return whether an open file still has that path. The previous holder of its lock may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False
