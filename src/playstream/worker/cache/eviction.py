"""Evicting objects: those that were not used for the longest time, until the cache has its size again.

Only one process evicts at a time; others do not wait for it. The names of objects are hashes, so every directory of
them is a random sample of a sender's. Directories are therefore taken in random order, and if the time does not suffice
for all, the rest is inferred from those that were counted.
"""

from __future__ import annotations

import os
import random
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from playstream.pipeline.io import system
from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.tree.directories import mode_of
from playstream.worker.cache.active import oldest_start
from playstream.worker.cache.place import (
    LOCK,
    SIZE,
    TREES,
    Shard,
    cost,
    is_object,
    is_temporary,
    list_divisions,
    list_names,
    list_shards,
    scan,
)
from playstream.worker.cache.ready import ReadyTree, list_ready, remove_ready

_SPARE = 0.1
"""The part of its size that a full cache gets free, so that not every job evicts."""
_COUNTED_SECONDS = 24 * 3600
"""A count that is older is repeated, because killed workers do not say what they have added."""
_FILE = os.O_RDWR | os.O_CREAT | system.O_NOFOLLOW | system.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Evicted:
    """What an eviction has done."""

    objects: int
    """Number of objects that were removed."""
    bytes: int
    """What they have taken on the disk."""
    left: int
    """What the remaining ones take; inferred if the time did not suffice."""


def evict_if_due(place: int, added: int, max_bytes: int, seconds: float) -> None:
    """Note what a job has added, and evict if the cache is too large, or was not counted for a day.

    Args:
        place: a descriptor of the place.
        added: bytes that the job has added.
        max_bytes: the size of the cache.
        seconds: how long that may take.

    Raises:
        OSError: the cache cannot be read or written, or its file system has no locks.
    """
    size = _add(place, added)
    if size is not None and size <= max_bytes:
        return
    with evicting(place) as alone:
        if alone:
            evict(place, max_bytes, spare=_SPARE, seconds=seconds)


@contextmanager
def evicting(place: int) -> Iterator[bool]:
    """Yield whether this process may evict: no other one does, until the end of the with statement.

    Raises:
        OSError: the file system has no locks.
    """
    fd = os.open(LOCK, _FILE, 0o600, dir_fd=place)
    try:
        yield try_lock(fd)
    finally:
        os.close(fd)


def horizon(place: int) -> int:
    """Return a time in nanoseconds: what was last used before it is used by no job.

    Call it while `evicting`.

    Raises:
        OSError: the cache cannot be read, or its file system has no locks.
    """
    os.utime(LOCK, dir_fd=place)
    now = os.stat(LOCK, dir_fd=place).st_mtime_ns  # by the clock of the file system; a job that begins later is younger
    oldest = oldest_start(place)
    return now if oldest is None else min(now, oldest)


def evict(place: int, max_bytes: int, *, spare: float = 0.0, seconds: float | None = None) -> Evicted:
    """Evict objects that no job uses, those first that were not used for the longest time, and what is left over.

    Call it while `evicting`.

    Args:
        place: a descriptor of the place.
        max_bytes: the size of the cache.
        spare: the part of it that is freed too, if anything has to be evicted.
        seconds: how long that may take; None for no limit.

    Raises:
        OSError: the cache cannot be read, or its file system has no locks.
    """
    begun = time.monotonic()
    oldest = horizon(place)
    ready = _Ready(place)
    shards = list_shards(place)
    random.shuffle(shards)
    count = _Count()
    counted = 0
    for shard in shards:
        if counted and seconds is not None and time.monotonic() > begun + seconds / 2:
            break
        count.add(place, shard, oldest)
        counted += 1
    part = counted / len(shards) if shards else 1.0
    excess = 0.0
    if count.total / part + ready.total > max_bytes:
        ready.remove(count.total / part + ready.total - max_bytes * (1 - spare))
        excess = max(0.0, count.total - (max_bytes * (1 - spare) - ready.total) * part)
    removal = _Removal(place, *count.find_limit(excess, oldest))
    for number, shard in enumerate(shards[:counted] if excess else ()):
        if number and seconds is not None and time.monotonic() > begun + seconds:
            break
        removal.remove_from(shard)
    if seconds is None or removal.objects:
        _forget_trees(place)
    left = int(count.total / part) - removal.bytes + ready.total
    _write_size(place, left)
    return Evicted(removal.objects, removal.bytes + ready.removed, left)


