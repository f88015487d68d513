"""Jobs that use the cache now: nothing that one of them has used since its start is evicted.

Each holds the lock (flock) of a file, whose time is that of its start. The kernel releases the lock of a killed worker,
and the next eviction removes its file. All times are those of the file system, because it dates the objects too.
"""

from __future__ import annotations

import os
from contextlib import suppress

from playstream.pipeline.io import system
from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.tree.directories import make_directory
from playstream.worker.cache.place import JOBS

_ATTEMPTS = 10
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | system.O_NOFOLLOW | system.O_CLOEXEC


class ActiveJob:
    """A job that uses the cache.

    Args:
        place: a descriptor of the place.

    Raises:
        OSError: it cannot be registered.
    """

    def __init__(self, place: int) -> None:
        self._jobs = own_descriptor(make_directory(place, JOBS))
        self._lock: int | None = None
        try:
            self._register()
        except BaseException:
            close_owned(self._jobs)
            raise

    def _register(self) -> None:
        for _ in range(_ATTEMPTS):
            name = os.urandom(8).hex()
            fd = os.open(name, _NEW, 0o600, dir_fd=self._jobs)
            try:
                locked = try_lock(fd)
            except OSError:
                locked = True  # a file system without locks, where nothing is evicted
            found = os.fstat(fd)
            if locked and found.st_nlink:
                self._name, self._lock, self.started = name, own_descriptor(fd), found.st_mtime_ns
                return
            os.close(fd)  # an eviction has taken it for that of a dead worker
        raise OSError("evictions have removed the file of the job")

    def release(self) -> None:
        """Let others evict what the job has used. Calling it again does nothing."""
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        with suppress(OSError):
            os.unlink(self._name, dir_fd=self._jobs)
        close_owned(lock)
        close_owned(self._jobs)


def oldest_start(place: int) -> int | None:
    """Return when the oldest active job was started, in nanoseconds; None if there is none.

    What killed workers have left is removed.

    Raises:
        OSError: the cache cannot be read, or the file system has no locks.
    """
    jobs = make_directory(place, JOBS)
    try:
        starts = [start for name in os.listdir(jobs) if (start := _start_of(jobs, name)) is not None]
    finally:
        os.close(jobs)
    return min(starts, default=None)


def _start_of(jobs: int, name: str) -> int | None:
    """Return when a job was started; None if it is not active."""
    try:
        fd = os.open(name, system.READ_FILE, dir_fd=jobs)
    except FileNotFoundError:
        return None
    try:
        if not try_lock(fd, shared=True):
            return os.fstat(fd).st_mtime_ns
        os.unlink(name, dir_fd=jobs)
    except FileNotFoundError:
        pass  # it has ended meanwhile
    finally:
        os.close(fd)
    return None
