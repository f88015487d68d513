"""The content of one entry of a zip, checked against what the table says of it."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator

from playstream.pipeline.runner_dialect.zip_table import BadZip, ZipEntry
from playstream.pipeline.tree.pack import DATA_SIZE

LOCAL_HEADER = struct.Struct("<4s5H3L2H")
"""What stands before the name and the content of each entry."""


def read_content(fd: int, entry: ZipEntry) -> Iterator[bytes]:
    """Yield the bytes of an entry in pieces of at most DATA_SIZE; empty ones for input without output.

    Raises:
        BadZip: they are damaged, or are not as many as the table says.
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
    header = os.pread(fd, LOCAL_HEADER.size, entry.position)
    if len(header) < LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
        raise BadZip("there is no entry where the central directory says")
    name_size, extra_size = LOCAL_HEADER.unpack(header)[-2:]
    name_at = entry.position + LOCAL_HEADER.size
    if os.pread(fd, name_size, name_at) != entry.name:
        raise BadZip("its name differs from that in the central directory")
    return name_at + int(name_size) + int(extra_size)


def _read(fd: int, position: int, size: int) -> Iterator[bytes]:
    while size:
        data = os.pread(fd, min(DATA_SIZE, size), position)
        if not data:
            raise BadZip("the archive ends in the middle of it")
        position += len(data)
        size -= len(data)
        yield data


def _inflate(fd: int, position: int, size: int) -> Iterator[bytes]:
    """Decompress bytes. What follows the end of the deflate stream is ignored."""
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