class _Ready:
    """The trees that are ready for the next job. They are removed before any object: they can be made again from these.

    Args:
        place: a descriptor of the place.
    """

    def __init__(self, place: int) -> None:
        self._place = place
        self._trees = [tree for tree in list_ready(place) if tree.of_use or not self._remove(tree)]
        self.total = sum(tree.bytes for tree in self._trees)
        """What they take on the disk, in bytes."""
        self.removed = 0
        """What those have taken that were removed."""

    def remove(self, excess: float) -> None:
        """Remove the oldest ones until so many bytes are free, or all."""
        for tree in self._trees:
            if excess <= self.removed:
                break
            if self._remove(tree):
                self.removed += tree.bytes
                self.total -= tree.bytes

    def _remove(self, tree: ReadyTree) -> bool:
        """Remove one; return False if something of it remains."""
        try:
            remove_ready(self._place, tree.path)
        except OSError:
            return False
        return True


class _Count:
    """The times and sizes of objects. Their names are not kept: there may be hundreds of thousands."""

    def __init__(self) -> None:
        self._times = array("q")
        self._sizes = array("q")

    @property
    def total(self) -> int:
        """What all objects take on the disk, in bytes."""
        return sum(self._sizes)

    def add(self, place: int, shard: Shard, oldest: int) -> None:
        """Add the objects of a shard, and remove what killed workers have left in it.

        Args:
            place: a descriptor of the place.
            shard: the shard.
            oldest: what is older belongs to no active job, in nanoseconds.
        """
        for name, found in scan(place, shard):
            if is_object(name):
                self._times.append(found.st_mtime_ns)
                self._sizes.append(cost(found.st_size))
            elif is_temporary(name) and found.st_mtime_ns < oldest:
                with suppress(OSError):
                    os.unlink(f"{shard.path}/{name}", dir_fd=place)

    def find_limit(self, excess: float, oldest: int) -> tuple[int, float]:
        """Find out which objects to remove.

        Args:
            excess: how much to free, in bytes.
            oldest: what was used then, or later, stays, in nanoseconds.

        Returns:
            When those were last used that are still to be removed, in nanoseconds: all that are older, and of those
            with this time as many as have this size together.
        """
        limit = 0
        rest = excess
        for number in sorted(range(len(self._times)), key=self._times.__getitem__):
            if excess <= 0 or self._times[number] >= oldest:
                break
            if self._times[number] != limit:
                limit, rest = self._times[number], excess
            excess -= self._sizes[number]
        return limit, rest


class _Removal:
    """Removes objects that were not used since a time.

    Args:
        place: a descriptor of the place.
        limit: the time, in nanoseconds; older objects are removed.
        rest: how much of those with this time is removed, in bytes.
    """

    def __init__(self, place: int, limit: int, rest: float) -> None:
        self._place = place
        self._limit = limit
        self._rest = rest
        self.objects = 0
        """Number of objects that were removed."""
        self.bytes = 0
        """What they have taken on the disk."""

    def remove_from(self, shard: Shard) -> None:
        """Remove objects of a shard, and the shard if it is empty then. A use since the count is noticed."""
        kept = 0
        for name, found in scan(self._place, shard):
            size = cost(found.st_size)
            last = found.st_mtime_ns
            if not is_object(name) or last > self._limit or (last == self._limit and self._rest <= 0):
                kept += 1
                continue
            try:
                os.unlink(f"{shard.path}/{name}", dir_fd=self._place)
            except OSError:
                kept += 1  # it is a directory, for example, which `verify` removes
                continue
            self.objects += 1
            self.bytes += size
            self._rest -= size if last == self._limit else 0
        if not kept:
            with suppress(OSError):
                os.rmdir(shard.path, dir_fd=self._place)


def _forget_trees(place: int) -> None:
    """Forget when trees were used whose objects have been evicted."""
    for sender, algorithm in list_divisions(place):
        above = f"{sender}/{algorithm}"
        for root in list_names(place, f"{above}/{TREES}"):
            with suppress(OSError):
                if mode_of(place, f"{above}/{root[:2]}/{root[2:]}") is None:
                    os.unlink(f"{above}/{TREES}/{root}", dir_fd=place)


def known_size(place: int) -> int | None:
    """Return what all of a cache takes on the disk as far as that is written down, in bytes; None if it is not known.

    Raises:
        OSError: the cache cannot be read or written.
    """
    return _add(place, 0)


def _add(place: int, added: int) -> int | None:
    """Add to what is written about the size; return it, or None if it is unknown or too old."""
    fd = os.open(SIZE, _FILE | os.O_APPEND, 0o600, dir_fd=place)
    try:
        size = os.fstat(fd).st_size
        words = os.pread(fd, size, 0).split()
        if added and words:
            os.write(fd, b"%d\n" % added)
    finally:
        os.close(fd)
    try:
        counted_at, *sizes = map(int, words)
    except ValueError:
        return None
    if not 0 <= time.time() - counted_at < _COUNTED_SECONDS:
        return None
    return sum(sizes) + added


def _write_size(place: int, size: int) -> None:
    fd = os.open(SIZE, _FILE | os.O_TRUNC, 0o600, dir_fd=place)
    try:
        os.write(fd, b"%d\n%d\n" % (time.time(), size))
    finally:
        os.close(fd)
