"""Unpacking a tree: records into a directory, checked one by one."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from playstream.pipeline.errors import LocalProtocolError, RemoteProtocolError
from playstream.pipeline.io import system
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits, exceeded
from playstream.pipeline.protocol.records import FileData, FileEntry, FileType, TreeEnd
from playstream.pipeline.tree import creation
from playstream.pipeline.tree.paths import (
    MAX_DEPTH,
    MAX_NAME,
    MAX_PATH,
    SPECIAL_NAMES,
    check_target,
    check_target_stays,
    printable,
    split_path,
)

_TRUSTED_MODE = 0o7777

_NO_FILE = -1


MAX_LINKS = 100_000
"""Maximum number of files with several names in one tree, because their paths are held in memory."""

MAX_LINK_BYTES = 1 << 25
"""Maximum total size of their paths, in bytes."""


class Unpacker:
    """Writes the records of one tree below a directory. Use it in a `with` statement, or call `close`.

    Every entry is created relative to the descriptor of its directory, which is a real one below the target, and
    existing files are not written to, so nothing outside the target is touched whatever the records contain. Memory
    grows with the depth of the tree and the number of files with several names.
    """

    def __init__(self, target: Path, *, trusted: bool, replace: bool = False, limits: Limits = DEFAULT_LIMITS) -> None:
        """Unpack into `target`, an existing directory of the caller; its mode and times are not changed.

        `trusted`: the sender may run anything here anyway, so symlinks and the setuid, setgid and sticky bits are kept.
        Otherwise everything is private to this user (directories 0700, files 0600 or, if the owner may execute them,
        0700), and symlinks that could leave the tree are rejected.

        `replace`: existing files and symlinks are replaced, and existing directories are kept and unpacked into.
        Without it an existing entry is an error.

        Raises JobError if `target` cannot be opened.
        """
        self._target = target
        self._trusted = trusted
        self._replace = replace
        self._limits = limits
        self._entries = 0
        self._size = 0
        self._complete = False
        self._links: dict[int, bytes] = {}
        """Link number to the path of the file that announced it."""
        self._link_bytes = 0
        self._path = b""
        """Path of the current entry, for messages."""
        self._file = _NO_FILE
        """Descriptor of the file that data is expected for."""
        self._left = 0
        """Number of bytes that are still expected for it."""
        self._file_mode = 0
        """The mode to set at its end, or 0 if it was created with it."""
        self._file_mtime_ns = 0
        self._closed = False
        try:
            root = creation.open_target(target)
        except OSError as error:
            raise creation.cannot_write(target, b"", error) from error
        self._descent = Descent(root)
        # An existing directory can have its own ACL, so modes are not relied on at creation.
        self._kept = 0 if replace else creation.kept_permissions(root)

    def __enter__(self) -> Unpacker:
        """Return the unpacker."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the unpacker."""
        self.close()

    @property
    def complete(self) -> bool:
        """True after a TreeEnd that matched the entries before it."""
        return self._complete

    def close(self) -> None:
        """Close all descriptors. Written entries remain; directories that are still open keep the mode 0700."""
        self._closed = True
        self._descent.close()
        if self._file != _NO_FILE:
            fd, self._file = self._file, _NO_FILE
            with contextlib.suppress(OSError):
                os.close(fd)

    def receive(self, record: FileEntry | FileData | TreeEnd) -> None:
        """Write one record. After an error the unpacker is closed.

        Raises UnsafePath for an entry with an invalid name or outside the tree; RemoteProtocolError for records in an
        order or with numbers that no sender produces, and for a tree over a limit; JobError if this host cannot write
        it; LocalProtocolError if the unpacker is closed.
        """
        if self._closed:
            raise LocalProtocolError("this unpacker is closed; no more records can be received")
        try:
            if isinstance(record, FileData):
                self._data(record.data)
            elif isinstance(record, FileEntry):
                self._entry(record)
            else:
                self._end(record)
        except OSError as error:
            self._fail()
            raise creation.cannot_write(self._target, self._path, error) from error
        except OverflowError as error:
            self._fail()
            raise RemoteProtocolError(
                f"the tree's entry {printable(self._path)} has a modification time that is out of range"
            ) from error
        except BaseException:
            self._fail()
            raise

    def _fail(self) -> None:
        self._complete = False
        self.close()

    def _data(self, data: bytes) -> None:
        fd = self._file
        if fd == _NO_FILE:
            raise self._broken(f"received data that belongs to no file, after the entry {printable(self._path)}")
        left = self._left - len(data)
        if left < 0:
            raise self._broken(f"the file {printable(self._path)} got {-left} bytes more than its size")
        written = os.write(fd, data)
        if written < len(data):
            _write_all(fd, memoryview(data)[written:])
        self._left = left
        if not left:
            self._finish_file()

    def _finish_file(self) -> None:
        fd = self._file
        # Last, because writing clears the setuid bit and changes the time.
        if self._file_mode:
            system.fchmod(fd, self._file_mode)
        mtime_ns = self._file_mtime_ns
        os.utime(fd, ns=(mtime_ns, mtime_ns))
        self._file = _NO_FILE
        os.close(fd)

    def _entry(self, entry: FileEntry) -> None:
        self._require_full_file()
        if self._complete:
            raise self._broken(f"the entry {printable(entry.path)} was received after the end of the tree")
        self._entries += 1
        if self._entries > self._limits.max_tree_entries:
            raise exceeded("the tree has too many entries", self._limits.max_tree_entries, "max_tree_entries")
        path = self._path = entry.path
        if self._entries == 1:
            self._begin(entry)
            return
        directory = self._descent.stack[-1]
        name = path[len(directory.prefix) :]
        if (
            b"/" in name
            or name in SPECIAL_NAMES
            or not path.startswith(directory.prefix)
            or b"\0" in name
            or len(name) > MAX_NAME
            or len(path) > MAX_PATH
            or len(self._descent.stack) > MAX_DEPTH
        ):
            name = self._locate(path)
            directory = self._descent.stack[-1]
        if entry.type is FileType.FILE:
            self._begin_file(entry, directory.fd, name)
        elif entry.type is FileType.DIRECTORY:
            fd = creation.create_directory(directory.fd, name, path, self._replace)
            self._descent.enter(Directory(fd, path + b"/", self._directory_mode(entry.mode), entry.mtime_ns))
        elif entry.type is FileType.SYMLINK:
            self._symlink(entry, directory.fd, name)
        else:
            self._hard_link(entry, directory.fd, name)

    def _begin(self, entry: FileEntry) -> None:
        if entry.path or entry.type is not FileType.DIRECTORY:
            raise self._broken(f"expected the root directory first, got the entry {printable(entry.path)}")

    def _locate(self, path: bytes) -> bytes:
        if not path:
            raise self._broken("the root directory was received twice")
        return self._descent.locate(path)

    def _directory_mode(self, mode: int) -> int:
        # An untrusted sender must not be able to create a directory that its owner cannot list or remove.
        return mode & _TRUSTED_MODE if self._trusted else 0o700

    def _file_mode_of(self, mode: int) -> int:
        return mode & _TRUSTED_MODE if self._trusted else mode & 0o100 | 0o600

    def _begin_file(self, entry: FileEntry, fd: int, name: bytes) -> None:
        size = entry.size
        if size < 0:
            raise self._broken(f"the file {printable(entry.path)} has the size {size}")
        self._size += size
        if self._size > self._limits.max_tree_bytes:
            raise exceeded("the tree has too many bytes", self._limits.max_tree_bytes, "max_tree_bytes")
        if entry.link:
            self._announce_link(entry)
        mode = self._file_mode_of(entry.mode)
        try:
            self._file = os.open(name, system.NEW_FILE, mode & 0o777, dir_fd=fd)
        except FileExistsError:
            self._file = creation.create_file(fd, name, entry.path, mode & 0o777, self._replace)
        self._file_mode = mode if mode & ~self._kept else 0
        self._file_mtime_ns = entry.mtime_ns
        self._left = size
        if not size:
            self._finish_file()

    def _announce_link(self, entry: FileEntry) -> None:
        if entry.link in self._links:
            raise self._broken(f"the file {printable(entry.path)} has link number {entry.link}, which another file has")
        self._link_bytes += len(entry.path)
        if len(self._links) >= MAX_LINKS or self._link_bytes > MAX_LINK_BYTES:
            raise self._broken(
                f"the tree has more than {MAX_LINKS} files with several names, or their paths have more than "
                f"{MAX_LINK_BYTES} bytes"
            )
        self._links[entry.link] = entry.path

    def _symlink(self, entry: FileEntry, fd: int, name: bytes) -> None:
        check_target(entry.path, entry.target)
        if not self._trusted:
            check_target_stays(entry.path, entry.target)
        creation.create_symlink(fd, name, entry.path, entry.target, entry.mtime_ns, self._replace)

    def _hard_link(self, entry: FileEntry, fd: int, name: bytes) -> None:
        source = self._links.get(entry.link)
        if source is None:
            raise self._broken(f"{printable(entry.path)} is a hard link to file {entry.link}, which was not received")
        if source == entry.path:
            raise self._broken(f"{printable(entry.path)} was received twice, the second time as a hard link to itself")
        creation.create_hard_link(self._descent.root.fd, source.split(b"/"), fd, name, entry.path, self._replace)

    def _end(self, end: TreeEnd) -> None:
        self._require_full_file()
        if self._complete:
            raise self._broken("the end of the tree was received twice")
        if not self._entries:
            raise self._broken("the tree ended before its root directory")
        if (end.entries, end.size) != (self._entries, self._size):
            raise self._broken(
                f"expected {end.entries} entries and {end.size} bytes, got {self._entries} and {self._size}"
            )
        self._descent.leave_all()
        self._complete = True

    def _require_full_file(self) -> None:
        if self._file != _NO_FILE:
            raise self._broken(f"the file {printable(self._path)} ended {self._left} bytes before its size")

    def _broken(self, what: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"the tree for {self._target} is not valid: {what}")


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]


