"""Packing a directory: one pass over it that yields records."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io import system
from playstream.pipeline.protocol.records import FileData, FileEntry, FileType, Log, LogLevel, TreeEnd
from playstream.pipeline.tree.ignore import Ignore
from playstream.pipeline.tree.listings import Hashed, Place
from playstream.pipeline.tree.paths import MAX_DEPTH, MAX_PATH, printable, target_stays
from playstream.pipeline.tree.readable import open_root, unreadable

SORTED_ENTRIES = 50_000
"""Maximum number of entries of one directory that are sorted. They are held in memory, about 300 bytes each."""
DATA_SIZE = 256 * 1024
"""Maximum number of bytes of content in one FileData record."""

_PERMISSIONS = 0o7777

_Record = FileEntry | FileData | Hashed | Log | TreeEnd


class Hasher(Protocol):
    """Hashes the contents of a tree that is offered instead of sent."""

    def find(self, status: os.stat_result) -> Hashed | None:
        """Return the content of a file that was hashed before and has not changed since; None for any other."""

    def hash(self, read: Callable[[int], bytes], status: os.stat_result) -> tuple[Hashed, int]:
        """Hash what `read` returns, at most the size in `status`; return the content and its size."""


def hash_tree(
    root: Path, hasher: Hasher, *, ignore: Ignore | None = None
) -> Iterator[FileEntry | Hashed | Log | TreeEnd]:
    """Yield the entries of a directory as `pack` does, each file that is not empty before its hashed content.

    Raises ConfigurationError as `pack`.
    """
    packer = _Packer(root, ignore, artifacts=False, hasher=hasher)
    try:
        yield from cast("Iterator[FileEntry | Hashed | Log | TreeEnd]", packer.records())
    finally:
        packer.close()


class _Unread:
    """A hasher that reads nothing, for the sizes alone."""

    def find(self, status: os.stat_result) -> Hashed:  # noqa: ARG002 - as every hasher
        return Hashed(b"")

    def hash(self, read: Callable[[int], bytes], status: os.stat_result) -> tuple[Hashed, int]:  # noqa: ARG002
        return Hashed(b""), status.st_size


def list_tree(root: Path, ignore: Ignore) -> Iterator[FileEntry | Hashed | Log | TreeEnd]:
    """Yield the entries of a directory as `hash_tree` does, without reading a file: the hashes are empty.

    Raises ConfigurationError as `pack`.
    """
    return hash_tree(root, _Unread(), ignore=ignore)


def pack(
    root: Path, *, ignore: Ignore | None = None, artifacts: bool = False
) -> Iterator[FileEntry | FileData | Log | TreeEnd]:
    """Yield the records of the directory `root`, depth first, and then a TreeEnd.

    Names are sorted by their bytes, but those of a directory with more than SORTED_ENTRIES are in the order of the file
    system. The root is first, with the empty path; TreeEnd counts it. Symlinks are never followed, except `root`
    itself. Sockets, FIFOs, devices and entries that are removed meanwhile are omitted with a Log record. A file that
    shrinks meanwhile is padded with zero bytes, with a Log record; of one that grows only the initial size is sent.
    Without `ignore` everything is packed. Memory does not grow with the tree, except for the entries of open
    directories and for files with several names of which some remain.

    `artifacts`: a job has created the tree, and the receiver does not trust this side. Links that lead out of the tree,
    and entries that cannot be read or are too deep, are omitted with a Log record too, so that the rest is sent.

    Raises ConfigurationError, naming the entry, if one cannot be read or is too deep, or if `root` is not a directory.
    """
    packer = _Packer(root, ignore, artifacts=artifacts)
    try:
        yield from cast("Iterator[FileEntry | FileData | Log | TreeEnd]", packer.records())
    finally:
        packer.close()


@dataclass(slots=True)
class _Directory:
    """A directory that is being packed."""

    fd: int
    prefix: bytes
    """The prefix of the paths of its entries: empty or ending in a slash."""
    entries: Iterator[tuple[bytes, os.DirEntry[str]]]
    """The remaining entries."""


class _Packer:
    """The state of one pass."""

    def __init__(self, root: Path, ignore: Ignore | None, *, artifacts: bool, hasher: Hasher | None = None) -> None:
        self._root = root
        self._hasher = hasher
        self._ignore = ignore
        self._artifacts = artifacts
        self._open: list[_Directory] = []
        self._links: dict[tuple[int, int], tuple[int, int]] = {}
        """Device and inode of a file to its link number and the number of its remaining names."""
        self._link = 0
        self._entries = 0
        self._size = 0

    def close(self) -> None:
        """Close every directory that is open."""
        for directory in self._open:
            os.close(directory.fd)
        self._open.clear()

    def records(self) -> Iterator[_Record]:
        """Yield all records of the tree."""
        yield self._enter_root()
        while self._open:
            directory = self._open[-1]
            fd, prefix = directory.fd, directory.prefix
            too_deep = len(self._open) > MAX_DEPTH
            for name, entry in directory.entries:
                path = prefix + name
                is_directory = entry.is_dir(follow_symlinks=False)
                if self._ignore is not None and self._ignore.ignored(path, is_directory):
                    continue
                if too_deep or len(path) > MAX_PATH:
                    yield self._too_deep(path)
                elif is_directory:
                    record = self._subdirectory(fd, name, path)
                    yield record
                    if type(record) is FileEntry:
                        break
                elif entry.is_file(follow_symlinks=False):
                    yield from self._file(fd, name, path)
                elif entry.is_symlink():
                    yield self._symlink(fd, name, path)
                else:
                    yield _skipped(path, "it is a socket, a FIFO or a device")
            else:
                self._open.pop()
                os.close(fd)
        yield TreeEnd(self._entries, self._size)

    def _enter_root(self) -> FileEntry:
        try:
            return self._enter(open_root(self._root), b"")
        except OSError as error:
            raise unreadable(self._root, b"", error.strerror or str(error)) from error

    def _enter(self, fd: int, path: bytes) -> FileEntry:
        """Make the directory the current one. `fd` is closed if that fails, and by `close` otherwise."""
        try:
            status = os.fstat(fd)
            entries = _entries(fd)
        except OSError:
            os.close(fd)
            raise
        self._open.append(_Directory(fd, path + b"/" if path else b"", entries))
        self._entries += 1
        return FileEntry(path, FileType.DIRECTORY, status.st_mode & _PERMISSIONS, status.st_mtime_ns)

    def _subdirectory(self, directory_fd: int, name: bytes, path: bytes) -> FileEntry | Log:
        try:
            return self._enter(os.open(name, system.READ_DIRECTORY, dir_fd=directory_fd), path)
        except OSError as error:
            return self._not_opened(path, error)

    def _symlink(self, directory_fd: int, name: bytes, path: bytes) -> FileEntry | Log:
        try:
            status = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
            target = os.readlink(name, dir_fd=directory_fd)
        except OSError as error:
            return self._not_opened(path, error)
        if self._artifacts and not target_stays(path, target):
            return _skipped(path, f"it is a symlink to {printable(target)}, which is outside the artifacts")
        self._entries += 1
        mode = status.st_mode & _PERMISSIONS
        return FileEntry(path, FileType.SYMLINK, mode, status.st_mtime_ns, target=target)

    def _file(self, directory_fd: int, name: bytes, path: bytes) -> Iterator[_Record]:
        if self._hasher is not None:
            known = self._known_file(self._hasher, directory_fd, name, path)
            if known:
                yield from known
                return
        try:
            fd = os.open(name, system.READ_FILE, dir_fd=directory_fd)
        except OSError as error:
            yield self._not_opened(path, error)
            return
        try:
            status = os.fstat(fd)
            mode = status.st_mode
            if not stat.S_ISREG(mode):
                yield _skipped(path, "its type has changed")
                return
            link = 0
            if status.st_nlink > 1:
                link, is_known = self._number(status)
                if is_known:
                    self._entries += 1
                    yield FileEntry(path, FileType.HARDLINK, mode & _PERMISSIONS, status.st_mtime_ns, 0, link)
                    return
            if self._hasher is not None:
                content, size = self._hasher.hash(lambda wanted: self._read(fd, wanted, path), status)
                yield from self._hashed(status, path, link, size, content)
                return
            # The first piece is read before the entry is sent, so that the size of a small file is always correct.
            size = status.st_size
            wanted = min(size, DATA_SIZE)
            data = self._read(fd, wanted, path) if wanted else b""
            if len(data) < wanted:
                size = len(data)
            self._entries += 1
            self._size += size
            yield FileEntry(path, FileType.FILE, mode & _PERMISSIONS, status.st_mtime_ns, size, link)
            if size:
                yield FileData(data)
                if size > DATA_SIZE:
                    yield from self._rest(fd, size - DATA_SIZE, path)
        finally:
            os.close(fd)

    def _known_file(self, hasher: Hasher, directory_fd: int, name: bytes, path: bytes) -> list[_Record]:
        """Return the records of a file that was hashed before; empty for any other. It is not opened."""
        try:
            status = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
        except OSError:
            return []
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            return []
        content = hasher.find(status)
        return [] if content is None else list(self._hashed(status, path, 0, status.st_size, content))

    def _hashed(self, status: os.stat_result, path: bytes, link: int, size: int, content: Hashed) -> Iterator[_Record]:
        self._entries += 1
        self._size += size
        yield FileEntry(path, FileType.FILE, status.st_mode & _PERMISSIONS, status.st_mtime_ns, size, link)
        if size:
            yield Hashed(content.digests, Place(self._root, path))

    def _rest(self, fd: int, left: int, path: bytes) -> Iterator[FileData | Log]:
        """Yield the rest of a file after its first piece, padded with zeros if the file has shrunk."""
        missing = 0
        while left:
            wanted = min(left, DATA_SIZE)
            data = self._read(fd, wanted, path)
            if len(data) < wanted:
                missing += wanted - len(data)
                data = data.ljust(wanted, b"\0")
            left -= wanted
            yield FileData(data)
        if missing:
            message = f"{printable(path)} shrank while it was sent: its last {missing} bytes are sent as zeros"
            yield Log(LogLevel.WARNING, message)

    def _read(self, fd: int, wanted: int, path: bytes) -> bytes:
        """Read `wanted` bytes, fewer only at the end of the file."""
        try:
            data = os.read(fd, wanted)
            while len(data) < wanted:
                more = os.read(fd, wanted - len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise unreadable(self._root, path, error.strerror or str(error)) from error
        return data

    def _number(self, status: os.stat_result) -> tuple[int, bool]:
        """Return the link number of a file with several names, and whether it was seen before."""
        key = (status.st_dev, status.st_ino)
        link, left = self._links.pop(key, (0, 0))
        known = link != 0
        if not known:
            self._link += 1
            link, left = self._link, status.st_nlink
        if left > 1:
            self._links[key] = (link, left - 1)
        return link, known

    def _not_opened(self, path: bytes, error: OSError) -> Log:
        """Skip an entry that was removed or has changed its type; raise an error for all other reasons."""
        # open() fails with ELOOP for a symlink and ENXIO for a socket; readlink() with EINVAL for anything but a
        # symlink.
        if isinstance(error, FileNotFoundError):
            return _skipped(path, "it was removed")
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EINVAL, errno.EISDIR}:
            return _skipped(path, "its type has changed")
        if self._artifacts and isinstance(error, PermissionError):
            return _skipped(path, f"user id {system.geteuid()} may not read it")
        raise unreadable(self._root, path, error.strerror or str(error)) from error

    def _too_deep(self, path: bytes) -> Log:
        """Skip an artifact whose path is too deep for a stream; raise an error for any other tree."""
        if self._artifacts:
            return _skipped(
                path,
                f"its path is too long or too deep: at most {MAX_DEPTH} components and {MAX_PATH} bytes can be sent",
            )
        raise ConfigurationError(
            f"{printable(path)} in {self._root} has a path that is too long or too deep: at most {MAX_DEPTH} "
            f"components and {MAX_PATH} bytes can be sent. Exclude it with --exclude or a line in .playstreamignore"
        )


def _entries(fd: int) -> Iterator[tuple[bytes, os.DirEntry[str]]]:
    """Return the entries of a directory, sorted unless it is very large. Raises OSError."""
    found = ((os.fsencode(entry.name), entry) for entry in os.scandir(fd))
    first = list(itertools.islice(found, SORTED_ENTRIES + 1))
    if len(first) > SORTED_ENTRIES:
        return itertools.chain(first, found)
    # Names are unique, so sorting never compares the DirEntry objects.
    first.sort()
    return iter(first)


def _skipped(path: bytes, reason: str) -> Log:
    return Log(LogLevel.WARNING, f"{printable(path)} is not sent: {reason}")
