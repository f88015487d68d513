"""Removing directories and their content, whatever modes a job has given them.

All operations are relative to open directories, follow no link and enter nothing that is mounted there, so that nothing
outside of the directory is touched even while a process changes it. This file uses only the standard library, because
the guard loads it too.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from itertools import islice


def _flags(*names: str) -> int:
    """Return flags of open(2) together, without those that this system lacks."""
    return sum(getattr(os, name, 0) for name in names)


_FLAGS = _flags("O_RDONLY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")
_HANDLE = _flags("O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC")
_ATTEMPTS = 3
"""Number of attempts. A process that is being killed may create a file during the first one."""
_AT_ONCE = 10_000
"""Maximum number of names that are read at a time."""
_MAX_DEPTH = 32
"""Maximum number of nested open directories. Deeper ones are moved up first, because a job may nest directories without
limit and the number of descriptors is limited."""
_FILLED = (errno.ENOTEMPTY, errno.EEXIST)
"""The errors for a directory that is not empty."""
_MAX_STUCK = 100
"""Number of entries of one directory that cannot be removed after which the rest of it is left."""
_MOUNT = re.compile(rb"^mnt_id:\s*(\d+)$", re.MULTILINE)
_OF_PYTHON = re.compile(r"pymp-[a-z0-9_]{8}")
"""The pattern of a name that Python's multiprocessing gives to a directory for its sockets."""


