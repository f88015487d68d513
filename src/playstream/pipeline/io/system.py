"""What the stages use of POSIX and Linux, by its names there.

Every stage can be imported, and its types can be checked, on a system that lacks some of it: a flag that it lacks is 0,
a command is -1, which fcntl(2) refuses, and anything else is an error when it is used. A stage begins with
`check_system`.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from playstream.pipeline.errors import ConfigurationError

if sys.platform == "win32":
    O_CLOEXEC = O_DIRECTORY = O_NOFOLLOW = O_NONBLOCK = 0
    POLLIN, POLLOUT = 1, 4
    F_SETPIPE_SZ = F_GETPIPE_SZ = -1

    def register_at_fork(**_functions: Any) -> None:
        """Do nothing: there is no fork."""

    def __getattr__(name: str) -> Any:
        raise AttributeError(f"this system has no {name}")
else:
    import fcntl as _fcntl
    import select
    import signal

    O_CLOEXEC = os.O_CLOEXEC
    O_DIRECTORY = os.O_DIRECTORY
    O_NOFOLLOW = os.O_NOFOLLOW
    O_NONBLOCK = os.O_NONBLOCK
    fchmod = os.fchmod
    get_blocking = os.get_blocking
    geteuid = os.geteuid
    posix_spawn = os.posix_spawn
    POSIX_SPAWN_DUP2 = os.POSIX_SPAWN_DUP2
    pread = os.pread
    register_at_fork = os.register_at_fork
    set_blocking = os.set_blocking
    PIPE_BUF = select.PIPE_BUF
    POLLIN = select.POLLIN
    POLLOUT = select.POLLOUT
    poll = select.poll
    F_DUPFD_CLOEXEC = _fcntl.F_DUPFD_CLOEXEC
    LOCK_EX = _fcntl.LOCK_EX
    LOCK_NB = _fcntl.LOCK_NB
    LOCK_SH = _fcntl.LOCK_SH
    flock = _fcntl.flock
    SIGCONT = signal.SIGCONT
    fcntl = _fcntl.fcntl
    F_SETPIPE_SZ: int = getattr(_fcntl, "F_SETPIPE_SZ", -1)
    F_GETPIPE_SZ: int = getattr(_fcntl, "F_GETPIPE_SZ", -1)

    def unread(pipe: int) -> int:
        """Return the bytes in a pipe that wait for its reader."""
        import termios  # noqa: PLC0415 - most stages never need it

        return int.from_bytes(_fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


O_PATH: int = getattr(os, "O_PATH", 0)
O_TMPFILE: int = getattr(os, "O_TMPFILE", 0)

READ_DIRECTORY = os.O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
"""Flags of open(2) for a directory that is not a link."""
READ_FILE = os.O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
"""Those for a file that is read, and is not a link; a FIFO in its place does not block."""
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | O_NOFOLLOW | O_CLOEXEC
"""Those for a file that does not exist."""


def check_system() -> None:
    """Check that stages can run on this system.

    Raises:
        ConfigurationError: they cannot, because the system is not POSIX.
    """
    if sys.platform == "win32":
        raise ConfigurationError(
            "this system is Windows, where files cannot be opened relative to a directory, which playstream needs to "
            "pack and unpack them safely. Run playstream in WSL, the Windows Subsystem for Linux"
        )
