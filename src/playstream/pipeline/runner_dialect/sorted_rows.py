"""Sorting more rows of bytes than fit into memory: sorted pieces are kept on disk and merged."""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterator
from typing import IO

from playstream.pipeline.io import system

_IN_MEMORY = 1 << 24
"""Bytes of rows that are held in memory, including Python's overhead."""
_ROW_COST = 56
"""Python's overhead for a row in a list: the object's header, its slot in the list, and rounding."""
_BLOCK = 1 << 15
"""Bytes of each sorted piece that are read at once."""
_SIZE = struct.Struct("<I")


class SortedRows:
    """Takes rows in any order and yields them in the order of their bytes.

    A few rows are sorted in memory. Many are sorted in pieces of 16 MiB that are kept in a file without a name, so that
    each piece takes only 32 KiB of memory.
    """

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._cost = 0
        self._file: IO[bytes] | None = None
        self._pieces: list[tuple[int, int]] = []
        """The start and end of each sorted piece in the file."""

    def add(self, row: bytes) -> None:
        """Add a row.

        Raises:
            OSError: there is no room for it on disk.
        """
        self._rows.append(row)
        self._cost += len(row) + _ROW_COST
        if self._cost > _IN_MEMORY:
            self._put_aside()

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the sorted rows. No rows can be added after this.

        Raises:
            OSError: they cannot be kept on disk or read from there.
        """
        if self._file is None:
            self._rows.sort()
            return iter(self._rows)
        if self._rows:
            self._put_aside()
        self._file.flush()
        return heapq.merge(*(_read(self._file.fileno(), start, end) for start, end in self._pieces))

    def close(self) -> None:
        """Drop all rows."""
        self._rows.clear()
        if self._file is not None:
            self._file.close()

    def _put_aside(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._rows.sort()
        start = self._file.tell()
        for row in self._rows:
            self._file.write(_SIZE.pack(len(row)))
            self._file.write(row)
        self._pieces.append((start, self._file.tell()))
        self._rows = []
        self._cost = 0


def _read(fd: int, position: int, end: int) -> Iterator[bytes]:
    """Yield the rows of one piece."""
    block, taken = b"", 0
    while position < end or taken < len(block):
        while (size := _whole(block, taken)) is None:
            more = system.pread(fd, min(_BLOCK, end - position), position)
            position += len(more)
            block, taken = block[taken:] + more, 0
        start = taken + _SIZE.size
        taken = start + size
        yield block[start:taken]


def _whole(block: bytes, taken: int) -> int | None:
    """Return the size of the row that begins at `taken`; None if the block contains only a part of it."""
    if taken + _SIZE.size > len(block):
        return None
    (size,) = _SIZE.unpack_from(block, taken)
    return int(size) if taken + _SIZE.size + size <= len(block) else None
