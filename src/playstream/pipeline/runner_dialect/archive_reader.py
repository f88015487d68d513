"""A zip as the records of a tree.

The zip is not trusted: its names, types and sizes are checked here, and by `pipeline.tree` as for every tree. Memory
does not grow with the number of entries: they are counted while the table is read, and sorted on disk.
"""

from __future__ import annotations

import stat
import struct
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from playstream.pipeline.errors import JobError, RemoteProtocolError, remedy
from playstream.pipeline.io import system
from playstream.pipeline.limits import DEFAULT_LIMITS, exceeded
from playstream.pipeline.protocol import FileData, FileEntry, FileType, Heartbeat, TreeEnd
from playstream.pipeline.runner_dialect.sorted_rows import SortedRows
from playstream.pipeline.runner_dialect.zip_table import BadZip, Table, ZipEntry, find_table, read_entries
from playstream.pipeline.tree.pack import DATA_SIZE
from playstream.pipeline.tree.paths import MAX_TARGET, printable, split_path

_ENCRYPTED = 0x1
_DEFAULT_FILE_MODE = 0o644
_DEFAULT_DIRECTORY_MODE = 0o755
_AT_ONCE = 10_000
"""Number of entries of the table that are read or skipped between two heartbeats."""
_MAX_OVERHEAD = 4096
"""Bytes that a small entry may take in addition to twice its size, since it is unpacked without checking for
cancellation."""
_ROW = struct.Struct(">QBHHHqLQQq")
"""The part of a row after its path: the entry's number in the table, how its name differs from its path, and the fields
of ZipEntry."""
_PATH_END = b"\0\0"
"""The end of a row's path. Its slashes are replaced by NULs, so that rows are sorted by the components of their
paths."""
_HERE = b"./"
_IS_HERE, _HAS_SLASH = 1, 2


