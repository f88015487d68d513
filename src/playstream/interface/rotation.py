"""Remove all but the newest artifact directories."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.io.removal import discard
from playstream.pipeline.job.ident import MADE_LIST

_MARKS = ("job_events", "status", "stdout")
"""A directory that contains one of these is the directory of a run."""
_logger = logging.getLogger("playstream")


def rotate(base: Path | None, keep: int) -> list[Path]:
    """Remove the oldest artifact directories below `base`, by their time of change.

    Links, files, other directories, and active runs are kept. Directories that another run removes
    meanwhile are ignored, and those that cannot be read or removed are logged as a warning. If `latest` is a link to a
    removed run, it becomes one to the newest that is left.

    Args:
        base: directory of artifact directories; None for none.
        keep: number of directories to keep; 0 for all.

    Returns:
        The removed directories.
    """
    if base is None or keep < 1:
        return []
    runs = sorted(_list_runs(base), key=lambda run: run[0], reverse=True)
    removed = [path for _, path in runs[keep:] if _remove(path)]
    if removed:
        from playstream.process.latest import relink_latest  # noqa: PLC0415 - loads ctypes

        relink_latest(base, [path.name for _, path in runs[:keep]])
    return removed


def _list_runs(base: Path) -> list[tuple[int, Path]]:
    """Return the directories of runs, each with its time of change."""
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
            continue  # another run has removed it, or this user may not read it
    return runs


def _made_in(base: Path) -> frozenset[str]:
    """Return the names created by runs without an ident, which may look like runs."""
    from playstream.process.made_names import made_in  # noqa: PLC0415 - most directories have no such runs

    try:
        return made_in(base)
    except OSError:
        return frozenset()  # another run has removed it


def _remove(path: Path) -> bool:
    """Remove a directory while holding its lock, unless an active run holds the lock."""
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