def remove_tree(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> str | None:
    """Remove a directory and its content. Directories in it are made writable; a link is removed, not followed.

    Args:
        path: the directory. Nothing happens if it does not exist.
        dir_fd: the directory that `path` is relative to.

    Returns:
        A message that says what remains and why; None if everything was removed.
    """
    removal = _Removal()
    name = os.fspath(path)
    removal.remove(dir_fd, name, ".", is_directory=True)
    return removal.trouble


def remove_linked(link: str | os.PathLike[str]) -> str | None:
    """Remove the directory of Python's multiprocessing that a link leads to, which a killed process has left.

    Nothing else is removed: a directory of another name, of another user or with another mode is kept.

    Args:
        link: the link. Nothing happens if it does not exist, or leads to nothing.

    Returns:
        A message that says what remains and why; None if nothing does.
    """
    try:
        path = os.readlink(link)
        status = os.lstat(path)
    except OSError:
        return None
    user = getattr(os, "geteuid", lambda: None)()  # some systems lack it
    ours = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o700 and status.st_uid == user
    if not ours or not os.path.isabs(path) or not _OF_PYTHON.fullmatch(os.path.basename(path)):
        return None
    remains = remove_tree(path)
    return None if remains is None else f"{path}: {remains}"


def discard(path: str | os.PathLike[str]) -> bool:
    """Remove a directory that is not needed any more, as `remove_tree` does. What remains is logged as a warning.

    Returns:
        True if nothing remains.
    """
    remains = remove_tree(path)
    if remains is not None:
        import logging  # noqa: PLC0415 - the guard does not need it

        logging.getLogger("playstream").warning(
            "%s cannot be removed: %s. It is no longer in use; remove it manually", os.fspath(path), remains
        )
    return remains is None


def empty_directory(fd: int) -> str | None:
    """Remove the content of an open directory, as `remove_tree` does.

    Returns:
        A message that says what remains and why; None if the directory is empty.
    """
    removal = _Removal()
    removal.empty(fd)
    return removal.trouble


class _Removal:
    """One removal and what it could not remove."""

    def __init__(self) -> None:
        self._first: str | None = None
        self._stuck = 0
        self._depth = 0
        self._outermost = -1
        """The directory that contains all the others."""
        self._mount: bytes | None = None
        """What it is mounted with. A job may have mounted other directories below it, whose content is not removed."""
        self._moved = 0
        """Number of directories that were too deep and were moved there."""

    @property
    def trouble(self) -> str | None:
        """What remains and why; None if nothing does."""
        if self._first is None:
            return None
        return self._first if self._stuck == 1 else f"{self._first}; and {self._stuck - 1} more"

    def _note(self, shown: str, error: OSError) -> None:
        self._stuck += 1
        if self._first is None:
            reason = error.strerror or type(error).__name__
            self._first = reason if shown == "." else f"{shown!r} in it: {reason}"

    def remove(self, parent: int | None, name: str, shown: str, *, is_directory: bool) -> bool:
        """Remove an entry of the directory `parent`. Return False if it remains."""
        before = self._stuck
        try:
            if is_directory:
                self._remove_directory(parent, name, shown)
            else:
                os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return True  # another process was faster
        except (NotADirectoryError, IsADirectoryError):
            try:
                self._remove_other(parent, name, shown)
            except FileNotFoundError:
                return True
            except OSError as error:
                self._note(shown, error)
        except OSError as error:
            self._note(shown, error)
        return self._stuck == before

    def _remove_other(self, parent: int | None, name: str, shown: str) -> None:
        """Remove an entry that is not a directory, or has changed its type since its name was read."""
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            self._remove_directory(parent, name, shown)
        else:
            os.unlink(name, dir_fd=parent)

    def _remove_directory(self, parent: int | None, name: str, shown: str) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            fd = _open(parent, name)
            before = self._stuck
            try:
                if self._depth and _mount_of(fd) != self._mount:
                    raise OSError(errno.EBUSY, "something is mounted there, and its content is kept. Unmount it")
                _make_writable(fd)
                if self._depth >= _MAX_DEPTH and self._move_up(parent, name):
                    return
                self._empty(fd, shown)
            finally:
                os.close(fd)
            if self._stuck > before:
                return  # what remains in it has been noted with the reason
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as error:
                if attempt == _ATTEMPTS or error.errno not in _FILLED:
                    raise
            else:
                return

    def empty(self, fd: int) -> None:
        """Remove the content of the directory `fd`."""
        try:
            _make_writable(fd)
            self._empty(fd, ".")
        except OSError as error:
            self._note(".", error)

    def _empty(self, fd: int, shown: str) -> None:
        stuck: set[str] = set()
        if self._depth == 0:
            self._outermost = fd
            self._mount = _mount_of(fd)
        self._depth += 1
        try:
            # Directories that were moved up into the outermost one are found when its names are read the next time.
            while len(stuck) < _MAX_STUCK and (found := _list(fd, stuck)):
                for name, is_directory in found:
                    if not self.remove(fd, name, _join(shown, name), is_directory=is_directory):
                        stuck.add(name)
        finally:
            self._depth -= 1

    def _move_up(self, parent: int | None, name: str) -> bool:
        """Move a directory into the outermost one. Return False if that is refused."""
        for number in range(self._moved, self._moved + _MAX_STUCK):
            try:
                os.rename(name, f".removing-{number}", src_dir_fd=parent, dst_dir_fd=self._outermost)
            except OSError as error:
                if error.errno not in (*_FILLED, errno.ENOTDIR):
                    return False
            else:
                self._moved = number + 1
                return True
        return False


def _make_writable(fd: int) -> None:
    """Let the owner change a directory. An error is ignored: the next operation fails too and reports it."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & 0o700 != 0o700:
        try:
            os.chmod(fd, mode | 0o700)
        except OSError:
            pass


def _mount_of(fd: int) -> bytes | None:
    """Return what numbers the mount that an open directory is in; None if the system does not say."""
    try:
        about = os.open(f"/proc/self/fdinfo/{fd}", _flags("O_RDONLY", "O_CLOEXEC"))
    except OSError:
        return None
    try:
        found = _MOUNT.search(os.read(about, 4096))
    finally:
        os.close(about)
    return None if found is None else found[1]


def _open(parent: int | None, name: str) -> int:
    """Open a directory; if it is not readable, make it readable first, through another handle."""
    try:
        return os.open(name, _FLAGS, dir_fd=parent)
    except PermissionError:
        handle = os.open(name, _HANDLE, dir_fd=parent)
    try:
        # The only way to change the mode of a directory that was opened without permission to read.
        os.chmod(f"/proc/self/fd/{handle}", 0o700)
    finally:
        os.close(handle)
    return os.open(name, _FLAGS, dir_fd=parent)


def _list(fd: int, passed_over: set[str]) -> list[tuple[str, bool]]:
    """Return some of the names in a directory, and whether each is a directory."""
    with os.scandir(fd) as entries:
        found = islice((entry for entry in entries if entry.name not in passed_over), _AT_ONCE)
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]


def _join(shown: str, name: str) -> str:
    return name if shown == "." else f"{shown}/{name}"
