"""Moving an entry without losing what other processes create or move there at the same time.

The kernel ensures this (renameat2(2)): if the name exists, nothing is moved, or the two entries are exchanged.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Callable
from functools import cache

_NOREPLACE, _EXCHANGE = 1, 2
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def move_new(source: int, name: str, target: int, new_name: str) -> bool:
    """Move an entry to a new name. If the name exists, do not move it and return False.

    Args:
        source: the directory that contains it.
        name: its name there.
        target: the directory to move it to.
        new_name: its name there.

    Raises:
        OSError: it cannot be moved.
    """
    moved = _rename(source, name, target, new_name, _NOREPLACE)
    return _make_new(source, name, target, new_name) if moved is None else moved


def exchange(source: int, name: str, target: int) -> bool:
    """Exchange two entries of the same name. Return False if this system or file system does not support that.

    Raises:
        FileNotFoundError: one does not exist.
        OSError: they cannot be moved.
    """
    return _rename(source, name, target, name, _EXCHANGE) is not None


def _rename(source: int, name: str, target: int, new_name: str, flag: int) -> bool | None:
    """Call renameat2(2). Return False if the new name exists, None if the call is not available."""
    call = _find_renameat2()
    if call is None:
        return None
    if call(source, os.fsencode(name), target, os.fsencode(new_name), ctypes.c_uint(flag)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return None
    if number == errno.EEXIST and flag == _NOREPLACE:
        return False
    raise OSError(number, os.strerror(number), name)


@cache
def _find_renameat2() -> Callable[..., int] | None:
    """Return the C library's function; None if it has none, because it is not Linux or is too old."""
    try:
        function: Callable[..., int] = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return None
    return function


def _make_new(source: int, name: str, target: int, new_name: str) -> bool:
    """Do the same as `move_new`, with calls that every system has.

    A directory is created first to take the name. If others put something into it, the rename fails.
    """
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=source, follow_symlinks=False).st_mode):
            os.mkdir(new_name, 0o700, dir_fd=target)
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
        else:
            os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
            os.unlink(name, dir_fd=source)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise
    return True
