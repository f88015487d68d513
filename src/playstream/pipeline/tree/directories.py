"""Directories: creating private ones, moving and removing entries, and finding the current one.

Private directories are created whatever the umask, and never through a link. Entries are moved and removed relative to
a descriptor of their directory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io import system

_AT_ONCE = 1000
"""Maximum number of names that are read at a time."""
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST)
"""Errors if an entry cannot replace another one because one of the two is a directory."""
_MAX_STEPS = 10_000
"""Maximum number of names on the way to a path, because links may be circular."""


def make_directory(fd: int, name: str) -> int:
    """Make a directory of mode 0700, or open an existing one, and return its descriptor.

    Raises:
        NotADirectoryError: something else, such as a link, has the name.
        OSError: it cannot be made or opened.
    """
    try:
        os.mkdir(name, 0o700, dir_fd=fd)
    except FileExistsError:
        return os.open(name, system.READ_DIRECTORY, dir_fd=fd)
    os.chmod(name, 0o700, dir_fd=fd)  # the umask or an ACL of the parent may have changed it
    return os.open(name, system.READ_DIRECTORY, dir_fd=fd)


def make_private(path: Path) -> None:
    """Make a directory and its missing parents, each with mode 0700. Existing directories are not changed.

    Raises:
        OSError: one cannot be made.
    """
    for directory in reversed([path, *path.parents]):
        while not directory.is_dir():
            try:
                directory.mkdir(0o700)
            except FileExistsError:
                if os.path.lexists(directory) and not directory.is_dir():
                    raise
                continue  # another process has made it, and perhaps removed it
            directory.chmod(0o700)


def names_to_take(directory: Path | int) -> Iterator[str]:
    """Yield the names in a directory. The caller must move or remove each entry before it takes the next name.

    Only some names are held at a time, because a directory may have any number of them.

    Raises:
        OSError: it cannot be read.
    """
    while names := _some_names(directory):
        yield from names


def _some_names(directory: Path | int) -> list[str]:
    with os.scandir(directory) as entries:
        return [entry.name for entry in islice(entries, _AT_ONCE)]


def current_directory() -> str:
    """Return the path of the current directory.

    Raises:
        ConfigurationError: it no longer exists, or cannot be looked up.
    """
    try:
        return os.getcwd()
    except OSError as error:
        raise ConfigurationError(
            f"the current directory cannot be found ({error.strerror}); it was probably removed. Change to an existing "
            "directory with cd or os.chdir(), or use absolute paths only"
        ) from None


def absolute_path(path: str | os.PathLike[str]) -> str:
    """Return an absolute path, as os.path.abspath does.

    Raises:
        ConfigurationError: it contains a NUL, or is relative to a current directory that cannot be found.
    """
    if "\0" in os.fspath(path):
        raise ConfigurationError(f"{os.fspath(path)!r} is not a path: it contains a NUL")
    return os.path.normpath(os.path.join("" if os.path.isabs(path) else current_directory(), path))


def passes_link_in(base: Path, path: Path) -> bool:
    """Return whether `path` is, or leads through, a link in or below `base`.

    Args:
        base: a directory that may contain links of other users.
        path: an absolute path, in any place. It need not exist.
    """
    filled = os.path.realpath(base)
    here, ahead = "/", list(reversed(path.parts[1:]))
    for _ in range(_MAX_STEPS):
        if not ahead:
            return False
        step = os.path.join(here, ahead.pop())
        if not os.path.islink(step):
            here = os.path.normpath(step)  # `here` contains no link, so `..` is its parent
            continue
        if os.path.commonpath([filled, here]) == filled:
            return True
        target = Path(os.readlink(step))
        ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        here = "/" if target.is_absolute() else here
    return True


def mode_of(directory: int, name: str) -> int | None:
    """Return the type and mode of an entry, without following links; None if it does not exist.

    Raises:
        OSError: it cannot be examined.
    """
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def remove(directory: int, name: str) -> None:
    """Remove an entry of any type. Does nothing if it does not exist; another process may remove it at the same time.

    Raises:
        OSError: it, or something in it, remains.
    """
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):  # POSIX has EPERM for a directory
        mode = mode_of(directory, name)
        if mode is None:
            return
        if not stat.S_ISDIR(mode):
            raise
        _remove_tree(directory, name)


def _remove_tree(directory: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    else:
        return
    from playstream.pipeline.io.removal import remove_tree  # noqa: PLC0415 - most directories are empty by then

    remains = remove_tree(name, dir_fd=directory)
    if remains is not None:
        raise OSError(errno.ENOTEMPTY, remains)


def put(source: int, name: str, target: int) -> None:
    """Move an entry from one directory to another, replacing any entry of its name there.

    Raises:
        OSError: it cannot be moved, or the existing entry cannot be removed.
    """
    try:
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
    except OSError as error:
        if error.errno not in _IN_THE_WAY:
            raise
        remove(target, name)
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
