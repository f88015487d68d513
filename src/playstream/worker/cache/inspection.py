"""What is in a cache, and whether it is intact."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from playstream.pipeline.io import system
from playstream.pipeline.tree.digests import algorithms, digest
from playstream.pipeline.tree.directories import remove
from playstream.worker.cache.place import (
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
from playstream.worker.cache.ready import list_ready, remove_ready
from playstream.worker.cache.store import TRANSIENT, read_object


@dataclass(slots=True)
class Division:
    """What the cache has of one sender."""

    sender: str
    algorithm: str
    """The hash function of the names."""
    objects: int = 0
    """Number of files and listings."""
    bytes: int = 0
    """What all of it takes on the disk."""
    trees: int = 0
    """Number of trees of which something is there."""
    ready: int = 0
    """Number of trees that are ready for the next job; `bytes` counts them too."""
    last_used: float | None = None
    """When an object was used last, in seconds since 1970; None if there is none."""


def measure(place: int) -> Iterator[Division]:
    """Count what is in the cache, sender by sender.

    Args:
        place: a descriptor of the place.

    Raises:
        OSError: it cannot be read.
    """
    shards = list_shards(place)
    ready = list_ready(place)
    for sender, algorithm in list_divisions(place):
        found = Division(sender, algorithm, trees=len(list_names(place, f"{sender}/{algorithm}/{TREES}")))
        for shard in shards:
            if shard.path.startswith(f"{sender}/{algorithm}/"):
                for name, entry in scan(place, shard):
                    if is_object(name):
                        found.objects += 1
                        found.bytes += cost(entry.st_size)
                        found.last_used = max(found.last_used or 0.0, entry.st_mtime)
        for tree in ready:
            if tree.path.startswith(f"{sender}/{algorithm}/"):
                found.ready += 1
                found.bytes += tree.bytes
        yield found


@dataclass(slots=True)
class Verification:
    """What was found when everything was read."""

    intact: int = 0
    """Number of objects that are what their names say."""
    removed: int = 0
    """Number of damaged objects, and of entries that are none, which were removed."""
    stuck: list[tuple[str, str]] = field(default_factory=list)
    """Those that could not be removed, and why."""
    unknown: list[str] = field(default_factory=list)
    """Hash functions that this host does not have. Their objects were not read."""


def verify(place: int) -> Verification:
    """Read every object, and remove what is damaged. This counts as no use.

    Trees that are ready for the next job are removed: they are not what is read, and are made again.

    Args:
        place: a descriptor of the place.

    Raises:
        OSError: the cache cannot be read.
    """
    done = Verification()
    for tree in list_ready(place):
        try:
            remove_ready(place, tree.path)
        except OSError as error:
            done.stuck.append((tree.path, error.strerror or str(error)))
    for shard in list_shards(place):
        if shard.algorithm in algorithms():
            _verify(place, shard, done)
        elif shard.algorithm not in done.unknown:
            done.unknown.append(shard.algorithm)
    return done


def _verify(place: int, shard: Shard, done: Verification) -> None:
    for name, _ in scan(place, shard):
        if is_temporary(name):
            continue  # a job is about to complete it, or an eviction will remove it
        path = f"{shard.path}/{name}"
        intact = is_object(name) and _is_intact(place, path, bytes.fromhex(shard.first + name), shard.algorithm)
        if intact is None:
            continue
        if intact:
            done.intact += 1
            continue
        try:
            remove(place, path)
        except OSError as error:
            done.stuck.append((path, error.strerror or str(error)))
        else:
            done.removed += 1


def _is_intact(place: int, path: str, expected: bytes, algorithm: str) -> bool | None:
    """Return whether an object has its hash; None if it is not there any more.

    Raises:
        OSError: this process, or the system, can open no more files.
    """
    try:
        fd = os.open(path, system.READ_FILE, dir_fd=place)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in TRANSIENT:
            raise
        return False
    try:
        found = read_object(fd)
    finally:
        os.close(fd)
    return found is not None and digest(found.data, algorithm) == expected
