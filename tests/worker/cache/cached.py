"""What the tests of the cache share: stores of one place, and the files of their objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playstream.pipeline.tree.digests import digest
from playstream.worker.cache.eviction import Evicted, evict, evicting
from playstream.worker.cache.place import open_place
from playstream.worker.cache.store import Store

ALGORITHM = "blake2b"
LARGE = 1 << 30
DAY = 24 * 3600


def open_store(place: Path, sender: str = "user", max_bytes: int = LARGE) -> Store:
    """A store of a cache that may be missing."""
    return Store(place, sender, ALGORITHM, max_bytes)


def hash_of(data: bytes) -> bytes:
    return digest(data, ALGORITHM)


def file_of(place: Path, data: bytes, sender: str = "user") -> Path:
    """Where the cache keeps these bytes."""
    name = hash_of(data).hex()
    return place / "1" / sender / ALGORITHM / name[:2] / name[2:]


def fill(place: Path, *objects: bytes, sender: str = "user") -> None:
    """Let a job bring objects."""
    with open_store(place, sender) as store:
        for data in objects:
            store.write(data)
        assert store.trouble is None


@contextmanager
def opened(place: Path) -> Iterator[int]:
    """A descriptor of the place."""
    fd = open_place(place)
    assert fd is not None
    try:
        yield fd
    finally:
        os.close(fd)


def evict_to(place: Path, size: int, seconds: float | None = None) -> Evicted:
    """Evict from a cache in which nobody else evicts, as if what is there now had been used a while ago."""
    with opened(place) as fd, evicting(fd) as alone:
        assert alone
        _wait_for_the_next_tick(place)
        return evict(fd, size, seconds=seconds)


def _wait_for_the_next_tick(place: Path) -> None:
    """Wait until the clock of the file system has moved: what was used in the same tick may belong to a new job."""
    clock = place.parent / "clock"
    clock.touch()
    first = clock.stat().st_mtime_ns
    while clock.stat().st_mtime_ns == first:
        clock.touch()
