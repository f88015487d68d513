"""The directory of the cache, which only this user can enter.

    VERSION/.lock             held while objects are evicted
    VERSION/.size             how much there was at the last count, and what was added since
    VERSION/.jobs/NAME        an active job, which holds its lock
    VERSION/SENDER/ALGORITHM/ab/REST     an object, by the hexadecimal form of its hash
    VERSION/SENDER/ALGORITHM/ab/.NAME    an object that is being written
    VERSION/SENDER/ALGORITHM/trees/HASH  an empty file: when that tree was last used
    VERSION/SENDER/ALGORITHM/ready/HASH  the directory of an earlier job with that tree, for the next one

Everything is opened relative to descriptors. A later version of this layout has another number, and leaves this one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from playstream.pipeline.errors import ConfigurationError, remedy
from playstream.pipeline.io import system
from playstream.pipeline.tree.directories import make_directory, make_private
from playstream.pipeline.tree.user_cache import cache_place, is_private

VERSION = "1"
LOCK, SIZE, JOBS, TREES = ".lock", ".size", ".jobs", "trees"
MAX_OBJECT_BYTES = 1 << 24
"""Size of the largest object that is kept, in bytes."""
_BLOCK = 4096
_SHARD = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{62}")


class Shard(NamedTuple):
    """A directory of objects whose hashes begin with the same byte."""

    sender: str
    algorithm: str
    first: str
    """The first byte of the hashes, in hexadecimal form."""

    @property
    def path(self) -> str:
        """The directory, relative to the open place."""
        return f"{self.sender}/{self.algorithm}/{self.first}"


def default_place() -> Path:
    """Return the directory of the cache of this user; it may be missing."""
    return cache_place("trees")


def open_place(directory: Path, *, make: bool = True) -> int | None:
    """Return a descriptor of the part of the cache with this version of the layout.

    Args:
        directory: the directory of the cache.
        make: make what is missing.

    Returns:
        None if something is missing.

    Raises:
        ConfigurationError: it cannot be opened or made, belongs to another user, or is open to others.
    """
    try:
        if make:
            make_private(directory)
        elif not directory.exists():
            return None
        outer = os.open(directory, os.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC)
        try:
            private = is_private(outer)
            inner = _open_version(outer, make=make) if private else None
        finally:
            os.close(outer)
    except OSError as error:
        raise ConfigurationError(
            f"--cache: the directory {str(directory)!r} cannot be used: {error.strerror}. {remedy(error)}, or choose "
            "another one"
        ) from None
    if not private:
        raise ConfigurationError(
            f"--cache: the directory {str(directory)!r} belongs to another user, or is open to others, who could read "
            "what jobs bring. Choose a new directory, or one of this user with mode 0700"
        )
    return inner


def check_place(directory: Path) -> None:
    """Make the directory of a cache, and check it before anything runs.

    Raises:
        ConfigurationError: it cannot be opened or made, belongs to another user, or is open to others.
    """
    place = open_place(directory)
    if place is not None:
        os.close(place)


def _open_version(outer: int, *, make: bool) -> int | None:
    if make:
        return make_directory(outer, VERSION)
    try:
        return os.open(VERSION, system.READ_DIRECTORY, dir_fd=outer)
    except FileNotFoundError:
        return None


def object_path(digest: bytes) -> str:
    """Return the path of an object below its algorithm."""
    name = digest.hex()
    return f"{name[:2]}/{name[2:]}"


def is_object(rest: str) -> bool:
    """Return whether an entry of a shard has the name of an object."""
    return _REST.fullmatch(rest) is not None


def is_temporary(rest: str) -> bool:
    """Return whether an entry of a shard has the name of an object that is being written."""
    return rest.startswith(".")


def cost(size: int) -> int:
    """Return what an object takes on the disk, in bytes: whole blocks of 4 KiB, and at least one."""
    return max(-(-size // _BLOCK), 1) * _BLOCK


def list_divisions(place: int) -> Iterator[tuple[str, str]]:
    """Yield the senders and algorithms there are, sorted.

    Raises:
        OSError: the cache cannot be read.
    """
    for sender in sorted(os.listdir(place)):
        if not sender.startswith("."):
            for algorithm in sorted(list_names(place, sender)):
                yield sender, algorithm


def list_shards(place: int) -> list[Shard]:
    """Return all directories of objects.

    Raises:
        OSError: the cache cannot be read.
    """
    return [
        Shard(sender, algorithm, name)
        for sender, algorithm in list_divisions(place)
        for name in list_names(place, f"{sender}/{algorithm}")
        if _SHARD.fullmatch(name)
    ]


def list_names(place: int, path: str) -> list[str]:
    """Return the names in a directory; none if there is no such directory.

    Raises:
        OSError: it cannot be read.
    """
    try:
        fd = os.open(path, system.READ_DIRECTORY, dir_fd=place)
    except (FileNotFoundError, NotADirectoryError):
        return []
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)


def scan(place: int, shard: Shard) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the entries of a shard, and what lstat(2) says of each. What is missing by then is left out.

    Raises:
        OSError: it cannot be read.
    """
    try:
        fd = os.open(shard.path, system.READ_DIRECTORY, dir_fd=place)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield entry.name, found
    finally:
        os.close(fd)
