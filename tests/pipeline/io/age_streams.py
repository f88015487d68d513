"""Encrypted streams in the live form, and parts of them, for the tests of their batches."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import pyrage
from hypothesis import strategies as st

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io.age_batches import HEADER, MARKER, PREAMBLE, BatchReader, BatchWriter

MINE = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()


@dataclass
class Stream:
    """A stream and the parts of it."""

    contents: list[bytes]
    parts: list[bytes]
    """The preamble, and each batch with its length."""

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)

    @property
    def plain(self) -> bytes:
        return b"".join(self.contents)

    def draw_place(self, data: st.DataObject) -> int:
        """Any byte. age's header has a random size, so hypothesis must not see where a part ends."""
        part = data.draw(st.integers(0, len(self.contents)))
        start = sum(map(len, self.parts[:part]))
        return start + data.draw(st.integers(0, 2000)) % len(self.parts[part])


def make(contents: list[bytes], *recipients: pyrage.x25519.Recipient) -> Stream:
    """A stream with a batch for each content; the last is marked as such."""
    writer = BatchWriter(recipients or [MINE.to_public()])
    contents = [content or b"-" for content in contents]
    batches = [
        b"".join(writer.wrap([content], flush=True, last=number == len(contents)))
        for number, content in enumerate(contents, 1)
    ]
    return Stream(contents, [batches[0][: PREAMBLE.size], batches[0][PREAMBLE.size :], *batches[1:]])


def forge(stream_id: bytes, sequence: int, flags: int, content: bytes = b"x", marker: bytes = MARKER) -> bytes:
    """A batch with any header."""
    return with_length(pyrage.encrypt(HEADER.pack(marker, stream_id, sequence, flags) + content, [MINE.to_public()]))


def with_length(batch: bytes) -> bytes:
    length = struct.pack("<I", len(batch))
    return length + struct.pack("<I", zlib.crc32(length)) + batch


def read(data: bytes, sizes: Sequence[int] = (1 << 20,)) -> tuple[bytes, PlaystreamError | None]:
    """What comes out of a stream that comes in chunks of these sizes, over and over, and the error that ended it."""
    reader = BatchReader([MINE])
    plain = b""
    start, number = 0, 0
    try:
        while start < len(data):
            size = sizes[number % len(sizes)]
            reader.receive_data(data[start : start + size])
            start, number = start + size, number + 1
            while (content := reader.next()) is not None:
                plain += content
        reader.receive_eof()
    except PlaystreamError as error:
        return plain, error
    return plain, None
