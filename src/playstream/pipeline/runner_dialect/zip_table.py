"""Reading the central directory of a zip as a stream.

zipfile creates a large object for each entry and holds the directory in memory. Accepted archives have the same meaning
as with zipfile (`test_zip_table.py` compares the two). Archives that different releases of Python read differently are
rejected, because the two ends of a stream may run different releases.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple

from playstream.pipeline.io import system
from playstream.pipeline.runner_dialect.archive_writer import UT_FIELD

_END = struct.Struct("<4s4H2LH")
_END_64_PLACE = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_UNCOUNTED = 12
"""Bytes at the start of the 64-bit record that its size field does not count."""
_ENTRY = struct.Struct("<4s4B4H3L5H2L")
_MAX_COMMENT = 1 << 16
_MAX_VERSION = 63
"""The version of the format that is required to read an entry, times ten."""
_ZIP64_FIELD = 1
_PATH_FIELD = 0x7075
"""The extra field that repeats the name in UTF-8."""
_PATH = struct.Struct("<BL")
_IN_ZIP64 = 0xFFFFFFFF
_UTF8_NAME = 0x800
_BLOCK = 1 << 16


class BadZip(Exception):
    """The archive is not valid; the message says why."""


@dataclass(frozen=True, slots=True)
class Table:
    """The position of an archive's entries."""

    start: int
    size: int
    offset: int
    """Added to the positions in the entries; more than 0 if there is other data before the archive."""


class ZipEntry(NamedTuple):
    """One entry of the table."""

    name: bytes
    """The name in the table."""
    mode: int
    """The Unix mode; 0 if the archive comes from another system."""
    flags: int
    method: int
    modified: int
    """Seconds since 1970 in UTC."""
    crc: int
    packed_size: int
    size: int
    position: int
    """The position of its local header, in bytes from the start of the file."""


def find_table(file: IO[bytes]) -> Table:
    """Find the central directory by the last end record and the ZIP64 record directly before it, if there is one.

    Raises:
        BadZip: the archive is not valid.
        OSError: the file cannot be read.
    """
    file_size = file.seek(0, os.SEEK_END)
    place = _find_end(file, file_size)
    file.seek(place)
    *_, size, position, _comment = _END.unpack(file.read(_END.size))
    wide = _read_end_64(file, place)
    if wide is not None:
        size, position = wide
    start = place - size - (_END_64.size + _END_64_PLACE.size if wide is not None else 0)
    if start < 0:
        raise BadZip("its central directory begins before the file")
    return Table(start, size, start - position)


def _find_end(file: IO[bytes], file_size: int) -> int:
    """Find the end record."""
    if file_size >= _END.size:
        file.seek(file_size - _END.size)
        last = file.read()
        if last.startswith(b"PK\5\6") and last.endswith(b"\0\0"):
            return file_size - _END.size
    start = max(0, file_size - _END.size - _MAX_COMMENT)
    file.seek(start)
    found = file.read().rfind(b"PK\5\6")
    if found < 0 or start + found + _END.size > file_size:
        raise BadZip("it has no central directory")
    return start + found


def _read_end_64(file: IO[bytes], place: int) -> tuple[int, int] | None:
    """Return the size and position of the table from the 64-bit record directly before the end record.

    Older releases of zipfile read the record directly before its locator. Later ones read it at the locator's position
    and compare the positions. Only archives that are the same for both are accepted.
    """
    at = place - _END_64_PLACE.size
    if at < 0:
        return None
    file.seek(at)
    marker, disk, stated, disks = _END_64_PLACE.unpack(file.read(_END_64_PLACE.size))
    if marker != b"PK\6\7":
        return None
    if disk != 0 or disks > 1:
        raise BadZip("it is part of a multi-part archive")
    at -= _END_64.size
    if at < 0:
        raise BadZip("its ZIP64 end record begins before the file")
    file.seek(at)
    marker, room, *_, size, position = _END_64.unpack(file.read(_END_64.size))
    if marker != b"PK\6\6":
        raise BadZip("its ZIP64 end record is not where its locator says")
    if room != _END_64.size - _UNCOUNTED:
        raise BadZip("its ZIP64 end record has the wrong size")
    if stated > at or position + size != stated:
        raise BadZip("its ZIP64 records disagree on where its central directory ends")
    if stated < at:  # there is other data before the archive
        file.seek(stated)
        if file.read(len(marker)) == marker:
            raise BadZip("it has two ZIP64 end records")
    return size, position


