"""What a tree looked like on the disk when it was complete, so that a later job can tell what is still as it was.

Each entry is known by what the system says of it: its mode, inode, size, and times of change. Whoever writes to a file,
or gives it another mode or time, changes the last of these (ctime), which nobody can set. docs/security.md says what
that protects from.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import struct
import sys
import tempfile
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from playstream.pipeline.io import system
from playstream.pipeline.tree.creation import make_writable
from playstream.pipeline.tree.digests import DEFAULT_ALGORITHM, DIGEST_SIZE, digest
from playstream.pipeline.tree.directories import remove
from playstream.worker.cache.place import cost

MAX_ENTRIES = 200_000
"""Number of entries of the largest tree that is kept so; what is known of one takes about 150 bytes of memory."""
_MAGIC = b"PSWT2\n"
_HEADER = struct.Struct(f"<{DIGEST_SIZE}s16sQQqII")
_FIELDS = 5
_PRIVATE = 0o700
_Owned = tuple[int, int, dict[str, bytes]]
_BOOT = Path("/proc/sys/kernel/random/boot_id")

Look = tuple[int, int, int, int, int]
"""What the system says of an entry: mode, inode, size, and the times of the last change of its bytes and of itself. The
inode is less 2**63, so that all of them are signed numbers of 64 bits."""


@dataclass(frozen=True, slots=True)
class Written:
    """A tree on the disk."""

    root: bytes
    """The hash of the listing of the tree that it was."""
    entries: int
    """Number of entries, and of bytes, of that tree."""
    size: int
    paths: list[bytes]
    """The entries that are still as they were, depth first, without the root."""
    looks: list[Look]
    """What each of them looks like."""
    objects: list[bytes]
    """The hashes of what that tree is made of."""
    top: int
    """The inode of the directory itself, as in a Look."""

    @property
    def whole(self) -> bool:
        """Whether all of the tree is there."""
        return len(self.paths) + 1 == self.entries

    @property
    def cost(self) -> int:
        """What its files and directories take on the disk, in bytes."""
        return sum(cost(look[2]) for look in self.looks)

    def encode(self) -> bytes:
        """Return the bytes from which `decode` reads it, until this host is started again."""
        numbers = array("q", [field for look in self.looks for field in look])
        if sys.byteorder != "little":
            numbers.byteswap()
        body = b"".join(
            (
                _HEADER.pack(self.root, _boot(), self.entries, self.size, self.top, len(self.paths), len(self.objects)),
                numbers.tobytes(),
                *self.objects,
                b"\0".join(self.paths),
            )
        )
        return _MAGIC + digest(body, DEFAULT_ALGORITHM) + body


def decode(data: bytes) -> Written | None:
    """Read what `Written.encode` has returned.

    Returns:
        None if it is damaged, or was made before this host was started: then files may lack what was not on the disk.
    """
    start = len(_MAGIC) + DIGEST_SIZE
    body = data[start:]
    if not data.startswith(_MAGIC) or data[len(_MAGIC) : start] != digest(body, DEFAULT_ALGORITHM):
        return None
    root, boot, entries, size, top, count, object_count = _HEADER.unpack_from(body)
    if boot != _boot():
        return None
    numbers = array("q")
    middle = _HEADER.size + count * _FIELDS * numbers.itemsize
    numbers.frombytes(body[_HEADER.size : middle])
    if sys.byteorder != "little":
        numbers.byteswap()
    end = middle + object_count * DIGEST_SIZE
    objects = [body[place : place + DIGEST_SIZE] for place in range(middle, end, DIGEST_SIZE)]
    fields = iter(numbers)
    looks = list(zip(fields, fields, fields, fields, fields, strict=True))
    paths = body[end:].split(b"\0") if count else []
    return Written(root, entries, size, paths, looks, objects, top)


def notices_changes(directory: Path) -> bool:
    """Return whether the file system of a directory notes each change of a file, also one through mmap(2).

    That of memory (tmpfs) does not: what was read through a mapping is then written without a notice. If nothing can be
    written there, the answer is False.
    """
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.truncate(mmap.PAGESIZE)
            os.utime(file.fileno(), ns=(0, 0))
            with mmap.mmap(file.fileno(), mmap.PAGESIZE) as mapping:
                mapping[0] += 1
                return os.fstat(file.fileno()).st_mtime_ns != 0
    except OSError:
        return False


def examine(target: Path, paths: Sequence[bytes]) -> tuple[int, list[Look]]:
    """Return the inode of a directory, as in a Look, and what its entries look like.

    Args:
        target: the directory.
        paths: the entries, depth first; none is below a link.

    Raises:
        OSError: one cannot be examined.
    """
    with _Walk(target) as walk:
        looks = [_look(os.stat(name, dir_fd=fd, follow_symlinks=False)) for fd, name in map(walk.find, paths)]
        return _look(os.fstat(walk.root))[1], looks


def discard(target: Path, paths: Sequence[bytes]) -> None:
    """Remove entries of a directory, with everything below them. Those that are not there are ignored.

    Args:
        target: the directory.
        paths: the entries, sorted; none is below a link.

    Raises:
        OSError: one cannot be removed.
    """
    with _Walk(target) as walk:
        for path in paths:
            with suppress(FileNotFoundError):  # a directory on the way is not there
                fd, name = walk.find(path)
                make_writable(fd)
                remove(fd, os.fsdecode(name))


def restore(target: Path, written: Written) -> Written:
    """Remove everything from a directory that is not as it was, and give directories their modes and times back.

    Nothing outside of the directory is touched, whatever is in it now. A directory that a job has changed, and that has
    another owner or other attributes (ACLs, for example) than the one that contains `target`, is removed too: what it
    had before is not known.

    Args:
        target: the directory.
        written: what was there.

    Returns:
        What is there now.

    Raises:
        OSError: something cannot be examined or removed, or another directory is in its place.
    """
    with _Restoration(target, written) as restoration:
        return restoration.run()


class _Walk:
    """Goes through a directory depth first, without following a link.

    Args:
        target: the directory.
    """

    def __init__(self, target: Path) -> None:
        self._stack = [(b"", os.open(target, system.READ_DIRECTORY))]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for _, fd in self._stack:
            os.close(fd)

    @property
    def root(self) -> int:
        """A descriptor of the directory."""
        return self._stack[0][1]

    def find(self, path: bytes) -> tuple[int, bytes]:
        """Return a descriptor of the directory that an entry is in, until the next call, and its name there.

        Raises:
            OSError: a directory on the way cannot be opened.
        """
        stack = self._stack
        while not path.startswith(stack[-1][0]):
            os.close(stack.pop()[1])
        prefix, fd = stack[-1]
        name = path[len(prefix) :]
        while b"/" in name:
            first, _, name = name.partition(b"/")
            prefix += first + b"/"
            fd = os.open(first, system.READ_DIRECTORY, dir_fd=fd)
            stack.append((prefix, fd))
        return fd, name


class _Restoration(_Walk):
    """Restores a directory.

    Args:
        target: the directory.
        written: what was there.
    """

    def __init__(self, target: Path, written: Written) -> None:
        super().__init__(target)
        self._target = target
        self._written = written
        self._common: _Owned | None = None
        """What all directories have that no job has changed."""
        self._names: dict[bytes, set[bytes]] = {}
        """The names that were in each directory; found out when a directory has changed."""
        self._changed: set[bytes] = set()
        """The directories whose mode or times have changed, or change now."""

    def run(self) -> Written:
        """Restore it; return what is there now."""
        device = self._begin()
        self._clean(self.root, b"", {path for path in self._written.paths if b"/" not in path})
        paths: list[bytes] = []
        looks: list[Look] = []
        gone = b"/"  # no path begins with it
        for path, look in zip(self._written.paths, self._written.looks, strict=True):
            if path.startswith(gone):
                continue
            fd, name = self.find(path)
            found = _find(fd, name)
            is_mount = found is not None and stat.S_ISDIR(found.st_mode) and found.st_dev != device
            now = None if found is None or is_mount else _look(found)
            if now is not None and (
                now == look or (_are_one_directory(now, look) and self._clean_below(fd, name, path))
            ):
                paths.append(path)
                looks.append(look)
                continue
            gone = path + b"/"
            if found is not None:
                self._remove(fd, name, path.rpartition(b"/")[0])
        left = replace(self._written, paths=paths, looks=looks)
        return self._finish(left) if self._changed else left

    def _begin(self) -> int:
        """Check that the directory is the one that was written, and give it its mode back; return its device."""
        above = os.open(self._target.parent, os.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC)
        try:
            self._common = _owned(above)
            device = os.fstat(above).st_dev
        finally:
            os.close(above)
        found = os.fstat(self.root)
        if (found.st_dev, _look(found)[1]) != (device, self._written.top) or _owned(self.root) != self._common:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(self._target))
        if stat.S_IMODE(found.st_mode) != _PRIVATE:
            system.fchmod(self.root, _PRIVATE)
        return device

    def _remove(self, fd: int, name: bytes, directory: bytes) -> None:
        """Remove an entry of an open directory."""
        make_writable(fd)
        self._changed.add(directory)
        remove(fd, os.fsdecode(name))

    def _clean_below(self, fd: int, name: bytes, path: bytes) -> bool:
        """Remove what was not in a directory that has changed; return False if it is to be removed itself."""
        below = os.open(name, system.READ_DIRECTORY, dir_fd=fd)
        try:
            if _owned(below) != self._common:
                return False
            self._changed.add(path)
            self._clean(below, path, self._names_in(path))
        finally:
            os.close(below)
        return True

    def _clean(self, fd: int, path: bytes, names: set[bytes]) -> None:
        """Remove what was not in a directory."""
        for name in map(os.fsencode, os.listdir(fd)):
            if name not in names:
                self._remove(fd, name, path)

    def _names_in(self, path: bytes) -> set[bytes]:
        """Return the names that were in a directory."""
        if not self._names:
            for each in self._written.paths:
                directory, _, name = each.rpartition(b"/")
                self._names.setdefault(directory, set()).add(name)
        return self._names.get(path, set())

    def _finish(self, left: Written) -> Written:
        """Give the changed directories their modes and times back, those below a directory before it."""
        looks = list(left.looks)
        numbers = {path: number for number, path in enumerate(left.paths) if path in self._changed}
        for path, number in reversed(numbers.items()):
            above, name = self.find(path)
            fd = os.open(name, system.READ_DIRECTORY, dir_fd=above)
            try:
                mode, _, _, mtime_ns, _ = looks[number]
                system.fchmod(fd, stat.S_IMODE(mode))
                os.utime(fd, ns=(mtime_ns, mtime_ns))
                looks[number] = _look(os.fstat(fd))
            finally:
                os.close(fd)
        return replace(left, looks=looks)


def _look(found: os.stat_result) -> Look:
    return found.st_mode, found.st_ino - (1 << 63), found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _find(fd: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _are_one_directory(now: Look, then: Look) -> bool:
    return stat.S_ISDIR(now[0]) and stat.S_ISDIR(then[0]) and now[1] == then[1]


def _owned(fd: int) -> _Owned:
    """Return the owner, the group and the extended attributes of an open directory."""
    found = os.fstat(fd)
    attributes = {}
    if sys.platform == "linux":
        try:
            names = os.listxattr(fd)
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise
            names = []  # this file system has none
        attributes = {name: os.getxattr(fd, name) for name in names}
    return found.st_uid, found.st_gid, attributes


def _boot() -> bytes:
    """Return what names the time since this host was started; zeros if the system does not say."""
    with suppress(OSError, ValueError):
        return bytes.fromhex(_BOOT.read_text(encoding="ascii").strip().replace("-", ""))
    return bytes(16)
