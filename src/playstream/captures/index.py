"""The index of a capture: its records again, in blocks that can be read alone, and a table of what each has.

A file has the blocks, one after another, then the table, and a trailer that says where the table is. The table is JSON
in one frame of zstd. It says of which capture the index is. Whatever is wrong with a file, it is no index.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import zstandard

from playstream.pipeline.io import system
from playstream.process.record_blocks import BlockInfo, BlockRecord, read_block

VERSION: Final = 1
_MARK = b"playstream-index"
_TRAILER = struct.Struct("<16sQQ32s")
"""The mark, the place and the size of the table, and its SHA-256."""
_MAX_TABLE = 64 << 20
"""Bytes of a table, decompressed."""
_EDGE = 64 << 10
_STEP = 1 << 20
_MARGIN_NS = 2_000_000_000
"""A capture that was changed this short before it was read may change again without a new time."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a capture from others and from what it was before, without reading it."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, fd: int) -> Identity:
        """Return that of an open file."""
        found = os.fstat(fd)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def is_settled(self, now_ns: int) -> bool:
        """Return whether a later change would give the capture another time.

        Args:
            now_ns: a time at which the capture had been read, by the clock of a file system.
        """
        return max(self.mtime_ns, self.ctime_ns) < now_ns - _MARGIN_NS


def edges_of(fd: int, size: int) -> bytes:
    """Return the SHA-256 of the first and the last 64 KiB of a file, and its size.

    Those of a stream have its beginning and its End, which holds a digest of all between them.
    """
    digest = hashlib.sha256(size.to_bytes(8, "little"))
    digest.update(_read_at(fd, 0, min(size, _EDGE)))
    start = max(size - _EDGE, _EDGE)
    if start < size:
        digest.update(_read_at(fd, start, size - start))
    return digest.digest()


def digest_of(fd: int) -> bytes:
    """Return the SHA-256 of a whole file."""
    digest, place = hashlib.sha256(), 0
    while data := system.pread(fd, _STEP, place):
        digest.update(data)
        place += len(data)
    return digest.digest()


def _read_at(fd: int, place: int, size: int) -> bytes:
    """Read a part of a file; less at its end."""
    pieces = []
    while size and (data := system.pread(fd, size, place)):
        pieces.append(data)
        place += len(data)
        size -= len(data)
    return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class Entry:
    """A block in the file of an index."""

    size: int
    """Its bytes in the file."""
    info: BlockInfo


def pack_table(identity: Identity, digest: bytes, entries: Sequence[Entry], *, settled: bool) -> bytes:
    """Return the table and the trailer, which follow the blocks.

    Args:
        identity: that of the capture.
        digest: the SHA-256 of the capture.
        entries: the blocks.
        settled: whether the identity alone shows that the capture is unchanged.

    Raises:
        ValueError: the table is too large.
    """
    values = {
        "version": VERSION,
        "capture": [identity.device, identity.inode, identity.size, identity.mtime_ns, identity.ctime_ns],
        "settled": settled,
        "digest": digest.hex(),
        "blocks": [
            [
                *(entry.size, entry.info.events, entry.info.last, entry.info.first_moment, entry.info.last_moment),
                *(entry.info.size, list(entry.info.tasks)),
            ]
            for entry in entries
        ],
    }
    return pack_values(values, sum(entry.size for entry in entries))


def pack_values(values: Mapping[str, Any], place: int) -> bytes:
    """Return the table for these values, which begins at a place, and the trailer.

    Raises:
        ValueError: the table is too large.
    """
    text = json.dumps(values, separators=(",", ":")).encode()
    if len(text) > _MAX_TABLE:
        raise ValueError(f"the table would have {len(text)} bytes")
    table = zstandard.ZstdCompressor().compress(text)
    return table + _TRAILER.pack(_MARK, place, len(table), hashlib.sha256(table).digest())


class Index:
    """The index of a capture, in an open file.

    Args:
        fd: the file, which `close` closes.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not an index of this version, or is damaged.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        end = os.fstat(fd).st_size - _TRAILER.size
        trailer = _read_at(fd, end, _TRAILER.size) if end >= 0 else b""
        if len(trailer) != _TRAILER.size:
            raise ValueError("the file is too short")
        mark, place, size, digest = _TRAILER.unpack(trailer)
        if mark != _MARK or place + size != end:
            raise ValueError("the file does not end as an index does")
        table = _read_at(fd, place, size)
        if hashlib.sha256(table).digest() != digest:
            raise ValueError("the table is damaged")
        values = _unpack_table(table)
        self.identity = Identity(*_integers(values["capture"], 5))
        self.settled = values["settled"] is True
        self.digest = bytes.fromhex(values["digest"])
        entries = [_entry(row) for row in _list(values["blocks"])]
        if not entries or sum(entry.size for entry in entries) != place:
            raise ValueError("the blocks do not fill the file")
        self.infos = [entry.info for entry in entries]
        self.sizes = [entry.size for entry in entries]
        """The bytes of each block."""

    def read(self, number: int, max_record: int) -> list[BlockRecord]:
        """Return the records of a block.

        Raises:
            OSError: it cannot be read.
            ValueError: it is damaged.
        """
        place = sum(self.sizes[:number])
        return list(read_block(_read_at(self._fd, place, self.sizes[number]), max_record))

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def is_of(self, fd: int) -> bool:
        """Return whether it is the index of the capture in an open file, as that is now.

        If the capture is another file, or may have changed without a new time, it is read to compare its content.
        """
        now = Identity.of(fd)
        if now.size != self.identity.size:
            return False
        return (self.settled and now == self.identity) or digest_of(fd) == self.digest


def _unpack_table(table: bytes) -> dict[str, Any]:
    try:
        size = zstandard.get_frame_parameters(table).content_size
        if size > _MAX_TABLE:
            raise ValueError(f"the table announces {size} bytes")
        values = json.loads(zstandard.ZstdDecompressor().decompress(table, allow_extra_data=False))
    except (zstandard.ZstdError, RecursionError) as error:
        raise ValueError(f"the table cannot be read: {error}") from None
    if not isinstance(values, dict) or values.get("version") != VERSION:
        raise ValueError("the table is of another version")
    if not {"capture", "settled", "digest", "blocks"} <= values.keys() or not isinstance(values["digest"], str):
        raise ValueError("the table lacks a value")
    return values


def _entry(row: object) -> Entry:
    values = _list(row)
    if len(values) != 7:
        raise ValueError("the table has a block with other values")
    size, events, last, content_size = _integers([*values[:3], values[5]], 4)
    tasks = _list(values[6])
    info = BlockInfo(
        events,
        last,
        _moment(values[3]),
        _moment(values[4]),
        tuple(_integers(tasks, len(tasks))),
        content_size,
    )
    return Entry(size, info)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("the table has another value in place of a list")  # noqa: TRY004 - the file is wrong
    return value


def _integers(values: object, count: int) -> Iterator[int]:
    found = _list(values)
    if len(found) != count or not all(type(value) is int and 0 <= value < 2**64 for value in found):
        raise ValueError("the table has another value in place of a number")
    return iter(found)


def _moment(value: object) -> float | None:
    if value is None or type(value) is float:
        return value
    raise ValueError("the table has another value in place of a time")
