"""Resources that belong to one process, and not to those that it forks.

A forked child inherits what waits for an object's end or for the program's (weakref.finalize, atexit), and would remove
what its parent still uses. It also inherits what is open: it would hold a lock for as long as it lives, or the end of a
pipe whose reader waits for that end's close.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

_descriptors: set[int] = set()


class Owned:
    """A function that does nothing in a process that was forked from the one that made this object.

    Args:
        function: what is called.
        arguments: its arguments.
    """

    def __init__(self, function: Callable[..., object], *arguments: Any) -> None:
        self._function = function
        self._arguments = arguments
        self._owner = os.getpid()

    def __call__(self) -> None:
        """Call the function, in the owner."""
        if os.getpid() == self._owner:
            self._function(*self._arguments)


def own_descriptor(fd: int) -> int:
    """Keep a descriptor from children that are forked. In them its number stands for /dev/null.

    Args:
        fd: the descriptor; `close_owned` closes it.

    Returns:
        The same.
    """
    _descriptors.add(fd)
    return fd


def close_owned(fd: int) -> None:
    """Close a descriptor that `own_descriptor` was called for."""
    _descriptors.discard(fd)  # first: another thread may open something under this number, and another fork
    os.close(fd)


def _close_inherited() -> None:
    """Close the parent's descriptors; called in a forked child.

    The numbers stay in use: objects of the parent's go on here with them, and close them.
    """
    while _descriptors:
        fd = _descriptors.pop()
        try:
            os.close(fd)  # first, so that there is room for another one
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # the parent has closed them all by itself, or sees no /dev
        if null != fd:
            os.dup2(null, fd, inheritable=False)
            os.close(null)


os.register_at_fork(after_in_child=_close_inherited)
