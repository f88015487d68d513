"""The indexes of captures in the user's cache: finding that of a capture, making one, and removing the oldest.

An index has what its capture has, so it is as private. Without one a capture is read from its beginning, so a cache
that cannot be used is never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Final

from playstream.captures.index import Entry, Identity, Index, edges_of, pack_table
from playstream.captures.pieces import Item
from playstream.pipeline.errors import LocalProtocolError, RemoteProtocolError
from playstream.pipeline.io import system
from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.protocol import Event
from playstream.pipeline.tree.directories import make_private
from playstream.pipeline.tree.user_cache import cache_place, is_private
from playstream.process.events import parse_event
from playstream.process.record_blocks import Block, BlockMaker, is_kept

MAX_BYTES: Final = 1 << 30
"""The size of all indexes."""
_MAX_AGE_SECONDS = 30 * 24 * 3600
"""An index that was not used for this time is removed."""
_ENDING = ".index"
_BEGUN = ".begun-"
"""The beginning of the name of an index that is being made; its maker holds a lock of it."""
_logger = logging.getLogger("playstream")


def index_place() -> Path:
    """Return the directory of the indexes, which may be missing."""
    return cache_place("captures")


def _name_of(fd: int, size: int) -> str:
    """Return the name of the index of an open capture, which is that of a copy too."""
    return edges_of(fd, size).hex()[:40] + _ENDING


def find_index(fd: int) -> Index | None:
    """Open the index of a capture; None if there is none, or it is damaged or that of another capture.

    Args:
        fd: the open capture.
    """
    with contextlib.ExitStack() as opened:
        try:
            place = index_place()
            if not is_private(place):
                return None
            path = place / _name_of(fd, os.fstat(fd).st_size)
            file = os.open(path, system.READ_FILE)
            opened.callback(os.close, file)
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != system.geteuid():
                return None
            index = Index(file)
            if not index.is_of(fd):
                return None
            os.utime(path)
        except (OSError, ValueError) as error:
            _logger.debug("the index of a capture cannot be used: %s", error)
            return None
        opened.pop_all()
        return index


def discard_index(fd: int) -> None:
    """Remove the index of an open capture."""
    with contextlib.suppress(OSError):
        (index_place() / _name_of(fd, os.fstat(fd).st_size)).unlink()


class IndexMaker:
    """Makes the index of a capture while that is read. A capture with less than one block gets none.

    Args:
        fd: the open capture, a regular file.
    """

    def __init__(self, fd: int) -> None:
        self._capture = fd
        self._identity = Identity.of(fd)
        self._digest = hashlib.sha256()
        self._size = 0
        self._maker = BlockMaker()
        self._entries: list[Entry] = []
        self._written = 0
        self._file: int | None = None
        self._path: Path | None = None
        self._given_up = False

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the capture as they are read."""
        if not self._given_up:
            self._digest.update(data)
            self._size += len(data)

    def take(self, item: Item) -> None:
        """Take what the bytes hold. Nothing is raised."""
        if self._given_up or not is_kept(item):
            return
        try:
            block = self._maker.add(item, parse_event(item)[0] if isinstance(item, Event) else None)
            if block is not None:
                self._write(block)
        except (OSError, LocalProtocolError, RemoteProtocolError) as error:
            self._give_up(error)

    def _write(self, block: Block) -> None:
        if self._file is None:
            place = index_place()
            make_private(place)
            if not is_private(place):
                raise PermissionError(f"{place} belongs to another user, or others can enter it")
            self._file, name = tempfile.mkstemp(prefix=_BEGUN, dir=place)
            self._path = Path(name)
            try_lock(self._file)
        self._append(block.data)
        self._entries.append(Entry(len(block.data), block.info))

    def _append(self, data: bytes) -> None:
        self._written += len(data)
        if self._written > MAX_BYTES:
            raise OSError(f"the index would have more than {MAX_BYTES} bytes")
        view = memoryview(data)
        while view and self._file is not None:
            view = view[os.write(self._file, view) :]

    def finish(self) -> None:
        """Complete the index after the capture was read to its end without damage. Nothing is raised."""
        if self._given_up or self._file is None or self._path is None:
            return
        try:
            block = self._maker.finish()
            if block is not None:
                self._write(block)
            now = os.fstat(self._file).st_mtime_ns
            self._check_unchanged()
            settled = self._identity.is_settled(now)
            self._append(pack_table(self._identity, self._digest.digest(), self._entries, settled=settled))
            self._path.replace(self._path.with_name(_name_of(self._capture, self._size)))
            self._path = None
            evict(index_place(), MAX_BYTES)
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _check_unchanged(self) -> None:
        if self._size != self._identity.size or Identity.of(self._capture) != self._identity:
            raise OSError("the capture was changed while it was read")

    def _give_up(self, error: Exception) -> None:
        _logger.debug("the capture gets no index: %s", error)
        self._given_up = True
        self._maker = BlockMaker()
        self.close()

    def close(self) -> None:
        """Remove what is not complete."""
        path, self._path = self._path, None
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def evict(place: Path, max_bytes: int) -> None:
    """Remove indexes that were not used for long, those used longest ago until the rest has the size, and leftovers.

    Args:
        place: the directory of the indexes.
        max_bytes: the size.
    """
    found: list[tuple[float, int, Path]] = []
    with os.scandir(place) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                known = entry.stat(follow_symlinks=False)
                if entry.name.startswith(_BEGUN):
                    _remove_leftover(Path(entry.path))
                elif entry.name.endswith(_ENDING):
                    found.append((known.st_mtime, known.st_size, Path(entry.path)))
    size = sum(each[1] for each in found)
    oldest = time.time() - _MAX_AGE_SECONDS
    for used, of_one, path in sorted(found):
        if size <= max_bytes and used >= oldest:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        size -= of_one


def _remove_leftover(path: Path) -> None:
    """Remove an index that a killed process has begun."""
    fd = os.open(path, system.READ_FILE)
    try:
        if try_lock(fd):
            path.unlink()
    finally:
        os.close(fd)