def read_entries(file: IO[bytes], table: Table) -> Iterator[ZipEntry]:
    """Yield the entries of the central directory in order. At most 64 KiB or one entry are in memory.

    Raises:
        BadZip: one is not valid.
        OSError: the file cannot be read.
    """
    reader = _Reader(file, table)
    while reader.left > 0:
        header = reader.take(_ENTRY.size)
        (
            marker,
            _made_by,
            _system,
            needed,
            _reserved,
            flags,
            method,
            clock,
            date,
            crc,
            packed_size,
            size,
            name_size,
            extra_size,
            comment_size,
            _disk,
            _internal,
            attributes,
            position,
        ) = _ENTRY.unpack(header)
        if marker != b"PK\1\2":
            raise BadZip("an entry of its central directory has no signature")
        if needed > _MAX_VERSION:
            raise BadZip(f"an entry requires version {needed / 10} of the format")
        name, extra = reader.take(name_size), reader.take(extra_size)
        reader.take(comment_size)
        if flags & _UTF8_NAME:
            _check_utf8(name)
        modified = None
        for field, value in _fields(extra):
            if field == _ZIP64_FIELD:
                size, packed_size, position = _widen(value, size, packed_size, position)
            elif field == _PATH_FIELD:
                _check_path(value, name)
            elif field == UT_FIELD and modified is None and len(value) >= 5 and value[0] & 1:
                modified = int(struct.unpack_from("<i", value, 1)[0])
        if modified is None:
            modified = _local_time(date, clock)
        position += table.offset
        if not 0 <= position < table.start:
            raise BadZip("an entry lies outside the archive")
        yield ZipEntry(name, attributes >> 16, flags, method, modified, crc, packed_size, size, position)


class _Reader:
    """Reads the table from the file at its own position, because others read the file meanwhile."""

    def __init__(self, file: IO[bytes], table: Table) -> None:
        self._fd = file.fileno()
        self._position = table.start
        self.left = table.size
        """Bytes of the table that have not been read; negative if its last entry is longer than the table."""
        self._block = b""
        self._taken = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            BadZip: the file has no more.
        """
        end = self._taken + size
        if end > len(self._block):
            self._fill(size)
            end = size
        data = self._block[self._taken : end]
        if len(data) < size:
            raise BadZip("its central directory is truncated")
        self._taken = end
        self.left -= size
        return data

    def _fill(self, size: int) -> None:
        rest = self._block[self._taken :]
        wanted = max(_BLOCK, size - len(rest))
        block = system.pread(self._fd, max(0, min(wanted, self.left - len(rest))), self._position)
        self._position += len(block)
        self._block, self._taken = rest + block, 0


def _check_utf8(name: bytes) -> None:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        raise BadZip("the name of an entry is marked as UTF-8 but is not") from None


def _check_path(value: bytes, name: bytes) -> None:
    """Reject a second name. zipfile uses it since Python 3.13 if its checksum matches the first name."""
    if len(value) < _PATH.size:
        raise BadZip("the Unicode path field of an entry is truncated")
    version, crc = _PATH.unpack_from(value)
    second = value[_PATH.size :]
    if version == 1 and crc == zlib.crc32(name) and second and second != name:
        raise BadZip("an entry has two names")


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 4 <= len(extra):
        field, size = struct.unpack_from("<HH", extra, position)
        start, position = position + 4, position + 4 + size
        if position > len(extra):
            raise BadZip(f"the extra field {field:04x} of an entry is too long")
        yield field, extra[start:position]


def _widen(value: bytes, size: int, packed_size: int, position: int) -> tuple[int, int, int]:
    """Return the numbers of an entry; those that do not fit into 32 bits are read from the ZIP64 field."""
    numbers = [size, packed_size, position]
    taken = 0
    for index, number in enumerate(numbers):
        if number == _IN_ZIP64:
            if taken + 8 > len(value):
                raise BadZip("an entry lacks a ZIP64 number")
            (numbers[index],) = struct.unpack_from("<Q", value, taken)
            taken += 8
    size, packed_size, position = numbers
    return size, packed_size, position


def _local_time(date: int, clock: int) -> int:
    """Convert the zip's own time field, which has local time. Return 0 if it is not valid."""
    moment = ((date >> 9) + 1980, date >> 5 & 15, date & 31, clock >> 11, clock >> 5 & 63, (clock & 31) * 2)
    try:
        return int(time.mktime((*moment, 0, 0, -1)))
    except (OverflowError, ValueError):
        return 0
