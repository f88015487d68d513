"""Trees that are ready for the next job: each is the directory of an earlier one, as it was before that job.

Most jobs bring the tree of the last one, or nearly. Such a job renames the directory into its spool, and writes what is
missing there. The cache has all objects of a ready tree, so one may be removed at any time:

    VERSION/SENDER/ALGORITHM/ready/ROOT/tree     the directory
    VERSION/SENDER/ALGORITHM/ready/ROOT/written  what was written into it
    VERSION/SENDER/ALGORITHM/ready/.NAME         one that is being removed

Renaming decides which of several jobs gets it. That needs a spool on the file system of the cache.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from playstream.pipeline.io import system
from playstream.pipeline.tree.directories import make_directory, mode_of, remove
from playstream.worker.cache.place import list_divisions, list_names
from playstream.worker.cache.written import Written, decode, restore

READY = "ready"
MAX_READY = 4
"""Number of trees of one sender that are ready."""
_TAKEN = "taken"
"""The directory in a spool of what was ready, which is removed with the spool if it is of no use."""
_TREE, _WRITTEN = "tree", "written"


def take(objects: int, roots: Sequence[bytes], target: Path) -> Written | None:
    """Move a ready tree into a spool, and remove what the last job has changed.

    Args:
        objects: a descriptor of the directory of a sender's objects.
        roots: the hashes of the trees that are of use, the best first.
        target: an empty directory of the spool, which becomes the tree.

    Returns:
        What is there now; None if no such tree is ready, and the target is as it was.
    """
    aside = target.parent / _TAKEN
    for root in roots:
        try:
            os.rename(f"{READY}/{root.hex()}", aside, src_dir_fd=objects)
        except OSError:
            continue  # it is not there
        try:
            written = _read(aside / _WRITTEN)
            if written is not None and written.root == root:
                left = restore(aside / _TREE, written)
                os.rename(aside / _TREE, target)
                return left
        except OSError:
            pass  # a job has left something that this user cannot remove
        return None
    return None


def put_back(objects: int, written: Written, target: Path) -> bool:
    """Make the tree of a job, which `restore` has cleaned, ready for the next one.

    Args:
        objects: a descriptor of the directory of a sender's objects.
        written: what is in the tree.
        target: the directory of the tree, in the spool.

    Returns:
        False if the target remains in the spool, because such a tree is ready already or it cannot be moved.
    """
    aside, name = target.parent / READY, written.root.hex()
    try:
        aside.mkdir(0o700)  # a job may have left a link there
        with os.fdopen(os.open(aside / _WRITTEN, system.NEW_FILE, 0o600), "wb") as file:
            file.write(written.encode())
        place = make_directory(objects, READY)
        try:
            if mode_of(place, name) is not None:
                return False
            os.rename(target, aside / _TREE)
            _make_room(place, target.parent)
            os.rename(aside, name, dst_dir_fd=place)
        finally:
            os.close(place)
    except OSError:
        return False
    return True


def _make_room(place: int, spool: Path) -> None:
    """Move the oldest ready trees into a spool, which is about to be removed, until there is room for another one."""
    names = [name for name in os.listdir(place) if not name.startswith(".")]
    if len(names) >= MAX_READY:
        names.sort(key=lambda name: os.stat(name, dir_fd=place, follow_symlinks=False).st_mtime_ns)
    for name in names[: 1 - MAX_READY]:
        with suppress(FileNotFoundError):  # another job has taken it
            os.rename(name, spool / f"old-{name}", src_dir_fd=place)


class ReadyTree(NamedTuple):
    """A tree that is ready."""

    path: str
    """Its directory, relative to the place."""
    used_at: int
    """When it was put there, in nanoseconds since 1970."""
    bytes: int
    """What it takes on the disk."""
    of_use: bool
    """Whether a job could take it: nobody has begun to remove it, and it is neither damaged nor of before a restart."""


def list_ready(place: int) -> list[ReadyTree]:
    """Return all ready trees of a cache, the oldest first.

    Args:
        place: a descriptor of the place.

    Raises:
        OSError: the cache cannot be read.
    """
    return sorted(_list_ready(place), key=lambda tree: tree.used_at)


def _list_ready(place: int) -> Iterator[ReadyTree]:
    for sender, algorithm in list_divisions(place):
        above = f"{sender}/{algorithm}/{READY}"
        for name in list_names(place, above):
            path = f"{above}/{name}"
            with suppress(FileNotFoundError):  # a job has taken it
                used_at = os.stat(path, dir_fd=place, follow_symlinks=False).st_mtime_ns
                written = _read(f"{path}/{_WRITTEN}", place)
                of_use = written is not None and not name.startswith(".")
                yield ReadyTree(path, used_at, 0 if written is None else written.cost, of_use)


def remove_ready(place: int, path: str) -> None:
    """Remove a ready tree, unless a job takes it at this moment.

    Args:
        place: a descriptor of the place.
        path: its directory.

    Raises:
        OSError: something of it remains.
    """
    above, name = path.rsplit("/", 1)
    try:
        fd = os.open(above, system.READ_DIRECTORY, dir_fd=place)
    except FileNotFoundError:
        return
    try:
        gone = f".{os.urandom(8).hex()}"
        with suppress(FileNotFoundError):
            os.rename(name, gone, src_dir_fd=fd, dst_dir_fd=fd)
            remove(fd, gone)
    finally:
        os.close(fd)


def _read(path: str | Path, place: int | None = None) -> Written | None:
    """Read what was written; return None if it is missing, damaged or of before a restart, or cannot be read."""
    try:
        fd = os.open(path, system.READ_FILE, dir_fd=place)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return None
        with open(fd, "rb", closefd=False) as file:
            return decode(file.read())
    except OSError:
        return None
    finally:
        os.close(fd)
