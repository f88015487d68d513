"""Where programs unpack to, so that they are compared and not the disk.

On an ext4 disk, where trees of 20,000 files were made and deleted by each run before, `tar x` took from 0.3 to 5
seconds of system time on the same tree; the likely reason is that ext4 searches past the inodes it has freed of late.
Memory has no such history.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.toolbox import CACHE

_MEMORY = Path("/dev/shm")  # noqa: S108 - only as a parent of private directories
_WANTED = 3 << 30


def default_scratch() -> Path:
    """The file system in memory if there is one with room, else a directory on disk."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _WANTED and _available_memory() >= 2 * _WANTED:
        return _MEMORY
    return CACHE


def file_system_of(path: Path) -> str:
    """The type of the file system that holds `path`."""
    holding = [(point, kind) for point, kind in mounts() if path.resolve().is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0].parts))[1]


def mounts() -> list[tuple[Path, str]]:
    """Each mount's place and its type of file system."""
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [(Path(words[1]), words[2]) for words in lines]


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0
