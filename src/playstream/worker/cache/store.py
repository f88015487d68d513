"""The objects of one sender: reading, writing and keeping track of what a job uses.

Every object is verified when it is read, so nothing is synced to the disk: what a crash has damaged is removed and sent
again. Other processes may add and evict objects at any time.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from playstream.pipeline.io import system
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.tree.digests import DIGEST_SIZE, algorithms
from playstream.pipeline.tree.digests import digest as digest_of
from playstream.pipeline.tree.directories import make_directory, mode_of, remove
from playstream.pipeline.tree.user_cache import is_private
from playstream.worker.cache.active import ActiveJob
from playstream.worker.cache.place import MAX_OBJECT_BYTES, TREES, cost, list_names, object_path, open_place
from playstream.worker.cache.ready import READY, put_back, take
from playstream.worker.cache.senders import check_sender
from playstream.worker.cache.written import Written, restore

EVICTION_SECONDS = 2.0
"""How long the end of a job may evict."""
TRANSIENT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of open(2) that say nothing about the file."""
_MAX_FAILURES = 10
"""Number of objects that could not be written after which no other one is tried."""
_ATTEMPTS = 10
_AHEAD = 16
"""Number of objects that are read ahead at once: a megabyte of blocks."""


class Store:
    """Objects of one sender on this host's disk, each named by the hash of its bytes. Use `with`, or `close` it.

    A job that begins while another one evicts may find that an object has vanished after `holds` was True.

    Args:
        directory: the cache; made if it is missing.
        sender: the name of the division, as in `senders`.
        algorithm: one of `digests.algorithms()`.
        max_bytes: size to which the cache, with all its divisions, is reduced by `close`.

    Raises:
        ConfigurationError: the directory cannot be used, belongs to another user, or is open to others; or the sender
            has no valid name.
        ValueError: this host does not have the algorithm.
    """

    def __init__(self, directory: Path, sender: str, algorithm: str, max_bytes: int) -> None:
        if algorithm not in algorithms():
            raise ValueError(f"expected {' or '.join(algorithms())}, got the algorithm {algorithm!r}")
        self._directory = directory
        self._sender = check_sender(sender)
        self._algorithm = algorithm
        self._max_bytes = max_bytes
        self._trouble: str | None = None
        self._failures = 0
        self._written = 0
        """How many bytes it has added, without ready trees."""
        self._moved = 0
        """How many it has added with them; less than 0 if it has taken more."""
        self._job: ActiveJob | None = None
        self._objects: int | None = None
        """The directory of the objects; None if it cannot be used."""
        self._token = os.urandom(8).hex()
        place = open_place(directory)
        if place is None:
            raise AssertionError("it is made if it is missing")
        self._place: int | None = own_descriptor(place)
        self._room = _free_room(place, max_bytes)
        """How many bytes this job may add."""
        self._started = 0
        try:
            self._job = ActiveJob(place)
            self._started = self._job.started
            self._objects = self._open_objects(place)
        except OSError as error:
            self._note(error)

    def _open_objects(self, place: int) -> int:
        division = make_directory(place, self._sender)
        try:
            objects = own_descriptor(make_directory(division, self._algorithm))
            if is_private(division) and is_private(objects):
                return objects
        finally:
            os.close(division)
        close_owned(objects)
        raise PermissionError(errno.EPERM, f"{self._sender} in it belongs to another user, or is open to others")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def trouble(self) -> str | None:
        """Why objects could not be stored; None if all could be."""
        return self._trouble

    def read(self, digest: bytes) -> bytes | None:
        """Return an object whose bytes have that hash. Never raises OSError.

        Returns:
            None if it is missing, damaged (then it is removed), or cannot be read.
        """
        if self._objects is None or len(digest) != DIGEST_SIZE:
            return None
        path = object_path(digest)
        try:
            fd = os.open(path, system.READ_FILE, dir_fd=self._objects)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno not in TRANSIENT:
                self._remove(path)
            return None
        try:
            found = read_object(fd)
            if found is not None and digest_of(found.data, self._algorithm) == digest:
                if found.used_at < self._started:
                    with suppress(OSError):
                        os.utime(fd)
                return found.data
        finally:
            os.close(fd)
        self._remove(path)
        return None

    def read_ahead(self, digests: Sequence[bytes]) -> Iterator[bytes | None]:
        """Yield many objects in their order, as `read` returns them. A thread verifies the next ones meanwhile."""
        batches = [digests[start : start + _AHEAD] for start in range(0, len(digests), _AHEAD)]
        with ThreadPoolExecutor(1, "playstream-cache") as reader:

            def read(batch: Sequence[bytes]) -> Future[list[bytes | None]]:
                return reader.submit(lambda: [self.read(digest) for digest in batch])

            coming = read(batches[0])
            for following in [*batches[1:], None]:
                found = coming.result()
                if following is not None:
                    coming = read(following)
                yield from found

    def holds(self, digest: bytes) -> bool:
        """Return whether an object seems to be there; it is not read. It then counts as used by this job."""
        if self._objects is None or len(digest) != DIGEST_SIZE:
            return False
        try:
            os.utime(object_path(digest), dir_fd=self._objects, follow_symlinks=False)
        except OSError:
            return False
        return True

    def write(self, data: bytes, digest: bytes | None = None) -> bytes:
        """Store an object. If that fails, `trouble` says why, and nothing is raised.

        Args:
            data: its bytes.
            digest: the hash that is expected; an object that has another one is not stored.

        Returns:
            The hash of the bytes, which is always computed.
        """
        computed = digest_of(data, self._algorithm)
        if digest is None or digest == computed:
            self._keep(data, computed)
        return computed

    def use_tree(self, root: bytes) -> None:
        """Note that a tree was completed or used now."""
        if self._objects is None or len(root) != DIGEST_SIZE:
            return
        try:
            trees = make_directory(self._objects, TREES)
            try:
                os.close(os.open(root.hex(), system.NEW_FILE & ~os.O_EXCL, 0o600, dir_fd=trees))
                os.utime(root.hex(), dir_fd=trees, follow_symlinks=False)
            finally:
                os.close(trees)
        except OSError as error:
            self._note(error)

    def is_near(self, target: Path) -> bool:
        """Return whether a directory is on the file system of the cache, so that it can be moved there."""
        try:
            return self._objects is not None and os.stat(target).st_dev == os.fstat(self._objects).st_dev
        except OSError:
            return False

    def which_ready(self, roots: Sequence[bytes]) -> list[bytes]:
        """Return those of these trees that seem to be ready, in their order."""
        try:
            names = set() if self._objects is None else set(list_names(self._objects, READY))
        except OSError:
            return []
        return [root for root in roots if root.hex() in names]

    def take_ready(self, roots: Sequence[bytes], target: Path) -> Written | None:
        """Move the tree of an earlier job into the spool of this one, as it was before that job.

        Args:
            roots: the hashes of the trees that are of use, the best first.
            target: an empty directory of the spool, which becomes the tree.

        Returns:
            What is there now; None if no such tree is ready, and the target is as it was.
        """
        names = [root for root in roots if len(root) == DIGEST_SIZE]
        taken = None if self._objects is None else take(self._objects, names, target)
        if taken is not None:
            self._moved -= taken.cost
        return taken

    def keep_ready(self, written: Written, target: Path) -> None:
        """Make the tree of this job, which has ended, ready for the next one, if there is room.

        Its objects count as used now. It is not kept if one of them is missing, because then it would be the only copy.

        Args:
            written: what was in the tree before the job.
            target: the directory of the tree, in the spool.
        """
        from playstream.worker.cache.eviction import known_size  # noqa: PLC0415 - not before the job has ended

        if self._place is None or self._objects is None or self._trouble is not None:
            return
        needed = written.cost
        try:
            free = os.fstatvfs(self._place)
            size = known_size(self._place)
            if (
                free.f_bavail * free.f_frsize < needed
                or (size or 0) + self._written + self._moved + needed > self._max_bytes
            ):
                return
            left = restore(target, written)
        except OSError:
            return  # the job has left something that this user cannot remove
        if all(map(self.holds, left.objects)) and put_back(self._objects, left, target):
            self._moved += needed

    def release(self) -> None:
        """Say that this job needs no more objects: what it has used may be evicted while it runs."""
        if self._job is not None:
            self._job.release()

    def close(self) -> None:
        """Close the store, and evict what has not been used for the longest time if the cache is too large.

        That takes at most about EVICTION_SECONDS, and waits for no other process. Calling it again does nothing.
        """
        if self._place is None:
            return
        place, self._place = self._place, None
        self.release()
        if self._objects is not None:
            close_owned(self._objects)
            self._objects = None
        try:
            from playstream.worker.cache.eviction import evict_if_due  # noqa: PLC0415 - not before the job has ended

            evict_if_due(place, self._written + self._moved, self._max_bytes, EVICTION_SECONDS)
        except OSError:
            pass  # the next job tries it again
        finally:
            close_owned(place)

    def _keep(self, data: bytes, digest: bytes) -> None:
        if self._objects is None or self._failures >= _MAX_FAILURES:
            return
        path = object_path(digest)
        if self._is_there(self._objects, path, len(data)):
            return
        needed = cost(len(data))
        if len(data) > MAX_OBJECT_BYTES or self._written + needed > self._room:
            self._trouble = self._trouble or (
                f"the cache {str(self._directory)!r} takes no more of this job, which brings more than "
                + (
                    f"its size, {self._max_bytes} bytes (--cache-size)"
                    if self._room == self._max_bytes
                    else "half of the free space on its disk"
                )
            )
            return
        try:
            self._put(self._objects, data, path)
        except OSError as error:
            self._note(error)
        else:
            self._written += needed

    def _is_there(self, objects: int, path: str, size: int) -> bool:
        try:
            found = os.stat(path, dir_fd=objects, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                return False
            if found.st_mtime_ns < self._started:
                os.utime(path, dir_fd=objects, follow_symlinks=False)
        except OSError:
            return False
        return True

    def _put(self, objects: int, data: bytes, path: str) -> None:
        """Write an object under another name, and give it its own when it is complete."""
        shard, rest = path[:2], path[3:]
        temporary = f"{shard}/.{self._token}-{rest}"
        fd = _create(objects, shard, temporary)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
            finally:
                os.close(fd)
            try:
                os.rename(temporary, path, src_dir_fd=objects, dst_dir_fd=objects)
            except IsADirectoryError:
                remove(objects, path)
                os.rename(temporary, path, src_dir_fd=objects, dst_dir_fd=objects)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=objects)
            raise

    def _remove(self, path: str) -> None:
        if self._objects is not None:
            with suppress(OSError):
                remove(self._objects, path)

    def _note(self, error: OSError) -> None:
        self._failures += 1
        reason = error.strerror or str(error)
        self._trouble = self._trouble or f"the cache {str(self._directory)!r} cannot be written: {reason}"


