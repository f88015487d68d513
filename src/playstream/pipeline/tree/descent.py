"""The directories on the way to the entry that is being unpacked: each gets its mode and time when it is left."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.tree.paths import printable, split_path


@dataclass(slots=True)
class Directory:
    """A directory that entries may still come for."""

    fd: int
    prefix: bytes
    """What the paths of its entries begin with: empty or ending in a slash."""
    mode: int
    mtime_ns: int


class Descent:
    """A stack of open directories, the target at its bottom. Entries come depth first, so no other is needed."""

    def __init__(self, root_fd: int) -> None:
        """`root_fd` is closed by `close`; the root's mode and times are left alone."""
        self.root = Directory(root_fd, b"", 0, 0)
        self.stack = [self.root]

    def enter(self, directory: Directory) -> None:
        """Make the directory, which is in the current one, the current one. Its descriptor is closed when left."""
        self.stack.append(directory)

    def locate(self, path: bytes) -> bytes:
        """Leave directories until the one that holds the entry is the current one; the entry's name in it.

        Raises UnsafePath if the path is not valid, RemoteProtocolError if no open directory holds it, and OSError.
        """
        *parents, name = split_path(path)
        prefix = b"/".join([*parents, b""])
        if all(directory.prefix != prefix for directory in self.stack):
            raise RemoteProtocolError(
                f"the tree's entry {printable(path)} is out of order: expected the entries of a directory right after "
                "the directory. The sender is faulty, or the stream was altered."
            )
        while self.stack[-1].prefix != prefix:
            self._leave()
        return name

    def leave_all(self) -> None:
        """Leave every directory but the root. Raises OSError."""
        while len(self.stack) > 1:
            self._leave()

    def close(self) -> None:
        """Close all descriptors, the root's too, without setting modes and times."""
        while self.stack:
            with contextlib.suppress(OSError):
                os.close(self.stack.pop().fd)

    def _leave(self) -> None:
        directory = self.stack[-1]
        os.fchmod(directory.fd, directory.mode)
        os.utime(directory.fd, ns=(directory.mtime_ns, directory.mtime_ns))
        self.stack.pop()
        os.close(directory.fd)