class Archive:
    """Takes the bytes of one zip, then yields its records.

    Args:
        skip: top-level names that are omitted.
        wanted: the name of a small file at the top, for `small_content`.
        max_entries: maximum number of entries.

    Raises:
        JobError: the archive cannot be stored.
    """

    def __init__(
        self, skip: frozenset[bytes], wanted: bytes = b"", *, max_entries: int = DEFAULT_LIMITS.max_tree_entries
    ) -> None:
        self._skip = skip
        self._wanted = wanted
        self._max_entries = max_entries
        self._found: ZipEntry | None = None
        self._rows = SortedRows()
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise _no_room(error) from None
        # For the case that an error elsewhere prevents the call of `close`.
        weakref.finalize(self, _close, self._rows, self._file)

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
        """Drop the archive."""
        _close(self._rows, self._file)

    def read_table(self) -> Iterator[Heartbeat]:
        """Read and check the table of entries, after all data was received. Yield a Heartbeat from time to time.

        Raises:
            RemoteProtocolError: it is damaged, or contains what a tree cannot.
            LimitExceeded: it has too many entries.
            UnsafePath: a name is not a path below the tree.
            JobError: there is no room to sort it.
        """
        try:
            self._file.flush()
            table = find_table(self._file)
            yield from self._read_entries(table)
        except OSError as error:
            raise _no_room(error) from None
        except BadZip as error:
            raise RemoteProtocolError(f"the archive in the stream is not a valid zip file: {error}") from None

    def _read_entries(self, table: Table) -> Iterator[Heartbeat]:
        content = table.start
        for number, entry in enumerate(read_entries(self._file, table), 1):
            if number >= self._max_entries:  # the root counts too, but the archive has no entry for it
                raise exceeded("the archive has too many entries", self._max_entries, "max_tree_entries")
            content -= LOCAL_HEADER.size + len(entry.name) + entry.packed_size
            if content < 0:
                raise BadZip("its entries are larger than the archive, so some overlap")
            if entry.name == self._wanted:
                self._found = entry
            if path := _path(entry.name):
                self._rows.add(_row(number, path, entry))
            if number % _AT_ONCE == 0:
                yield Heartbeat()

    def small_content(self, limit: int) -> bytes | None:
        """Return the content of the wanted file, after `read_table`; None if it is missing or over `limit` bytes.

        Raises:
            RemoteProtocolError: it is damaged.
        """
        entry = self._found
        return self._whole_content(entry) if entry is not None and entry.size <= limit else None

    def records(self) -> Iterator[FileEntry | FileData | Heartbeat | TreeEnd]:
        """Yield the records of the tree, after `read_table`; each directory comes before its entries.

        Raises:
            RemoteProtocolError: the archive is damaged, or contains what a tree cannot.
            JobError: it cannot be read.
        """
        yield FileEntry(b"", FileType.DIRECTORY, 0o700, 0)
        entries, size = 1, 0
        open_directories: list[bytes] = []
        """The directories above the last entry, each with a slash at its end."""
        for number, (path, entry) in enumerate(self._sorted_entries(), 1):
            if path.partition(b"/")[0] in self._skip:
                if number % _AT_ONCE == 0:
                    yield Heartbeat()
                continue
            while open_directories and not path.startswith(open_directories[-1]):
                open_directories.pop()
            for parent in _missing_parents(path, open_directories):
                entries += 1
                yield FileEntry(parent, FileType.DIRECTORY, _DEFAULT_DIRECTORY_MODE, entry.modified * 10**9)
            record = self._describe(path, entry)
            if record.type is FileType.DIRECTORY:
                open_directories.append(path + b"/")
            entries += 1
            size += record.size
            yield record
            if record.size:
                for data in self._content(entry):
                    yield FileData(data) if data else Heartbeat()
        yield TreeEnd(entries, size)

    def _sorted_entries(self) -> Iterator[tuple[bytes, ZipEntry]]:
        try:
            for row in self._rows:
                yield _read_row(row)
        except OSError as error:
            raise _no_room(error) from None

    def _describe(self, path: bytes, entry: ZipEntry) -> FileEntry:
        """Convert an entry to a record.

        Raises:
            RemoteProtocolError: a tree cannot contain an entry of its type.
        """
        mode = entry.mode
        kind, permissions, modified = stat.S_IFMT(mode), stat.S_IMODE(mode), entry.modified * 10**9
        if entry.flags & _ENCRYPTED or entry.method not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise RemoteProtocolError(
                f"the archive's entry {printable(path)} is encrypted, or compressed with a method other than deflate"
            )
        if kind == stat.S_IFDIR or (kind == 0 and entry.name.endswith(b"/")):
            return FileEntry(path, FileType.DIRECTORY, permissions if mode else _DEFAULT_DIRECTORY_MODE, modified)
        if kind == stat.S_IFLNK:
            if entry.size > MAX_TARGET:
                raise RemoteProtocolError(f"the archive's symlink {printable(path)} has a target of {entry.size} bytes")
            target = self._whole_content(entry)
            return FileEntry(path, FileType.SYMLINK, permissions, modified, target=target)
        if kind not in {0, stat.S_IFREG}:
            raise RemoteProtocolError(
                f"the archive's entry {printable(path)} is neither a file, a directory nor a symlink: its mode is "
                f"{mode:o}"
            )
        return FileEntry(path, FileType.FILE, permissions if mode else _DEFAULT_FILE_MODE, modified, entry.size)

    def _whole_content(self, entry: ZipEntry) -> bytes:
        """Return the bytes of a small entry. Raise as `_content` does, or if the compressed size is too large."""
        if entry.packed_size > 2 * entry.size + _MAX_OVERHEAD:
            raise RemoteProtocolError(
                f"the archive's entry {printable(_path(entry.name))} is damaged: its {entry.size} bytes are compressed "
                f"to {entry.packed_size}"
            )
        return b"".join(self._content(entry))

    def _content(self, entry: ZipEntry) -> Iterator[bytes]:
        """Yield the bytes of an entry.

        Raises:
            RemoteProtocolError: they are damaged, or their number is not that of the table.
        """
        try:
            yield from read_content(self._file.fileno(), entry)
        except OSError as error:
            raise _no_room(error) from None
        except BadZip as error:
            raise RemoteProtocolError(
                f"the archive's entry {printable(_path(entry.name))} is damaged: {error}"
            ) from None


def _close(rows: SortedRows, file: IO[bytes]) -> None:
    rows.close()
    file.close()


