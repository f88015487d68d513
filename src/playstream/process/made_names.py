"""The list of what streams without an ident have created beside the runs in an artifact directory, which is kept there.

Such a stream may replace what is on the list and nothing else. A run whose ident is on the list takes its place, and
rotation takes nothing on it for a run. What has been changed or made anew since is not what the list says.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from playstream.pipeline.errors import UnsafePath
from playstream.pipeline.job.ident import KNOWN_NAMES, MADE_LIST
from playstream.pipeline.tree.directories import mode_of, put, remove
from playstream.pipeline.tree.paths import split_path

MAX_NAMES = 10_000
"""On the list, which is held in memory."""
_MAX_BYTES = 1 << 24
_NEW_LIST = f"{MADE_LIST}.new"
_IS_THERE = "which already exists and belongs to a run, or was not created by a stream without an ident. It is kept"
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC
_Mark = list[int]
"""Number of the inode and time of change of the content: something else in its place has others."""


class MadeNames:
    """The list of one directory, without entries that have changed since.

    Args:
        directory: descriptor of it.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, directory: int) -> None:
        self._directory = directory
        listed = _read(directory)
        self._marks = {name: [mark] for name, marks in listed.items() if (mark := _mark(directory, name)) in marks}
        self._room = MAX_NAMES - len(self._marks)

    def __contains__(self, name: str) -> bool:
        """Return whether what has the name is what a stream without an ident has made."""
        return name in self._marks and _mark(self._directory, name) in self._marks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._marks)

    def expect(self, name: str) -> None:
        """Check that a stream without an ident may create an entry of this name, and count it.

        Raises:
            UnsafePath: it may not have the name, or brings too many.
            OSError: what has the name cannot be looked at.
        """
        self.check(name)
        self._room -= name not in self._marks
        if self._room < 0:
            raise UnsafePath(
                f"the worker's artifacts would create more than {MAX_NAMES} entries beside the runs here. They were "
                "rejected. Give the run an ident with -i, so that it has its own directory"
            )

    def check(self, name: str) -> None:
        """Refuse a name that a stream without an ident may not have.

        Raises:
            UnsafePath: it is so.
            OSError: what has the name cannot be looked at.
        """
        refusal = self.refusal(name)
        if refusal is not None:
            raise _refused(name, refusal)

    def move(self, source: int, name: str) -> None:
        """Move an entry here, replacing only what is on the list, even if others write here at the same time.

        Args:
            source: descriptor of the directory that it is in, a private one.
            name: its name, which `add` was called for.

        Raises:
            UnsafePath: something has come where it was to go.
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
                exchange(source, name, self._directory)  # it came between the look and the exchange
            except FileNotFoundError:
                continue  # the entry with that name was removed
            raise _refused(name, _IS_THERE)

    def refusal(self, name: str) -> str | None:
        """Explain why a stream without an ident may not use the name; None if it may.

        Raises:
            OSError: what has the name cannot be looked at.
        """
        if name.startswith("."):
            return "and names that begin with a dot are reserved for playstream's own files"
        if _mark(self._directory, name) is not None and name not in self:
            return _IS_THERE
        return None

    def remove(self, name: str) -> None:
        """Remove what has a name on the list. Another run's directory, which may have come meanwhile, stays.

        Raises:
            OSError: it cannot be removed.
        """
        from playstream.pipeline.tree.renaming import move_new  # noqa: PLC0415 - loads ctypes

        aside = f".aside-{os.getpid()}-{os.urandom(8).hex()}"
        try:
            os.rename(name, aside, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except FileNotFoundError:
            return  # another run of that name was faster
        if _mark(self._directory, aside) in self._marks[name]:
            remove(self._directory, aside)
        elif not move_new(self._directory, aside, self._directory, name):
            raise FileExistsError(
                errno.EEXIST, f"{name!r} was renamed to {aside!r}, because another entry took its name", name
            )

    def add(self, names: Iterable[str], source: int) -> None:
        """Put names on the list, before what has them is moved here.

        Args:
            names: those to add; known names are passed over.
            source: descriptor of the directory that they are in.

        Raises:
            OSError: the list cannot be written.
        """
        new = {name: mark for name in names if name not in KNOWN_NAMES and (mark := _mark(source, name)) is not None}
        if not new:
            return
        for name, mark in new.items():
            # Both, for until the move what is there is the old one.
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
        OSError: it cannot be looked at.
    """
    fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return frozenset(MadeNames(fd))
    finally:
        os.close(fd)


def make_way(path: Path) -> None:
    """Remove what a stream without an ident has created in the place of a run's directory, and nothing else.

    Raises:
        OSError: it cannot be removed.
    """
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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
    """Return what distinguishes an entry from another one of its name; None if there is none."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return [status.st_ino, status.st_mtime_ns]


def _read(directory: int) -> dict[str, list[_Mark]]:
    """Read the list; empty if it is missing or damaged, so that nothing is replaced."""

    def open_at(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK | _FLAGS, dir_fd=directory)

    try:
        with open(MADE_LIST, "rb", opener=open_at) as file:
            listed = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(listed, dict):
        return {}
    return {name: marks for name, marks in listed.items() if isinstance(marks, list) and _is_name(name)}


def _is_name(name: str) -> bool:
    """Return whether something in a directory may have the name."""
    try:
        return len(split_path(os.fsencode(name))) == 1
    except (UnsafePath, UnicodeEncodeError):
        return False
