"""A tree as a zip, in the form that ansible-runner uses.

A zip must be complete before its first byte is sent, because its size is sent first. It is created in a file without a
name, which no other process can open and which disappears with this one. zipfile keeps 600 bytes for each entry until
it writes its table; here the table is in a file too and is appended to the entries at the end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from playstream.pipeline.errors import ConfigurationError, JobError, remedy
from playstream.pipeline.io import system
from playstream.pipeline.protocol import FileData, FileEntry, FileType, TreeEnd
from playstream.pipeline.tree.paths import printable

LEVEL = 1
"""The level of deflate: much faster than zlib's default for slightly more bytes (docs/performance.md)."""
UT_FIELD = 0x5455
"""Info-ZIP's extra field for the modification time in UTC. The zip's own field has local time in steps of 2 seconds."""
_FIRST_TIME = (1980, 1, 1, 0, 0, 0)
_LAST_TIME = (2107, 12, 31, 23, 59, 58)
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_TABLE_ENTRY = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_END_64_PLACE = struct.Struct("<4sLQL")
_MAX_16, _MAX_32 = 0xFFFF, 0xFFFFFFFF
_ZIP64_FIELD, _ZIP64_VERSION = 1, 45
_UTF8_NAME = 0x800
_PIECE = 1 << 18
_UNIX = 3
_DIRECTORY_BIT = 0x10
_UNLISTED = b"unlisted"
"""The name of a file that is in the archive only for its content."""


class ArchiveWriter:
    """Takes the records of one tree. A file with several names becomes several files.

    An entry of the tree with the path of an added file is omitted.

    Args:
        artifacts: whether a job created the tree. Entries with a name that a zip cannot represent are then omitted.

    Raises:
        JobError: the file cannot be created.
    """

    def __init__(self, *, artifacts: bool = False) -> None:
        self._artifacts = artifacts
        self._added: list[bytes] = []
        """Paths of the files added by `add_file`."""
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
            self._table: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as above
        except OSError as error:
            raise _no_room(error) from None
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        self._count = 0
        self._entry: IO[bytes] | None = None
        self._left = 0
        self._link = 0
        """The link number of the file that is being written."""
        self._listed = True
        """Whether that file is listed in the table."""
        self._links: dict[int, tuple[int, int, int]] = {}
        """Link number of a file to its position, its packed size and its size."""

    def close(self) -> None:
        """Drop the archive."""
        for close in (self._finish_entry, self._zip.close, self._file.close, self._table.close):
            # The disk may be full, or the last entry incomplete for lack of room: the archive is dropped anyway.
            with contextlib.suppress(OSError, ValueError):
                close()

    def add_file(self, path: str, data: bytes) -> None:
        """Add a private file that is not in the tree.

        Raises:
            JobError: there is no room for it.
        """
        info = zipfile.ZipInfo(path, time.localtime()[:6])
        info.external_attr = (stat.S_IFREG | 0o600) << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        try:
            self._write_whole(info, data)
        except OSError as error:
            raise _no_room(error) from None
        self._added.append(path.encode())

    def _write_whole(self, info: zipfile.ZipInfo, data: bytes) -> None:
        self._zip.writestr(info, data)
        self._take_entry()

    def _take_entry(self) -> None:
        """Move the data that zipfile keeps for the last entry into the table."""
        info = self._zip.filelist.pop()
        self._zip.NameToInfo.clear()
        if self._listed:
            self._count += 1
            self._table.write(_describe_in_table(info))
        if self._link:
            self._links[self._link] = (info.header_offset, info.compress_size, info.file_size)
            self._link = 0

    def receive(self, record: FileEntry | FileData | TreeEnd) -> None:
        """Take one record.

        Raises:
            ConfigurationError: an entry has a name that a zip cannot represent.
            JobError: there is no room for the archive.
        """
        try:
            if isinstance(record, FileData):
                self._write(record.data)
            elif isinstance(record, FileEntry):
                self._add(record)
            else:
                self._finish()
        except OSError as error:
            raise _no_room(error) from None

    def _finish(self) -> None:
        """Append the table to the entries."""
        start, size = self._zip.start_dir, self._table.tell()
        self._file.seek(start)
        self._table.seek(0)
        shutil.copyfileobj(self._table, self._file)
        self._file.write(_end(self._count, size, start))
        self._file.flush()

    def _add(self, entry: FileEntry) -> None:
        if not entry.path:
            return  # an archive has no entry for the root
        self._listed = not self._leaves_out(entry)
        if not self._listed:
            if entry.type is not FileType.FILE or not entry.link:
                return
            entry = replace(entry, path=_UNLISTED)  # another name has the same content
        info = _describe(entry)
        if entry.type is FileType.DIRECTORY:
            self._write_whole(info, b"")
        elif entry.type is FileType.SYMLINK:
            self._write_whole(info, entry.target)
        elif entry.type is FileType.HARDLINK:
            self._copy(self._links[entry.link], info)
        else:
            self._left = info.file_size = entry.size
            self._entry = self._zip.open(info, "w")
            self._link = entry.link
            if not self._left:
                self._finish_entry()

    def _leaves_out(self, entry: FileEntry) -> bool:
        path = entry.path
        for added in self._added:
            if path == added or path.startswith(added + b"/"):
                return True
            if entry.type is not FileType.DIRECTORY and added.startswith(path + b"/"):
                return True
        return self._artifacts and not _is_utf8(path)

    def _write(self, data: bytes) -> None:
        if self._entry is None:
            return
        self._entry.write(data)
        self._left -= len(data)
        if not self._left:
            self._finish_entry()

    def _finish_entry(self) -> None:
        if self._entry is not None:
            self._entry.close()
            self._entry = None
            self._take_entry()

    def _copy(self, source: tuple[int, int, int], info: zipfile.ZipInfo) -> None:
        """Add the content of an entry again. It is read from the file, because zipfile cannot read while it writes."""
        place, packed_size, info.file_size = source
        fd = self._file.fileno()
        self._file.flush()
        header = _LOCAL_HEADER.unpack(system.pread(fd, _LOCAL_HEADER.size, place))
        position = place + _LOCAL_HEADER.size + header[-2] + header[-1]
        end = position + packed_size
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        with self._zip.open(info, "w") as target:
            while position < end:
                data = system.pread(fd, min(_PIECE, end - position), position)
                position += len(data)
                target.write(inflater.decompress(data))
            target.write(inflater.flush())
        self._take_entry()

    @property
    def size(self) -> int:
        """Size of the archive in bytes, after TreeEnd."""
        return os.fstat(self._file.fileno()).st_size

    def data(self, piece: int) -> Iterator[bytes]:
        """Yield the archive in pieces of `piece` bytes.

        Raises:
            JobError: it cannot be read.
        """
        try:
            self._file.seek(0)
            while data := self._file.read(piece):
                yield data
        except OSError as error:
            raise _no_room(error) from None


