"""Resources that belong to one process and not to its forked children.

A forked child inherits the finalizers (weakref.finalize, atexit) and would remove what its parent still uses. It also
inherits open descriptors: it would keep a lock for as long as it lives, or the writing end of a pipe whose reader waits
for end of file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from playstream.pipeline.io import system

_descriptors: set[int] = set()


class Owned:
    """A function that does nothing in processes forked from the one that created this object.

    Args:
        function: the function to call.
        arguments: its arguments.
    """

    def __init__(self, function: Callable[..., object], *arguments: Any) -> None:
        self._function = function
        self._arguments = arguments
        self._owner = os.getpid()

    def __call__(self) -> None:
        """Call the function if this process is the owner."""
        if os.getpid() == self._owner:
            self._function(*self._arguments)


def own_descriptor(fd: int) -> int:
    """Keep a descriptor out of forked children. In them its number refers to /dev/null.

    Args:
        fd: the descriptor; `close_owned` closes it.

    Returns:
        The same descriptor.
    """
    _descriptors.add(fd)
    return fd


def close_owned(fd: int) -> None:
    """Close a descriptor that was passed to `own_descriptor`."""
    _descriptors.discard(fd)  # first: another thread may reuse this number, and yet another may fork
    os.close(fd)


def _close_inherited() -> None:
    """Close the parent's descriptors; called in a forked child.

    The numbers stay in use, because copies of the parent's objects still use and close them.
    """
    while _descriptors:
        fd = _descriptors.pop()
        try:
            os.close(fd)  # first, so that the limit of open files allows another one
            null = os.open(os.devnull, os.O_RDWR | system.O_CLOEXEC)
        except OSError:
            continue  # the parent has closed it itself, or there is no /dev
        if null != fd:
            os.dup2(null, fd, inheritable=False)
            os.close(null)


system.register_at_fork(after_in_child=_close_inherited)
