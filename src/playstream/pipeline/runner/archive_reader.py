"""A zip as the records of a tree.

The zip comes from elsewhere and is not trusted: what it says of names, kinds and sizes is checked here as far as a zip
can lie, and by `pipeline.tree` as for every tree.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
import time
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO

from playstream.pipeline.errors import JobError, RemoteProtocolError
from playstream.pipeline.protocol import FileData, FileEntry, FileType, TreeEnd
from playstream.pipeline.runner.archive_writer import UT_FIELD
from playstream.pipeline.tree.pack import DATA_SIZE
from playstream.pipeline.tree.paths import MAX_TARGET, printable, split_path

MAX_DIRECTORY = 1 << 25
"""Bytes of a zip's table of entries that are accepted: 330,000 files with names of 50 bytes. Each byte of it takes 6.5
in memory with such names, and 12 with names of one letter (measured on CPython 3.11), so at most 410 MB."""
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_END = struct.Struct("<4s4H2IH")
_END_64_PLACE = struct.Struct("<4sIQI")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_MAX_COMMENT = (1 << 16) - 1
_DEFAULT_FILE_MODE = 0o644
_DEFAULT_DIRECTORY_MODE = 0o755
_BAD_ZIP = (
    zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, NotImplementedError, EOFError, ValueError,
    OverflowError,
)
"""What zipfile raises on archives that are none."""


class Archive:
    """The bytes of one zip as they come, then its records.

    Args:
        skip: top level names that are left out.

    Raises:
        JobError: there is no place for it.
    """

    def __init__(self, skip: frozenset[bytes]) -> None:
        self._skip = skip
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise _no_room(error) from None
        weakref.finalize(self, self._file.close)  # where an error elsewhere leaves nobody to call `close`

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            JobError: there is no room for them.
        """
        try:
            self._file.write(data)
        except OSError as error:
            raise _no_room(error) from None

    def close(self) -> None:
        """Drop it."""
        self._file.close()

    def read_small(self, name: str, limit: int) -> bytes | None:
        """The content of a small file; None if there is none, or it is larger than `limit` bytes.

        Raises:
            RemoteProtocolError: the archive is damaged.
        """
        with _open(self._file) as archive:
            found = [info for info in archive.infolist() if info.filename == name and info.file_size <= limit]
            return b"".join(_content(archive, found[-1])) if found else None

    def records(self) -> Iterator[FileEntry | FileData | TreeEnd]:
        """The tree: the root, and what is below it, each directory before what it holds.

        Raises:
            RemoteProtocolError: the archive is damaged, or holds what no tree can.
            UnsafePath: a name is no path below the tree.
        """
        entries, size = 1, 0
        with _open(self._file) as archive:
            yield FileEntry(b"", FileType.DIRECTORY, 0o700, 0)
            known: set[bytes] = {b""}
            for path, info in _sorted(archive.infolist()):
                if split_path(path)[0] in self._skip:
                    continue
                for parent in _missing_parents(path, known):
                    entries += 1
                    yield FileEntry(parent, FileType.DIRECTORY, _DEFAULT_DIRECTORY_MODE, _modified(info))
                entry = _describe(path, info, lambda: b"".join(_content(archive, info)))  # noqa: B023 - called at once
                if entry.type is FileType.DIRECTORY:
                    known.add(path)
                entries += 1
                size += entry.size
                yield entry
                if entry.size:
                    yield from (FileData(data) for data in _content(archive, info))
        yield TreeEnd(entries, size)


def _open(file: IO[bytes]) -> zipfile.ZipFile:
    try:
        file.flush()
        _check_directory(file)
        return zipfile.ZipFile(file)
    except OSError as error:
        raise _no_room(error) from None
    except _BAD_ZIP as error:
        raise RemoteProtocolError(f"the archive in the stream is no zip: {error}") from None


