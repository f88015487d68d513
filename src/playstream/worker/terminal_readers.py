"""Finding out whether a process waits for input from a terminal, as far as the kernel reports it.

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
"""Numbers of the system calls read and readv, and of select, poll and epoll_wait and their variants."""


_CURRENT_TERMINAL = os.makedev(5, 0)
"""The device number of /dev/tty, which is each process's controlling terminal."""


def may_be_read(tty: str) -> bool:
    """Return True if a process waits for input from a terminal, or if that cannot be determined.

    Args:
        tty: the terminal's name, such as /dev/pts/3.
    """
    if not _READS:
        return True
    terminal = os.stat(tty)
    return any(_may_read(entry, terminal) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _may_read(process: Path, terminal: os.stat_result) -> bool:
    try:
        fields = (process / "stat").read_bytes().rpartition(b")")[2].split()
        tasks = list((process / "task").iterdir())
    except OSError:
        return False  # it has ended
    controlled = _device(int(fields[4])) == terminal.st_rdev and _has_open(
        process.with_name(fields[3].decode()), terminal
    )
    try:
        return any(_waits(task, process / "fd", terminal, controlled=controlled) for task in tasks)
    except FileNotFoundError:
        return process.exists() and controlled
    except OSError:
        return controlled  # a process of another user, such as sudo, may ask for a password


def _has_open(leader: Path, terminal: os.stat_result) -> bool:
    """Return True if a session's leader has a terminal open, or if that cannot be determined.

    A container has its own terminals, with the same device numbers as terminals outside.
    """
    try:
        return any(_is_same(fd, terminal) for fd in (leader / "fd").iterdir())
    except OSError:
        return True


def _waits(task: Path, fds: Path, terminal: os.stat_result, *, controlled: bool) -> bool:
    words = (task / "syscall").read_text().split()
    if len(words) < 2 or words[0] == "running":
        return False
    if int(words[0]) in _READS:
        return _leads_to(fds / str(int(words[1], 16)), terminal, controlled=controlled)
    # The descriptors that these calls wait for are not visible. All but 1 and 2, which are for output, count.
    return int(words[0]) in _WAITS and any(
        _leads_to(fd, terminal, controlled=controlled) for fd in fds.iterdir() if fd.name not in ("1", "2")
    )


def _leads_to(fd: Path, terminal: os.stat_result, *, controlled: bool) -> bool:
    return _is_same(fd, terminal) or (controlled and fd.stat().st_rdev == _CURRENT_TERMINAL)


def _is_same(fd: Path, terminal: os.stat_result) -> bool:
    return os.path.samestat(fd.stat(), terminal)


def _device(encoded: int) -> int:
    """Convert a device number from the kernel's old encoding, used in /proc, to that of stat(2)."""
    return os.makedev((encoded >> 8) & 0xFFF, (encoded & 0xFF) | ((encoded >> 12) & 0xFFF00))
