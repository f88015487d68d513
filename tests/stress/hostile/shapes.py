"""Trees of many entries in the shapes that cost a receiver differently, in both dialects."""

from __future__ import annotations

import base64
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from playstream.pipeline.protocol import FileEntry, FileType, Record, Sender, TreeEnd
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.runner_dialect.wire import END, line
from tests.stress.hostile.streams import (
    ENDED,
    JOB,
    KWARGS,
    ROOT,
    STARTING,
    directory,
    file,
    hard_link,
    symlink,
    write_archive,
)

_DEPTH = 255
"""Components of a path, one less than a tree may have."""
_PIECE = 3 << 18
"""Bytes of an archive that are sent at once: a number that base64 needs no padding for."""
Entries = Iterator[FileEntry]


def _top(count: int) -> Entries:
    return (file(b"%07d" % number) for number in range(count))


def _below(count: int) -> Entries:
    yield directory(b"d")
    yield from (file(b"d/%07d" % number) for number in range(count - 1))


def _symlinks(count: int) -> Entries:
    return (symlink(b"%07d" % number, b"to-nowhere") for number in range(count))


def _directories(count: int) -> Entries:
    return (directory(b"%07d" % number) for number in range(count))


def _hard_links(count: int) -> Entries:
    """Few files of many names: a file system allows about 65,000 for one."""
    for number in range(count):
        link, name = divmod(number, 10_000)
        path = b"%07d" % number
        yield hard_link(path, link + 1) if name else file(path, link=link + 1)


def _pairs(count: int) -> Entries:
    """As many files with several names as a tree may have, each with a name of 150 bytes."""
    for number in range(count):
        if number < 100_000:
            yield file(b"%07d" % number + b"x" * 143, link=number + 1)
        else:
            yield hard_link(b"%07d" % number, number % 100_000 + 1)


def _deep(count: int) -> Entries:
    """Names of 255 components in directories that they share."""
    parent = b""
    for _ in range(_DEPTH - 1):
        parent += b"d"
        yield directory(parent)
        parent += b"/"
    yield from (file(parent + b"%07d" % number) for number in range(count - _DEPTH + 1))


def _long(count: int) -> Entries:
    return (file(b"%07d" % number + b"x" * 248) for number in range(count))


SHAPES: dict[str, Callable[[int], Entries]] = {
    "files at the top": _top,
    "files in one directory": _below,
    "symlinks": _symlinks,
    "directories": _directories,
    "names of 255 bytes": _long,
    "255 components": _deep,
    "hard links": _hard_links,
    "hard links of 100,000 files": _pairs,
}
NATIVE_ONLY = frozenset({"hard links", "hard links of 100,000 files"})
"""A zip has no word for these."""


def native_stream(entries: Iterable[FileEntry], direction: Direction) -> Iterator[bytes]:
    """A whole stream of the tree, in pieces. The job ends at once, the results are those of one that was successful."""
    sender = Sender(direction)
    before: list[Record] = [replace(JOB, tree=True)] if direction is Direction.JOB else [STARTING, ENDED]
    count = 0
    for record in chain[Record](before, (ROOT,), entries):
        count += isinstance(record, FileEntry)
        yield sender.send(record, flush=False)
    yield sender.send(TreeEnd(count, 0))
    yield sender.end()


def runner_stream(entries: Iterable[FileEntry], direction: Direction) -> Iterator[bytes]:
    """The same with a zip, in which each directory is an entry too."""
    rc = [(b"rc", stat.S_IFREG | 0o644, b"0")] if direction is Direction.RESULT else []
    with tempfile.TemporaryFile() as packed:
        write_archive(packed, chain(rc, map(_zipped, entries)))
        ended = line(status="starting") + line(status="successful")
        yield (line(kwargs=KWARGS) if direction is Direction.JOB else ended) + line(zipfile=packed.tell())
        packed.seek(0)
        while data := packed.read(_PIECE):
            yield base64.b64encode(data)
    yield END


DIALECTS: dict[str, Callable[[Iterable[FileEntry], Direction], Iterator[bytes]]] = {
    "native": native_stream,
    "runner": runner_stream,
}


def _zipped(entry: FileEntry) -> tuple[bytes, int, bytes]:
    if entry.type is FileType.DIRECTORY:
        return entry.path + b"/", stat.S_IFDIR | entry.mode, b""
    kind = stat.S_IFLNK if entry.type is FileType.SYMLINK else stat.S_IFREG
    return entry.path, kind | entry.mode, entry.target
