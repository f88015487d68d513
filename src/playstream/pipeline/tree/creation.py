"""Creating one entry in an open directory, without following a link or writing through an existing file.

`fd` is always the descriptor of the directory; names are single components. With `replace`, an existing file, symlink
or special file is replaced; a directory never is. All functions raise OSError in addition to their own errors.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from playstream.pipeline.errors import JobError, RemoteProtocolError, UnsafePath
from playstream.pipeline.io import system
from playstream.pipeline.tree.paths import printable

# Opening an entry of a directory requires no permission to list it.
_PASSAGE_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | system.O_DIRECTORY | system.O_NOFOLLOW | system.O_CLOEXEC

_NEXT_STEP = {
    errno.ENOSPC: "free space there or choose another --private-data-dir",
    errno.EDQUOT: "free space there or choose another --private-data-dir",
    errno.EROFS: "choose another --private-data-dir",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.EMLINK: "choose a --private-data-dir on a file system that allows more hard links",
    errno.ENAMETOOLONG: "choose a --private-data-dir on a file system that takes names of 255 bytes",
}
_OTHER_NEXT_STEP = "check the permissions of the directory and its file system, or choose another --private-data-dir"

_T = TypeVar("_T")


def cannot_write(target: Path, path: bytes, error: OSError) -> JobError:
    """Return the error for an entry of the tree, or with an empty path for `target`, that cannot be written."""
    what = f"{printable(path)} below {target}" if path else f"{target}"
    return JobError(f"cannot write {what}: {error.strerror}; {_NEXT_STEP.get(error.errno or 0, _OTHER_NEXT_STEP)}")


def open_target(target: Path) -> int:
    """Open the directory that a tree is unpacked into. It may be a symlink, because the caller chose it."""
    return os.open(target, os.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC)


def kept_permissions(fd: int) -> int:
    """Return the permission bits that a file created in the directory keeps: those not in the umask or a default ACL.

    Return 0 if they cannot be determined; then every mode has to be set after creation. An unnamed file is created and
    examined, because reading the umask requires changing it, which would affect other threads.
    """
    try:
        probe = os.open(".", system.O_TMPFILE | os.O_WRONLY | system.O_CLOEXEC, 0o777, dir_fd=fd)
    except OSError:  # not supported by this system or file system
        return 0
    try:
        return os.fstat(probe).st_mode & 0o777
    finally:
        os.close(probe)


def create_file(fd: int, name: bytes, path: bytes, mode: int, replace: bool) -> int:
    """Create an empty file and return a descriptor for writing. `path` is the entry's, for error messages."""
    return _create(fd, name, path, replace, lambda: os.open(name, system.NEW_FILE, mode, dir_fd=fd))


def create_symlink(fd: int, name: bytes, path: bytes, target: bytes, mtime_ns: int, replace: bool) -> None:
    """Create a symlink and set its modification time, in nanoseconds since 1970."""
    _create(fd, name, path, replace, lambda: os.symlink(target, name, dir_fd=fd))
    os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=fd, follow_symlinks=False)


def create_directory(fd: int, name: bytes, path: bytes, replace: bool) -> int:
    """Create a directory with mode 0700, or with `replace` open an existing one, and return its descriptor.

    Raises UnsafePath if something else has the name.
    """
    existed = False
    try:
        os.mkdir(name, 0o700, dir_fd=fd)
    except FileExistsError as error:
        if not replace:
            raise _duplicate(path) from error
        existed = True
    try:
        directory = os.open(name, system.READ_DIRECTORY, dir_fd=fd)
    except OSError as error:
        if existed and not _is(stat.S_ISDIR, fd, name):
            raise _conflict(path, "a directory", "something else") from error
        raise
    if existed:
        try:
            make_writable(directory)
        except OSError:
            os.close(directory)
            raise
    return directory


def create_hard_link(root: int, source: list[bytes], fd: int, name: bytes, path: bytes, replace: bool) -> None:
    """Make `name` another name of the regular file `source`, given by its components below the directory `root`.

    Raises RemoteProtocolError if `source` is no longer a regular file.
    """
    parent = _open_parent(root, source)
    try:
        # The stream may have replaced the file by a symlink, and a symlink with two names could leave the tree.
        if not _is(stat.S_ISREG, parent, source[-1]):
            raise _lost(path, source)
        _create(
            fd,
            name,
            path,
            replace,
            lambda: os.link(source[-1], name, src_dir_fd=parent, dst_dir_fd=fd, follow_symlinks=False),
        )
    except FileNotFoundError as error:
        raise _lost(path, source) from error
    finally:
        os.close(parent)


def _create(fd: int, name: bytes, path: bytes, replace: bool, create: Callable[[], _T]) -> _T:
    try:
        return create()
    except FileExistsError as error:
        if not replace:
            raise _duplicate(path) from error
    try:
        os.unlink(name, dir_fd=fd)
    except OSError as error:
        if _is(stat.S_ISDIR, fd, name):
            raise _conflict(path, "no directory", "a directory") from error
        raise
    return create()


def _open_parent(root: int, components: list[bytes]) -> int:
    """Open the directory of an entry without following a link."""
    fd = os.open(".", _PASSAGE_FLAGS, dir_fd=root)
    for component in components[:-1]:
        try:
            below = os.open(component, _PASSAGE_FLAGS, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def _is(kind: Callable[[int], bool], fd: int, name: bytes) -> bool:
    return kind(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)


def make_writable(fd: int) -> None:
    """Let the owner create entries in a directory that exists; its final mode is set when it is left."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & 0o700 != 0o700:
        system.fchmod(fd, mode | 0o700)


def _duplicate(path: bytes) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"the tree's entry {printable(path)} already exists: the stream contains it twice, the directory was not "
        "empty, or this file system does not distinguish names that differ in case or Unicode form. Unpack into an "
        "empty directory on a case-sensitive file system"
    )


def _conflict(path: bytes, expected: str, found: str) -> UnsafePath:
    return UnsafePath(
        f"the tree's entry {printable(path)} requires {expected}, but {found} is there. Directories are never replaced "
        "and links never followed: remove what is there, or unpack into an empty directory"
    )


def _lost(path: bytes, source: list[bytes]) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"the tree's entry {printable(path)} is a hard link to {printable(b'/'.join(source))}, which is no longer a "
        "regular file: a later entry of the stream replaced it"
    )
