"""Streams that carry one hostile tree, or one hostile thing to be told, in either dialect and direction."""

from __future__ import annotations

import io
import json
import shutil
import stat
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import IO, Any

from playstream.pipeline.protocol import (
    Event,
    FileEntry,
    FileType,
    Job,
    Record,
    Sender,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.runner_dialect.wire import END, archive, carry, entry, line

NOW = "2026-11-21T10:00:00+00:00"
JOB = Job("run", module="ping", binary="/bin/true", inventory=("localhost,",))
"""A job that ends at once, so that what is looked at is what came before it."""
KWARGS: dict[str, Any] = {"ident": "run", "module": "ping", "binary": "/bin/true", "inventory": "localhost,"}
STARTING = Status(StatusName.STARTING, NOW, command=("ansible",), env={}, cwd="/x")
ENDED = Status(StatusName.SUCCESSFUL, NOW, rc=0)
ROOT = FileEntry(b"", FileType.DIRECTORY, 0o755, 0)
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_TABLE_ENTRY = struct.Struct("<4s6H3L5H2L")
Zipped = tuple[zipfile.ZipInfo, bytes]


def directory(path: bytes, mode: int = 0o755) -> FileEntry:
    """An entry for a directory."""
    return FileEntry(path, FileType.DIRECTORY, mode, 0)


def file(path: bytes, size: int = 0, *, mode: int = 0o644, link: int = 0) -> FileEntry:
    """An entry for a file."""
    return FileEntry(path, FileType.FILE, mode, 0, size, link)


def symlink(path: bytes, target: bytes) -> FileEntry:
    """An entry for a symlink."""
    return FileEntry(path, FileType.SYMLINK, 0o777, 0, target=target)


def hard_link(path: bytes, link: int) -> FileEntry:
    """An entry for another name of a file."""
    return FileEntry(path, FileType.HARDLINK, 0o644, 0, 0, link)


def zipped(name: str, content: bytes = b"x", mode: int = 0o644, kind: int = stat.S_IFREG) -> Zipped:
    """An entry of an archive."""
    return entry(name, kind | mode), content


def linked(name: str, target: str) -> Zipped:
    """A symlink of an archive."""
    return zipped(name, target.encode(), 0o777, stat.S_IFLNK)


RC = (zipped("rc", b"0"),)
"""The return code of a run that was successful, as an archive carries it."""


def native(records: Sequence[Record], direction: Direction) -> bytes:
    """A whole stream of these records."""
    sender = Sender(direction)
    return b"".join(sender.send(record) for record in records) + sender.end()


def native_tree(parts: Sequence[Record], direction: Direction) -> bytes:
    """A stream that carries the tree; its root and what closes it are added."""
    closing: list[Record] = []
    if not any(isinstance(part, TreeEnd) for part in parts):
        files = [part for part in parts if isinstance(part, FileEntry)]
        closing = [TreeEnd(1 + len(files), sum(part.size for part in files))]
    before: list[Record] = [replace(JOB, tree=True)] if direction is Direction.JOB else [STARTING, ENDED]
    return native([*before, ROOT, *parts, *closing], direction)


def runner_tree(packed: bytes, direction: Direction) -> bytes:
    """A stream that carries the archive."""
    if direction is Direction.JOB:
        return line(kwargs=KWARGS) + carry(packed) + END
    return line(status="starting") + line(status="successful") + carry(packed) + END


def many_files(names: Iterable[bytes], *, told: int | None = None) -> bytes:
    """An archive of empty files.

    Args:
        names: of the files.
        told: see `write_archive`.
    """
    packed = io.BytesIO()
    write_archive(packed, ((name, stat.S_IFREG | 0o644, b"") for name in names), told=told)
    return packed.getvalue()


def write_archive(file: IO[bytes], entries: Iterable[tuple[bytes, int, bytes]], *, told: int | None = None) -> None:
    """Write an archive, without zipfile, which takes a second for 10,000 entries and holds each.

    Args:
        file: what to write to.
        entries: name, mode and content of each.
        told: what the ordinary end record says of the table's size, which the one of 64 bits says truly.
    """
    place = count = 0
    with tempfile.TemporaryFile() as table:
        for name, mode, content in entries:
            sizes = (zlib.crc32(content), len(content), len(content), len(name), 0)
            table.write(
                _TABLE_ENTRY.pack(
                    b"PK\1\2",
                    20 | 3 << 8,
                    20,
                    0,
                    0,
                    0,
                    0x21,
                    *sizes,
                    0,
                    0,
                    0,
                    mode << 16,
                    place,
                )
            )
            table.write(name)
            file.write(_LOCAL_HEADER.pack(b"PK\3\4", 20, 0, 0, 0, 0x21, *sizes))
            file.write(name)
            file.write(content)
            place += _LOCAL_HEADER.size + len(name) + len(content)
            count += 1
        size = table.tell()
        table.seek(0)
        shutil.copyfileobj(table, file)
    file.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, place))
    file.write(struct.pack("<4sLQL", b"PK\6\7", 0, place + size, 1))
    said = 0xFFFFFFFF if told is None else told
    file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, said, said, 0))


def runner_entries(entries: Sequence[Zipped], direction: Direction) -> bytes:
    """A stream that carries an archive of these entries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile warns of names that come twice
        packed = archive(*entries, *(RC if direction is Direction.RESULT else ()))
    return runner_tree(packed, direction)


def event_json(counter: Any = 1, **changes: Any) -> bytes:
    """An event's line; any field may be changed."""
    fields = {
        "uuid": "u-1",
        "counter": counter,
        "stdout": "x",
        "start_line": 0,
        "end_line": 1,
        "event": "verbose",
        "created": NOW,
        "event_data": {},
    }
    return json.dumps({**fields, **changes}).encode()


def native_event(text: bytes, counter: int = 1) -> bytes:
    """A run whose one event is this text."""
    return native([STARTING, Event(counter, text), ENDED], Direction.RESULT)


def runner_event(text: bytes) -> bytes:
    """The same in the runner dialect."""
    return line(status="starting") + text + b"\n" + line(status="successful") + carry(archive(*RC)) + END


def recorded(text: bytes) -> bytes:
    """The same as a recording, whose lines begin as the plugin writes them."""
    values = text.removeprefix(b'{"uuid": ')
    return b'{"uuid":' + values + b"\n"
