"""Whether a process waits for input from a terminal, as far as the kernel tells.

A line without an end, such as the name of a download, is not a prompt unless a process waits for an answer.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

_READS, _WAITS = {
    "x86_64": ({0, 19}, {7, 23, 232, 270, 271, 281, 441}),
    "aarch64": ({63, 65}, {22, 72, 73, 441}),
}.get(platform.machine(), (set(), set()))
"""Numbers of the system calls read and readv, and of select, poll and epoll_wait with their variants."""


def may_be_read(tty: str) -> bool:
    """Return True if a process waits for input from a terminal, or if that cannot be determined.

    Args:
        tty: the terminal's name, such as /dev/pts/3.
    """
    if not _READS:
        return True
    number = os.stat(tty).st_rdev
    return any(_may_read(entry, tty, number) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _may_read(process: Path, tty: str, number: int) -> bool:
    try:
        fields = (process / "stat").read_bytes().rpartition(b")")[2].split()
        tasks = list((process / "task").iterdir())
    except OSError:
        return False  # it has ended
    controlled = _device(int(fields[4])) == number
    names = {tty, "/dev/tty"} if controlled else {tty}
    try:
        return any(_waits(task, process / "fd", names) for task in tasks)
    except FileNotFoundError:
        return process.exists() and controlled
    except OSError:
        return controlled  # another user's, such as sudo: it may ask for a password


def _waits(task: Path, fds: Path, names: set[str]) -> bool:
    words = (task / "syscall").read_text().split()
    if len(words) < 2 or words[0] == "running":
        return False
    if int(words[0]) in _READS:
        return os.readlink(fds / str(int(words[1], 16))) in names
    # Which descriptors these wait for cannot be seen. Output is not waited for, so all but 1 and 2 count.
    return int(words[0]) in _WAITS and any(
        os.readlink(fd) in names for fd in fds.iterdir() if fd.name not in ("1", "2")
    )


def _device(encoded: int) -> int:
    """Convert a device number from the kernel's old encoding, used in /proc, to that of stat(2)."""
    return os.makedev((encoded >> 8) & 0xFFF, (encoded & 0xFF) | ((encoded >> 12) & 0xFFF00))
