"""Moving an entry without losing what other processes create or move there at the same moment.

The kernel does it (renameat2(2)): where something has the name nothing is moved, or the two change places.
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
    """Move an entry where nothing has its name; False, and nothing is moved, if something has.

    Args:
        source: the directory that it is in.
        name: its name there.
        target: the directory that it is to be in.
        new_name: its name there.

    Raises:
        OSError: it cannot be moved.
    """
    moved = _rename(source, name, target, new_name, _NOREPLACE)
    return _make_new(source, name, target, new_name) if moved is None else moved


def exchange(source: int, name: str, target: int) -> bool:
    """Let two entries of one name change places; False if this system, or file system, does not do that.

    Raises:
        FileNotFoundError: one does not exist.
        OSError: they cannot be moved.
    """
    return _rename(source, name, target, name, _EXCHANGE) is not None


def _rename(source: int, name: str, target: int, new_name: str, flag: int) -> bool | None:
    """Call renameat2(2): False if something has the name, None where there is no such call."""
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
    """Return the C library's function; None where it has none: not Linux, or an old one."""
    try:
        function: Callable[..., int] = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return None
    return function


def _make_new(source: int, name: str, target: int, new_name: str) -> bool:
    """Do as `move_new` does, with calls that every system has.

    A directory is created first, so that others find it there; whatever they put into it makes the rename fail.
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
