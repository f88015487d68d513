"""The list of what streams without an ident have created among the runs in an artifact directory.

The list is a file in that directory. Such a stream may only replace entries on the list. A run whose ident is on the
list replaces the entry, and rotation does not count entries on the list as runs. Entries that were changed or created
again since then do not match the list.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from playstream.pipeline.errors import UnsafePath
from playstream.pipeline.io import system
from playstream.pipeline.job.ident import KNOWN_NAMES, LATEST, MADE_LIST
from playstream.pipeline.tree.directories import mode_of, put, remove
from playstream.pipeline.tree.paths import split_path

MAX_NAMES = 10_000
"""Maximum number of names on the list, which is held in memory."""
_MAX_BYTES = 1 << 24
_NEW_LIST = f"{MADE_LIST}.new"
_IS_THERE = "which already exists and belongs to a run, or was not created by a stream without an ident. It is kept"
_FLAGS = system.O_NOFOLLOW | system.O_CLOEXEC
_Mark = list[int]
"""Inode number and modification time, which differ for another entry with the same name."""


class MadeNames:
    """The list of one directory, without entries that have changed since.

    Args:
        directory: descriptor of the directory.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, directory: int) -> None:
        self._directory = directory
        listed = _read(directory)
        self._marks = {name: [mark] for name, marks in listed.items() if (mark := _mark(directory, name)) in marks}
        self._room = MAX_NAMES - len(self._marks)

    def __contains__(self, name: str) -> bool:
        """Return whether a stream without an ident has created the entry with this name."""
        return name in self._marks and _mark(self._directory, name) in self._marks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._marks)

    def expect(self, name: str) -> None:
        """Check that a stream without an ident may create an entry with this name, and count it.

        Raises:
            UnsafePath: it must not use the name, or has too many entries.
            OSError: the entry with the name cannot be examined.
        """
        self.check(name)
        self._room -= name not in self._marks
        if self._room < 0:
            raise UnsafePath(
                f"the worker's artifacts would create more than {MAX_NAMES} entries beside the runs here. They were "
                "rejected. Give the run an ident with -i, so that it has its own directory"
            )

    def check(self, name: str) -> None:
        """Check that a stream without an ident may use a name.

        Raises:
            UnsafePath: it must not.
            OSError: the entry with the name cannot be examined.
        """
        refusal = self.refusal(name)
        if refusal is not None:
            raise _refused(name, refusal)

    def move(self, source: int, name: str) -> None:
        """Move an entry here, replacing only what is on the list, even if others write here at the same time.

        Args:
            source: descriptor of the private directory that contains it.
            name: its name, which was passed to `add` before.

        Raises:
            UnsafePath: something else was created in its place.
            OSError: it cannot be moved.
        """
        from playstream.pipeline.tree.renaming import exchange, move_new  # noqa: PLC0415 - loads ctypes

        while not move_new(source, name, self._directory, name):
            self.check(name)
            try:
                if not exchange(source, name, self._directory):
                    put(source, name, self._directory)
                    return
                if _mark(source, name) in self._marks.get(name, ()):
                    remove(source, name)
                    return
                exchange(source, name, self._directory)  # it was created between the check and the exchange
            except FileNotFoundError:
                continue  # the entry with that name was removed
            raise _refused(name, _IS_THERE)

    def refusal(self, name: str) -> str | None:
        """Explain why a stream without an ident must not use the name; None if it may.

        Raises:
            OSError: the entry with the name cannot be examined.
        """
        if name.startswith("."):
            return "and names that begin with a dot are reserved for playstream's own files"
        if name == LATEST:
            return "which is reserved for the link to the newest run"
        if _mark(self._directory, name) is not None and name not in self:
            return _IS_THERE
        return None

    def remove(self, name: str) -> None:
        """Remove the entry with a name on the list. A directory that another run created meanwhile is kept.

        Raises:
            OSError: it cannot be removed.
        """
        from playstream.pipeline.tree.renaming import move_new  # noqa: PLC0415 - loads ctypes

        aside = f".aside-{os.getpid()}-{os.urandom(8).hex()}"
        try:
            os.rename(name, aside, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except FileNotFoundError:
            return  # another run of that name has removed it
        if _mark(self._directory, aside) in self._marks[name]:
            remove(self._directory, aside)
        elif not move_new(self._directory, aside, self._directory, name):
            raise FileExistsError(
                errno.EEXIST, f"{name!r} was renamed to {aside!r}, because another entry took its name", name
            )

    def add(self, names: Iterable[str], source: int) -> None:
        """Add names to the list, before their entries are moved here.

        Args:
            names: the names to add; known names are ignored.
            source: descriptor of the directory that contains the entries.

        Raises:
            OSError: the list cannot be written.
        """
        new = {name: mark for name in names if name not in KNOWN_NAMES and (mark := _mark(source, name)) is not None}
        if not new:
            return
        for name, mark in new.items():
            # Keep both marks, because the old entry exists until the move.
            self._marks.setdefault(name, []).append(mark)
        remove(self._directory, _NEW_LIST)
        with os.fdopen(
            os.open(_NEW_LIST, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600, dir_fd=self._directory), "w"
        ) as file:
            json.dump(self._marks, file)
        if not stat.S_ISREG(mode_of(self._directory, MADE_LIST) or 0):
            remove(self._directory, MADE_LIST)
        os.rename(_NEW_LIST, MADE_LIST, src_dir_fd=self._directory, dst_dir_fd=self._directory)


def made_in(base: Path) -> frozenset[str]:
    """Return the names in a directory that streams without an ident have created.

    Raises:
        OSError: it cannot be examined.
    """
    fd = os.open(base, os.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC)
    try:
        return frozenset(MadeNames(fd))
    finally:
        os.close(fd)


def make_way(path: Path) -> None:
    """Remove only what a stream without an ident has created in the place of a run's directory.

    Raises:
        OSError: it cannot be removed.
    """
    fd = os.open(path.parent, os.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC)
    try:
        made = MadeNames(fd)
        if path.name in made:
            made.remove(path.name)
    finally:
        os.close(fd)


def _refused(name: str, why: str) -> UnsafePath:
    return UnsafePath(
        f"the worker's artifacts contain the name {name!r}, {why}. Give this run an ident with -i, so that it has its "
        "own directory"
    )


def _mark(directory: int, name: str) -> _Mark | None:
    """Return what distinguishes an entry from another one with its name; None if it does not exist."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return [status.st_ino, status.st_mtime_ns]


def _read(directory: int) -> dict[str, list[_Mark]]:
    """Read the list; empty if it is missing or damaged, so that nothing is replaced."""

    def open_at(name: str, flags: int) -> int:
        return os.open(name, flags | system.O_NONBLOCK | _FLAGS, dir_fd=directory)

    try:
        with open(MADE_LIST, "rb", opener=open_at) as file:
            listed = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(listed, dict):
        return {}
    return {name: marks for name, marks in listed.items() if isinstance(marks, list) and _is_name(name)}


def _is_name(name: str) -> bool:
    """Return whether an entry of a directory can have the name."""
    try:
        return len(split_path(os.fsencode(name))) == 1
    except (UnsafePath, UnicodeEncodeError):
        return False