class Found(NamedTuple):
    """What is in a file. It has not been verified."""

    data: bytes
    used_at: int
    """When it was used last, in nanoseconds since 1970."""


def read_object(fd: int) -> Found | None:
    """Return what is in an open file; None if it cannot be an object."""
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_OBJECT_BYTES:
            return None
        data = os.read(fd, found.st_size + 1)
        while len(data) < found.st_size and (more := os.read(fd, found.st_size - len(data))):
            data += more
    except OSError:
        return None
    return Found(data, found.st_mtime_ns)


def _create(objects: int, shard: str, path: str) -> int:
    """Create a file in a shard, which is made if it is missing or something else is in its place."""
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError, NotADirectoryError):
            return os.open(path, system.NEW_FILE, 0o600, dir_fd=objects)
        if not stat.S_ISDIR(mode_of(objects, shard) or stat.S_IFDIR):
            remove(objects, shard)
        with suppress(FileNotFoundError):  # an eviction may remove the empty shard at once
            os.close(make_directory(objects, shard))
    return os.open(path, system.NEW_FILE, 0o600, dir_fd=objects)


def _free_room(place: int, max_bytes: int) -> int:
    """Return how many bytes a job may add: at most half of what the disk has free, which the job itself needs."""
    try:
        found = os.fstatvfs(place)
    except OSError:
        return max_bytes
    return min(max_bytes, found.f_bavail * found.f_frsize // 2) if found.f_blocks else max_bytes