def _path(name: bytes) -> bytes:
    """Return the path of a name; ansible-runner writes a symlink at the top as `./name`."""
    return name.removeprefix(_HERE).removesuffix(b"/")


def _row(number: int, path: bytes, entry: ZipEntry) -> bytes:
    """Encode an entry as a row of bytes. In sorted rows each directory comes directly before its entries.

    Raises:
        UnsafePath: the path is not valid.
    """
    split_path(path)  # a path has no NUL, so each NUL in the row is a slash
    name = entry.name
    differs = _IS_HERE * name.startswith(_HERE) | _HAS_SLASH * name.endswith(b"/")
    return path.replace(b"/", b"\0") + _PATH_END + _ROW.pack(number, differs, *entry[1:])


def _read_row(row: bytes) -> tuple[bytes, ZipEntry]:
    path = row[: -_ROW.size - len(_PATH_END)].replace(b"\0", b"/")
    _number, differs, *fields = _ROW.unpack_from(row, len(row) - _ROW.size)
    name = (_HERE if differs & _IS_HERE else b"") + path + (b"/" if differs & _HAS_SLASH else b"")
    return path, ZipEntry(name, *fields)


def _missing_parents(path: bytes, open_directories: list[bytes]) -> Iterator[bytes]:
    """Yield the parent directories that have no entry in the archive, and add them to the open ones."""
    start = len(open_directories[-1]) if open_directories else 0
    while (end := path.find(b"/", start)) >= 0:
        start = end + 1
        open_directories.append(path[:start])
        yield path[:end]


def _no_room(error: OSError) -> JobError:
    return JobError(
        f"the archive in the stream cannot be stored in {tempfile.gettempdir()!r}: {error.strerror}. "
        f"{remedy(error)}, or set TMPDIR"
    )


LOCAL_HEADER = struct.Struct("<4s5H3L2H")
"""The header before the name and the content of each entry."""


def read_content(fd: int, entry: ZipEntry) -> Iterator[bytes]:
    """Yield the bytes of an entry in pieces of at most DATA_SIZE; pieces are empty for input without output.

    Raises:
        BadZip: they are damaged, or their number is not that of the table.
        OSError: they cannot be read.
    """
    position = _find_content(fd, entry)
    unpack = _read if entry.method == zipfile.ZIP_STORED else _inflate
    left, crc = entry.size, 0
    for data in unpack(fd, position, entry.packed_size):
        left -= len(data)
        if left < 0:
            raise BadZip("it is longer than its stated size")
        crc = zlib.crc32(data, crc)
        yield data
    if left:
        raise BadZip(f"it is {left} bytes shorter than its stated size")
    if crc != entry.crc:
        raise BadZip(f"its checksum is {crc:08x}, but {entry.crc:08x} in the central directory")


def _find_content(fd: int, entry: ZipEntry) -> int:
    header = system.pread(fd, LOCAL_HEADER.size, entry.position)
    if len(header) < LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
        raise BadZip("there is no entry where the central directory says")
    name_size, extra_size = LOCAL_HEADER.unpack(header)[-2:]
    name_at = entry.position + LOCAL_HEADER.size
    if system.pread(fd, name_size, name_at) != entry.name:
        raise BadZip("its name differs from that in the central directory")
    return name_at + int(name_size) + int(extra_size)


def _read(fd: int, position: int, size: int) -> Iterator[bytes]:
    while size:
        data = system.pread(fd, min(DATA_SIZE, size), position)
        if not data:
            raise BadZip("the archive ends in the middle of it")
        position += len(data)
        size -= len(data)
        yield data


def _inflate(fd: int, position: int, size: int) -> Iterator[bytes]:
    """Decompress bytes. Data after the end of the deflate stream is ignored."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in _read(fd, position, size):
            yield inflater.decompress(packed, DATA_SIZE)
            while inflater.unconsumed_tail:
                yield inflater.decompress(inflater.unconsumed_tail, DATA_SIZE)
            if inflater.eof:
                return
        if rest := inflater.flush():
            yield rest
    except zlib.error as error:
        raise BadZip(str(error)) from None
