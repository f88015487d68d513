"""Remove all but the newest artifact directories."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.io.removal import discard

_logger = logging.getLogger("playstream")


def rotate(base: Path | None, keep: int) -> list[Path]:
    """Remove the oldest artifact directories below `base`, by their time of change.

    Links, files, other directories, and active runs are kept. Directories that another run removes meanwhile are
    ignored, and those that cannot be read or removed are logged as a warning. If `latest` is a link to a removed run,
    it becomes one to the newest that is left.

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
    from playstream.process.kept_runs import list_directories  # noqa: PLC0415 - most runs rotate nothing

    try:
        return list_directories(base)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _logger.warning("cannot remove old artifacts in %s: %s", base, error.strerror)
        return []


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
