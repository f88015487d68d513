"""Keeping only the newest artifact directories."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.io.removal import discard
from playstream.pipeline.job.ident import MADE_LIST

_MARKS = ("job_events", "status", "stdout")
"""One of these tells a run's directory from another thing in the same place."""
_logger = logging.getLogger("playstream")


def rotate(base: Path | None, keep: int) -> list[Path]:
    """Remove the oldest artifact directories below `base`, by their time of change.

    Links such as `latest`, files, directories that are no run's, and runs that go on are left alone. What another run
    removes meanwhile is passed over, and what cannot be looked at or removed is logged as a warning.

    Args:
        base: directory of artifact directories; None for none.
        keep: how many may stay; 0 for all.

    Returns:
        Those that were removed.
    """
    if base is None or keep < 1:
        return []
    runs = sorted(_list_runs(base), key=lambda run: run[0], reverse=True)
    return [path for _, path in runs[keep:] if _remove(path)]


def _list_runs(base: Path) -> list[tuple[int, Path]]:
    """The directories of runs, each with its time of change."""
    try:
        names = os.listdir(base)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _logger.warning("cannot remove old artifacts in %s: %s", base, error.strerror)
        return []
    runs = []
    made = _made_in(base) if MADE_LIST in names else frozenset()
    for path in map(base.joinpath, sorted(set(names) - made)):
        try:
            if not path.is_symlink() and any((path / name).exists() for name in _MARKS):
                runs.append((path.stat().st_mtime_ns, path))
        except OSError:
            continue  # another run has removed it, or it is not for this user to look into
    return runs


def _made_in(base: Path) -> frozenset[str]:
    """What runs without an ident have made there, which may look like runs."""
    from playstream.process.made_names import made_in  # noqa: PLC0415 - most directories have no such runs

    try:
        return made_in(base)
    except OSError:
        return frozenset()  # another run has removed it


def _remove(path: Path) -> bool:
    """Remove it, unless a run writes there: that holds a lock on the directory, as this does meanwhile."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        _logger.warning("%s is kept: %s", path, error.strerror)
        return False
    try:
        return try_lock(fd) and discard(path)
    except OSError as error:
        _logger.warning("%s is kept, because a run may be writing to it: %s", path, error.strerror)
        return False
    finally:
        os.close(fd)
