"""Keeping only the newest artifact directories."""

from __future__ import annotations

import os
from pathlib import Path

from playstream.pipeline.locks import try_lock
from playstream.pipeline.removal import discard

_MARKS = ("job_events", "status", "stdout")
"""One of these tells a run's directory from another thing in the same place."""


def rotate(base: Path | None, keep: int) -> list[Path]:
    """Remove the oldest artifact directories below `base`, by their time of change.

    Links such as `latest`, files, directories that are no run's, and runs that go on are left alone.

    Args:
        base: directory of artifact directories; None for none.
        keep: how many may stay; 0 for all.

    Returns:
        Those that were removed.
    """
    if base is None or keep < 1 or not base.is_dir():
        return []
    runs = [path for path in base.iterdir() if not path.is_symlink() and any((path / name).exists() for name in _MARKS)]
    runs.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [path for path in runs[keep:] if _remove(path)]


def _remove(path: Path) -> bool:
    """Remove it, unless a run writes there: that holds a lock on the directory, as this does meanwhile."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not try_lock(fd):
            return False
        return discard(path)
    finally:
        os.close(fd)
