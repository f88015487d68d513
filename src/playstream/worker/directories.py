"""The directories of jobs: new ones, those that a job uses (and locks), and those that are never removed."""

from __future__ import annotations

import base64
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.locks import is_at, try_lock
from playstream.pipeline.job.ident import ARTIFACTS
from playstream.pipeline.tree.directories import make_private
from playstream.worker.guard import Guard

_PATIENCE_SECONDS = 1.0
"""How long a process that only checks, or removes the directory, may hold a lock."""
_LOOK_SECONDS = 0.02


def take_directory(path: Path, *, alone: bool) -> int:
    """Create a directory if it is missing, and lock it.

    Args:
        path: the directory.
        alone: False to share it with other jobs.

    Returns:
        A descriptor of the directory. The lock is held until it is closed.

    Raises:
        ConfigurationError: another job uses it, and one of the two cannot share it.
        OSError: it cannot be created or opened.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            make_private(path)
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise
            continue  # its last user has removed it meanwhile
        free = is_free(fd, shared=not alone)
        if free and is_at(path, fd) and not (alone and is_locked_below(path)):
            return fd
        os.close(fd)
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"{str(path)!r} is in use by another job, and one of the two jobs would remove it (--delete). Nothing "
                "was removed; wait for the other job, or use another --private-data-dir"
            )
        time.sleep(_LOOK_SECONDS)


def is_free(fd: int, *, shared: bool = False) -> bool:
    """Try to take the lock of a file or directory. Return False if another process holds it."""
    try:
        return try_lock(fd, shared=shared)
    except OSError:
        return True  # a file system without locks


def is_locked_below(path: Path) -> bool:
    """Return whether a run is active in a private data directory: a run locks its artifacts and its marker file.

    If an entry belongs to another user and cannot be checked, this returns True.
    """
    return any(_is_locked(item) for item in _list_lockable(path))


def _list_lockable(path: Path) -> Iterator[Path]:
    artifacts = path / ARTIFACTS
    if not artifacts.is_symlink():
        yield artifacts
    for directory in (artifacts, artifacts / ".running"):
        try:
            names = os.listdir(directory)
        except OSError:
            continue  # missing, removed meanwhile, or not accessible: then only the lock of the directory itself counts
        yield from (item for item in map(directory.joinpath, names) if not item.is_symlink())


def _is_locked(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        return _is_anothers(path)
    except OSError:
        return False
    try:
        return not is_free(fd, shared=True)
    finally:
        os.close(fd)


def _is_anothers(path: Path) -> bool:
    try:
        return path.lstat().st_uid != os.geteuid()
    except OSError:
        return False


def make_new_directory(place: Path, prefix: str, guard: Guard | None) -> Path:
    """Create a directory that only this user can enter, with an unpredictable name.

    Args:
        place: the parent directory.
        prefix: the beginning of its name; 8 letters and digits follow.
        guard: removes it if this process dies, from the moment of its creation.

    Returns:
        The directory.

    Raises:
        OSError: it cannot be created.
    """
    while True:
        path = place / (prefix + base64.b32encode(os.urandom(5)).decode().lower())
        if guard is not None:
            guard.own(path)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            if guard is not None:
                guard.disown(path)
        else:
            # The umask may have reduced the mode. A worker that removes leftovers may have removed the directory.
            with contextlib.suppress(FileNotFoundError):
                path.chmod(0o700)
            return path


_PROTECTED = (
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/usr",
    "/var",
    "/var/lib",
    "/tmp",  # noqa: S108 - never removed, like the next two
    "/var/tmp",  # noqa: S108
    "/dev/shm",  # noqa: S108
)
_PROTECTED_TREES = ("/bin", "/boot", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")


def is_system_directory(path: Path) -> bool:
    """Return whether a directory belongs to the system, is the home or temporary directory, or a parent of these."""
    never = {Path(name).resolve() for name in (*_PROTECTED, tempfile.gettempdir(), os.path.expanduser("~"))}
    never |= {parent for known in never for parent in known.parents}
    real = path.resolve()
    return real in never or any(real.is_relative_to(Path(name).resolve()) for name in _PROTECTED_TREES)