@dataclass(slots=True)
class Directory:
    """A directory for which more entries may follow."""

    fd: int
    prefix: bytes
    """What the paths of its entries begin with: empty or ending in a slash."""
    mode: int
    mtime_ns: int


class Descent:
    """A stack of open directories with the target at the bottom, which is enough because entries are depth first."""

    def __init__(self, root_fd: int) -> None:
        """Begin at `root_fd`, which `close` closes; the root's mode and times are not changed."""
        self.root = Directory(root_fd, b"", 0, 0)
        self.stack = [self.root]

    def enter(self, directory: Directory) -> None:
        """Enter a directory of the current one. Its descriptor is closed when it is left."""
        self.stack.append(directory)

    def locate(self, path: bytes) -> bytes:
        """Leave directories until the current one contains the entry, and return the entry's name in it.

        Raises UnsafePath if the path is not valid, RemoteProtocolError if no open directory contains it, and OSError.
        """
        *parents, name = split_path(path)
        prefix = b"/".join([*parents, b""])
        if all(directory.prefix != prefix for directory in self.stack):
            raise RemoteProtocolError(
                f"the tree's entry {printable(path)} is out of order: expected the entries of a directory right after "
                "the directory. The sender is faulty, or the stream was altered"
            )
        while self.stack[-1].prefix != prefix:
            self._leave()
        return name

    def leave_all(self) -> None:
        """Leave every directory but the root. Raises OSError."""
        while len(self.stack) > 1:
            self._leave()

    def close(self) -> None:
        """Close all descriptors, including the root's, without setting modes and times."""
        while self.stack:
            with contextlib.suppress(OSError):
                os.close(self.stack.pop().fd)

    def _leave(self) -> None:
        directory = self.stack[-1]
        system.fchmod(directory.fd, directory.mode)
        os.utime(directory.fd, ns=(directory.mtime_ns, directory.mtime_ns))
        self.stack.pop()
        os.close(directory.fd)
