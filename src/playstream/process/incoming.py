"""Receiving a worker's artifacts: they are unpacked next to the run's files, checked, and moved into place.

So a truncated stream does not damage existing files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playstream.pipeline.errors import RemoteProtocolError, UnsafePath
from playstream.pipeline.io import system
from playstream.pipeline.job.ident import FACT_CACHE, KNOWN_DIRECTORIES, KNOWN_NAMES
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol import FileData, FileEntry, TreeEnd
from playstream.pipeline.tree.directories import make_directory, mode_of, names_to_take, put, remove
from playstream.pipeline.tree.paths import MAX_NAME
from playstream.pipeline.tree.unpack import Unpacker

if TYPE_CHECKING:
    from playstream.process.made_names import MadeNames

_INCOMING = ".incoming"
"""The directory that a tree is unpacked into before it is moved into place."""


class IncomingTree:
    """Takes the records of the tree. Every method may raise OSError for an error of the file system.

    Args:
        path: the artifact directory.
        root: its descriptor, which the caller closes.
        among_runs: the directory may contain those of other runs, whose names the worker must not use.
        links: names whose links are kept, so that their targets are written.
        limits: limits of the tree.
    """

    def __init__(self, path: Path, root: int, *, among_runs: bool, links: Collection[str], limits: Limits) -> None:
        self._path = path
        self._root = root
        self._among_runs = among_runs
        self._links = links
        self._limits = limits
        self._made: MadeNames | None = None
        """What streams without an ident have created; read when needed."""
        self._unpacker: Unpacker | None = None
        self.waits = False
        """Whether a tree is complete and not yet moved into place."""
        remove(root, _INCOMING)  # left by a process that was killed

    @property
    def receiving(self) -> bool:
        """Whether the beginning of a tree was received, but not its end."""
        return self._unpacker is not None

    def receive(self, record: FileEntry | FileData | TreeEnd) -> None:
        """Take a record. The last one checks the tree, which then waits for `place`.

        Raises:
            UnsafePath: an entry would leave the directory, or has a name that the run must not use.
            RemoteProtocolError: the tree is not well formed.
        """
        if self._unpacker is None:
            os.close(make_directory(self._root, _INCOMING))
            self._unpacker = Unpacker(self._path / _INCOMING, trusted=False, limits=self._limits)
        if isinstance(record, FileEntry):
            _check_name(record.path)
            if self._among_runs:
                self._check_among_runs(record.path)
        self._unpacker.receive(record)
        if isinstance(record, TreeEnd):
            self._close_unpacker()
            with self._open() as incoming:
                _check_types(incoming)
                if mode_of(incoming, FACT_CACHE) is not None:
                    _simplify_facts(self._path / _INCOMING / FACT_CACHE)
            self.waits = True

    def place(self, not_taken: Collection[str]) -> None:
        """Replace existing entries by a complete tree, except for the names in `not_taken`."""
        with self._open() as incoming:
            self._move_all(incoming, not_taken, replace=True)
        remove(self._root, _INCOMING)
        self.waits = False

    def drop(self, not_taken: Collection[str], *, keep: bool) -> None:
        """Drop a tree that is not in place. With `keep`, move its received entries to where none exist."""
        if self._close_unpacker() and keep:
            with self._open() as incoming:
                self._move_all(incoming, not_taken, replace=False)
        remove(self._root, _INCOMING)

    def _close_unpacker(self) -> bool:
        """Close the unpacker and return whether there was one."""
        unpacker, self._unpacker = self._unpacker, None
        if unpacker is not None:
            unpacker.close()
        return unpacker is not None

    def _check_among_runs(self, path: bytes) -> None:
        """Reject an entry at the top of the directory whose name is not allowed. The unpacker checks the others."""
        name = os.fsdecode(path)
        if not name or "/" in name or "\0" in name or name in KNOWN_NAMES or len(path) > MAX_NAME:
            return
        self._names_made().expect(name)

    def _names_made(self) -> MadeNames:
        if self._made is None:
            from playstream.process.made_names import MadeNames  # noqa: PLC0415 - most trees have known names only

            self._made = MadeNames(self._root)
        return self._made

    @contextmanager
    def _open(self) -> Iterator[int]:
        """Open the directory of the received tree."""
        fd = os.open(_INCOMING, system.READ_DIRECTORY, dir_fd=self._root)
        try:
            yield fd
        finally:
            os.close(fd)

    def _move_all(self, incoming: int, not_taken: Collection[str], *, replace: bool) -> None:
        """Move the unpacked entries into place; without `replace` only those that do not exist yet.

        Raises:
            UnsafePath: something else was created in the place of an entry.
        """
        if self._made is not None:
            with os.scandir(incoming) as entries:
                self._made.add((entry.name for entry in entries), incoming)
        for name in names_to_take(incoming):
            if name in not_taken or not (replace or self._has_room_for(incoming, name)):
                remove(incoming, name)
            elif name in self._links:
                _copy_content(self._path / _INCOMING / name, self._path / name)
                remove(incoming, name)
            elif self._made is not None and name not in KNOWN_NAMES:
                self._made.move(incoming, name)
            else:
                put(incoming, name, self._root)

    def _has_room_for(self, incoming: int, name: str) -> bool:
        return _has_right_type(incoming, name) and mode_of(self._root, name) is None


def _simplify_facts(cache: Path) -> None:
    """Convert the fact cache of Ansible, which ansible-runner's worker sends unchanged, to the layout for clients."""
    from playstream.pipeline.job.fact_cache import simplify_fact_cache  # noqa: PLC0415 - most runs have none

    simplify_fact_cache(cache)


def _copy_content(source: Path, target: Path) -> None:
    """Write a file's content to the target of a link."""
    import shutil  # noqa: PLC0415 - takes 2 ms and is rarely needed

    shutil.copyfile(source, target)


def _has_right_type(directory: int, name: str) -> bool:
    """Return whether an entry has the right type: a file or a directory for known names, not a link.

    Raises:
        OSError: it cannot be examined.
    """
    mode = mode_of(directory, name) if name in KNOWN_NAMES else None
    return mode is None or (stat.S_ISDIR if name in KNOWN_DIRECTORIES else stat.S_ISREG)(mode)


def _check_types(directory: int) -> None:
    """Check that the known names in a tree have the right type.

    Args:
        directory: descriptor of the directory that it was unpacked into.

    Raises:
        RemoteProtocolError: one has not.
        OSError: an entry cannot be examined.
    """
    for name in sorted(KNOWN_NAMES):
        if not _has_right_type(directory, name):
            expected = "a directory" if name in KNOWN_DIRECTORIES else "a file"
            raise RemoteProtocolError(
                f"the worker's artifacts contain {name!r} as something other than {expected}, which no run creates. "
                "They were rejected. Check on the worker what created it: a task of the job, or a modified worker"
            )


def _check_name(path: bytes) -> None:
    """Check that an entry of a tree does not have a name that this side uses itself.

    Args:
        path: the path of the entry in the tree.

    Raises:
        UnsafePath: it has.
    """
    if path.split(b"/", 1)[0] == _INCOMING.encode():
        raise UnsafePath(
            f"the worker's artifacts contain the name {_INCOMING!r}, which is reserved for playstream's own files. "
            "They were rejected. Check on the worker what created it: a task of the job, or a modified worker"
        )
