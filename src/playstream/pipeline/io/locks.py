"""Locks on open files and directories (flock), which the kernel releases when their holder exits."""

from __future__ import annotations

import os
from pathlib import Path

from playstream.pipeline.io import system


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Try to take the lock of a file or directory without waiting.

    Args:
        fd: a descriptor of it. The lock is held until every copy of this descriptor is closed, in other processes too.
        shared: take a shared lock, which only excludes exclusive ones.

    Returns:
        False if another descriptor holds the lock.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        system.flock(fd, (system.LOCK_SH if shared else system.LOCK_EX) | system.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(path: Path, fd: int) -> bool:
    """Return whether `path` still names the open file. The previous holder of its lock may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False
