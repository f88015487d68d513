# SPDX-License-Identifier: GPL-3.0-or-later
"""Processors and memory where Ansible runs, which may be a container with limits."""

from __future__ import annotations

import os
import re

_GROUP = "/sys/fs/cgroup"


def processors() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Return how much memory is free for new processes; None if that is not known."""
    free = _read_free()
    limit, used = _read_number(f"{_GROUP}/memory.max"), _read_number(f"{_GROUP}/memory.current")
    if limit is not None and used is not None:
        left = max(0, limit - used)
        free = left if free is None else min(free, left)
    return free


def resident_bytes() -> int | None:
    """Return the memory of this process, which has read the same as Ansible will; None if that is not known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - as everywhere in this program
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _read_free() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            found = re.search(r"^MemAvailable:\s+(\d+) kB", file.read(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _read_number(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123
            return int(file.read())
    except (OSError, ValueError):
        return None  # no limit is the word `max`