def _is_utf8(path: bytes) -> bool:
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _describe_in_table(info: zipfile.ZipInfo) -> bytes:
    """Encode an entry of the central directory as zipfile does."""
    name, extra, version = info.filename.encode(), info.extra, info.create_version
    sizes = [info.file_size, info.compress_size, info.header_offset]
    wide = b"".join(struct.pack("<Q", size) for size in sizes if size > zipfile.ZIP64_LIMIT)
    if wide:
        extra = struct.pack("<2H", _ZIP64_FIELD, len(wide)) + wide + extra
        sizes = [_MAX_32 if size > zipfile.ZIP64_LIMIT else size for size in sizes]
        version = max(version, _ZIP64_VERSION)
    year, month, day, hour, minute, second = info.date_time
    return (
        _TABLE_ENTRY.pack(
            b"PK\1\2",
            version,
            info.create_system,
            max(info.extract_version, version),
            info.reserved,
            info.flag_bits | (0 if info.filename.isascii() else _UTF8_NAME),
            info.compress_type,
            hour << 11 | minute << 5 | second // 2,
            (year - 1980) << 9 | month << 5 | day,
            info.CRC,
            sizes[1],
            sizes[0],
            len(name),
            len(extra),
            0,
            0,
            info.internal_attr,
            info.external_attr,
            sizes[2],
        )
        + name
        + extra
    )


def _end(count: int, size: int, start: int) -> bytes:
    """Encode the records after the central directory as zipfile does."""
    records = b""
    if count > zipfile.ZIP_FILECOUNT_LIMIT or start > zipfile.ZIP64_LIMIT or size > zipfile.ZIP64_LIMIT:
        records = _END_64.pack(
            b"PK\6\6", _END_64.size - 12, _ZIP64_VERSION, _ZIP64_VERSION, 0, 0, count, count, size, start
        ) + _END_64_PLACE.pack(b"PK\6\7", 0, start + size, 1)
        count, size, start = min(count, _MAX_16), min(size, _MAX_32), min(start, _MAX_32)
    return records + _END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0)


def _describe(entry: FileEntry) -> zipfile.ZipInfo:
    """Convert a FileEntry to a ZipInfo.

    Raises:
        ConfigurationError: its name is not UTF-8.
    """
    if not _is_utf8(entry.path):
        raise ConfigurationError(
            f"{printable(entry.path)} has a name that is not valid UTF-8, which ansible-runner's protocol cannot "
            "represent. Exclude it with --exclude, or send the job without --dialect runner"
        )
    name = entry.path.decode("utf-8")
    seconds = entry.mtime_ns // 1_000_000_000
    kind = {FileType.DIRECTORY: stat.S_IFDIR, FileType.SYMLINK: stat.S_IFLNK}.get(entry.type, stat.S_IFREG)
    info = zipfile.ZipInfo(f"{name}/" if kind == stat.S_IFDIR else name, _local_time(seconds))
    info.create_system = _UNIX
    info.external_attr = (kind | entry.mode) << 16
    if kind == stat.S_IFDIR:
        info.external_attr |= _DIRECTORY_BIT
    else:
        info.compress_type = zipfile.ZIP_DEFLATED
    if -(1 << 31) <= seconds < 1 << 31:
        info.extra = struct.pack("<HHBi", UT_FIELD, 5, 1, seconds)
    return info


def _local_time(seconds: int) -> tuple[int, int, int, int, int, int]:
    """Return the value of the zip's own time field, or the nearest possible one."""
    try:
        moment = time.localtime(seconds)[:6]
    except (OverflowError, ValueError, OSError):
        moment = _FIRST_TIME if seconds < 0 else _LAST_TIME
    return max(_FIRST_TIME, min(moment, _LAST_TIME))


def _no_room(error: OSError) -> JobError:
    return JobError(
        f"the archive for ansible-runner's protocol cannot be created in {tempfile.gettempdir()!r}: {error.strerror}. "
        f"{remedy(error)}, set TMPDIR, or use playstream's own protocol, which needs no archive"
    )
