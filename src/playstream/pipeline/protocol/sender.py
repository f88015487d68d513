"""The outgoing end of one direction: records to bytes.

It does no I/O; the caller writes what `send` returns, each frame with one write.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from playstream.pipeline.errors import LocalProtocolError
from playstream.pipeline.protocol import codec, frames
from playstream.pipeline.protocol.compression import Compressor
from playstream.pipeline.protocol.order import Direction, Order, State
from playstream.pipeline.protocol.records import End, Record

DEFAULT_LEVEL = 1
"""zstd level: the best trade-off of time and size among those measured (docs/performance.md)."""


class Sender:
    """One direction, outgoing.

    `send` does everything. A sender of much data may run its two halves in two threads, in the same order: `collect`
    turns records into content, and `frame` compresses content, which takes most of the time.
    """

    def __init__(self, direction: Direction, *, level: int = DEFAULT_LEVEL) -> None:
        self._order = Order(direction, receiving=False)
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._records = 0
        self._compressor = Compressor(level)
        self._digest = hashlib.sha256()
        self._sequence = 0
        self._started = False

    @property
    def state(self) -> State:
        """The state of this direction."""
        return self._order.state

    def send(self, record: Record, *, flush: bool = True) -> bytes:
        """Return the bytes to write for `record`: whole frames, or none if `flush` is False and a frame is not full.

        Raises:
            LocalProtocolError: the record must not be sent here, cannot be encoded, or is an End.
        """
        full = [self.frame(content) for content in self.collect(record)]
        if flush:
            full.append(self.flush())
        return b"".join(full)

    def flush(self) -> bytes:
        """Return the bytes of all pending records, including the preamble."""
        return b"".join([self._start(), *(self.frame(content) for content in self.take_pending())])

    def collect(self, record: Record) -> list[bytes]:
        """Take a record and return the pieces of content that are full, for `frame`. Usually there are none.

        Raises:
            LocalProtocolError: the record must not be sent here, cannot be encoded, or is an End.
        """
        if isinstance(record, End):
            raise LocalProtocolError("End is sent by end(), which knows its counts and its digest")
        encoded = codec.encode(record)
        self._order.follow(record)
        self._records += 1
        contents: list[bytes] = []
        for start in range(0, len(encoded), frames.MAX_CONTENT):
            piece = encoded if len(encoded) <= frames.MAX_CONTENT else encoded[start : start + frames.MAX_CONTENT]
            if self._pending_size + len(piece) > frames.MAX_CONTENT:
                contents += self.take_pending()
            self._pending.append(piece)
            self._pending_size += len(piece)
        return contents

    def take_pending(self) -> list[bytes]:
        """Return the collected content that is not a full piece yet, for `frame`; empty if there is none."""
        if not self._pending:
            return []
        content = b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        return [content]

    def frame(self, content: bytes) -> bytes:
        """Return the frame of one piece of content, with the preamble before the first."""
        start = self._start()
        payload = self._compressor.compress(content)
        self._digest.update(payload)
        frame = frames.encode_frame(self._sequence, payload, len(content))
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return start + frame if start else frame

    def _start(self) -> bytes:
        """Return the preamble the first time, and nothing after that."""
        if self._started:
            return b""
        self._started = True
        return frames.encode_preamble()

    def end(self) -> bytes:
        """Return the last bytes: all pending records, and the End record in a frame of its own.

        Raises:
            LocalProtocolError: the stream must not end here.
        """
        end = End(self._records, self._order.events, b"")
        self._order.follow(end)
        before = self.flush()
        return before + self.frame(codec.encode(replace(end, digest=self._digest.digest())))