def _check_directory(file: IO[bytes]) -> None:
    """zipfile reads the whole table of entries into memory, so its size is looked at before."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _END.size - _MAX_COMMENT)
    file.seek(start)
    tail = file.read()
    found = tail.rfind(b"PK\5\6")
    if found < 0 or len(tail) < found + _END.size:
        raise zipfile.BadZipFile("it has no table of entries")
    directory_size = _END.unpack_from(tail, found)[5]
    place_at = start + found - _END_64_PLACE.size
    if directory_size == 0xFFFFFFFF and place_at >= 0:
        file.seek(place_at)
        marker, _disk, offset, _disks = _END_64_PLACE.unpack(file.read(_END_64_PLACE.size))
        if marker == b"PK\6\7" and offset + _END_64.size <= size:
            file.seek(offset)
            directory_size = _END_64.unpack(file.read(_END_64.size))[8]
    if directory_size > MAX_DIRECTORY:
        raise RemoteProtocolError(
            f"the archive's table of entries has {directory_size} bytes, at most {MAX_DIRECTORY} are accepted. A tree "
            "with so many entries can be sent in the native dialect"
        )


def _sorted(infos: list[zipfile.ZipInfo]) -> list[tuple[bytes, zipfile.ZipInfo]]:
    """Each directory before what it holds, and right before it."""
    paths = [(_path(info), info) for info in infos]
    paths.sort(key=lambda item: item[0].replace(b"/", b"\0"))  # as by components, which would take more memory
    return [(path, info) for path, info in paths if path]


def _path(info: zipfile.ZipInfo) -> bytes:
    """The bytes of an entry's name; ansible-runner writes a symlink at the top as `./name`."""
    encoding = "utf-8" if info.flag_bits & _UTF8_NAME else "cp437"
    return info.orig_filename.encode(encoding, "surrogateescape").removeprefix(b"./").removesuffix(b"/")


def _missing_parents(path: bytes, known: set[bytes]) -> Iterator[bytes]:
    """Directories that the archive has no entry for."""
    parent = path.rpartition(b"/")[0]
    if parent in known:
        return
    yield from _missing_parents(parent, known)
    known.add(parent)
    yield parent


def _describe(path: bytes, info: zipfile.ZipInfo, content: Callable[[], bytes]) -> FileEntry:
    """The record of an entry.

    Raises:
        RemoteProtocolError: it is of no kind that a tree has.
    """
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if info.flag_bits & _ENCRYPTED or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise RemoteProtocolError(f"the archive's entry {printable(path)} is encrypted or not packed by deflate")
    modified, permissions = _modified(info), stat.S_IMODE(mode)
    if kind == stat.S_IFDIR or (kind == 0 and info.is_dir()):
        return FileEntry(path, FileType.DIRECTORY, permissions if mode else _DEFAULT_DIRECTORY_MODE, modified)
    if kind == stat.S_IFLNK:
        if info.file_size > MAX_TARGET:
            raise RemoteProtocolError(f"the archive's symlink {printable(path)} has a target of {info.file_size} bytes")
        return FileEntry(path, FileType.SYMLINK, permissions, modified, target=content())
    if kind not in {0, stat.S_IFREG}:
        raise RemoteProtocolError(
            f"the archive's entry {printable(path)} is neither a file, a directory nor a symlink: its mode is {mode:o}"
        )
    return FileEntry(path, FileType.FILE, permissions if mode else _DEFAULT_FILE_MODE, modified, info.file_size)


def _modified(info: zipfile.ZipInfo) -> int:
    """Nanoseconds since 1970 in UTC; from the zip's own field, which holds local time, when there is no other."""
    extra, position = info.extra, 0
    while position + 4 <= len(extra):
        field, size = struct.unpack_from("<HH", extra, position)
        if field == UT_FIELD and size >= 5 and position + 9 <= len(extra) and extra[position + 4] & 1:
            return int(struct.unpack_from("<i", extra, position + 5)[0]) * 1_000_000_000
        position += 4 + size
    try:
        return int(time.mktime((*info.date_time, 0, 0, -1))) * 1_000_000_000
    except (OverflowError, ValueError):
        return 0


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of an entry.

    Raises:
        RemoteProtocolError: they are damaged, or are not as many as the table says.
    """
    left = info.file_size
    try:
        with archive.open(info) as file:
            while data := file.read(DATA_SIZE):
                left -= len(data)
                yield data
    except OSError as error:
        raise _no_room(error) from None
    except _BAD_ZIP as error:
        raise RemoteProtocolError(f"the archive's entry {printable(_path(info))} is damaged: {error}") from None
    if left:
        raise RemoteProtocolError(f"the archive's entry {printable(_path(info))} is {left} bytes short of its size")


def _no_room(error: OSError) -> JobError:
    return JobError(
        f"the archive in the stream cannot be kept in {tempfile.gettempdir()!r}: {error.strerror}. Free space there or "
        "set TMPDIR"
    )
