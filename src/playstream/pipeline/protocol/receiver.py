"""The incoming end of one direction: bytes to records.

It reads nothing. After h11: whoever has bytes calls `receive_data` and asks for records until NEED_DATA comes back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import codec, frames
from playstream.pipeline.protocol.compression import Decompressor
from playstream.pipeline.protocol.order import Direction, Order, State
from playstream.pipeline.protocol.records import End, Record


class NeedData(Enum):
    """The type of NEED_DATA."""

    NEED_DATA = "NEED_DATA"


NEED_DATA: Final = NeedData.NEED_DATA
"""What `next_record` returns when it has no whole record."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Foreign bytes that were skipped: a login banner, a warning of some program. Not a record."""

    data: bytes
    """The first 128 of them. None between the frames of a job: they may be the rest of one, with secrets inside."""
    size: int
    """How many there were."""
    offset: int
    """Where they began, in bytes from the start of the stream."""


class Receiver:
    """One direction, incoming. Any bytes whatever give records, Noise or RemoteProtocolError."""

    def __init__(self, direction: Direction, *, max_record: int = codec.MAX_RECORD) -> None:
        self._order = Order(direction, receiving=True)
        self._show = direction is Direction.RESULT
        """Whether errors may show bytes of the stream. A job's may be secret: zstd leaves short texts as they are."""
        self._decompressor = Decompressor()
        self._max_record = max_record
        self._buffer = bytearray()
        self._offset = 0
        """Where the buffer begins, in bytes from the start of the stream."""
        self._token = frames.MAGIC_START
        self._noise_start = b""
        self._noise_size = 0
        self._digest = hashlib.sha256()
        self._digest_before = self._digest.digest()
        self._sequence = 0
        self._content = bytearray()
        self._position = 0
        self._frame_start = 0
        self._records = 0
        self._failed: RemoteProtocolError | None = None

    @property
    def state(self) -> State:
        """Where this direction stands; CLOSED after End."""
        return self._order.state

    @property
    def closed(self) -> bool:
        """True once End has come and agreed."""
        return self._order.state is State.CLOSED

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came. What follows End or an error is dropped: it is a logout message at best."""
        if not self.closed and self._failed is None:
            self._buffer += data

    def next_record(self) -> Record | Noise | Literal[NeedData.NEED_DATA]:
        """The next record, noise that was skipped, or NEED_DATA.

        Raises:
            RemoteProtocolError: the bytes are no valid stream; every later call raises the same.
        """
        if self._failed is not None:
            raise self._failed
        try:
            while not self.closed:
                record = self._next_from_content()
                if record is not None:
                    return record
                noise = self._skip_noise()
                if noise is not None:
                    return noise
                if not self._next_frame():
                    break
        except RemoteProtocolError as error:
            self._failed = error
            self._buffer.clear()
            self._content.clear()
            raise
        return NEED_DATA

    def receive_eof(self) -> None:
        """The other side will send no more.

        Raises:
            IncompleteStream: and it has not sent End.
        """
        if self._failed is None and not self.closed:
            raise IncompleteStream(self._explain_eof())

    def _explain_eof(self) -> str:
        received = self._offset + len(self._buffer)
        if received == 0:
            return (
                "the stream is empty: expected the output of the stage before, got nothing. Likely that stage "
                "could not start; see what it printed"
            )
        if self._token is frames.MAGIC_START and not self._buffer.startswith(frames.MAGIC_START):
            noise = self._noise_start + bytes(self._buffer[: frames.SHOWN])
            return (
                f"no playstream stream came, only {received} bytes of other output{self._beginning(noise)}. Likely the "
                "command that should write the stream failed, or is not playstream"
            )
        return (
            f"the stream ended after {received} bytes and {self._records} records, in state "
            f"{self.state.value!r}, before its End record. Likely the sending side was killed or the connection was "
            "cut; what came before is kept"
        )

    def _beginning(self, noise: bytes) -> str:
        return f", beginning {noise[: frames.SHOWN]!r}" if self._show else ""

    def _skip_noise(self) -> Noise | None:
        """Drop what stands before the next preamble or frame."""
        found = self._buffer.find(self._token)
        skip = found if found >= 0 else len(self._buffer) - self._started_token()
        if skip:
            more = min(skip, frames.SHOWN - len(self._noise_start))
            self._noise_start += bytes(self._buffer[:more])
            self._noise_size += skip
            self._consume(skip)
        if self._noise_size > frames.MAX_NOISE:
            wanted = "a preamble" if self._token is frames.MAGIC_START else f"frame {self._sequence}"
            raise RemoteProtocolError(
                f"{self._noise_size} bytes that are no stream{self._beginning(self._noise_start)}: expected {wanted} "
                f"within {frames.MAX_NOISE}. Likely another program writes to the same pipe"
            )
        if found < 0 or not self._noise_size:
            return None
        shown = self._noise_start if self._show or self._token is frames.MAGIC_START else b""
        noise = Noise(shown, self._noise_size, self._offset - self._noise_size)
        self._noise_start, self._noise_size = b"", 0
        return noise

    def _started_token(self) -> int:
        """How many bytes at the end of the buffer may be the beginning of what is looked for."""
        for size in range(min(len(self._token) - 1, len(self._buffer)), 0, -1):
            if self._buffer.endswith(self._token[:size]):
                return size
        return 0

    def _consume(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._offset += size
        return data

    def _next_frame(self) -> bool:
        """Take the preamble or a whole frame from the buffer, if it is there."""
        if self._token is frames.MAGIC_START:
            if len(self._buffer) < frames.PREAMBLE_SIZE:
                return False
            frames.decode_preamble(self._consume(frames.PREAMBLE_SIZE))
            self._token = frames.MARKER
            return True
        if len(self._buffer) < frames.HEADER_SIZE:
            return False
        header = frames.decode_header(bytes(self._buffer[: frames.HEADER_SIZE]), self._offset, show=self._show)
        if header.sequence != self._sequence:
            raise RemoteProtocolError(
                f"frame {self._sequence} was expected at byte {self._offset}, frame {header.sequence} came: frames "
                "were lost, doubled or put out of order on the way"
            )
        if len(self._buffer) < frames.HEADER_SIZE + header.payload_size:
            return False
        self._consume(frames.HEADER_SIZE)
        offset = self._offset
        payload = self._consume(header.payload_size)
        frames.check_payload(header, payload, offset, show=self._show)
        self._take_content(self._decompressor.decompress(payload, header.content_size))
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return True

    def _take_content(self, content: bytes) -> None:
        del self._content[: self._position]
        self._position = 0
        self._frame_start = len(self._content)
        self._content += content
        self._digest_before = self._digest.digest()
        self._digest.update(content)

    def _next_from_content(self) -> Record | None:
        while True:
            start = self._position + codec.RECORD.size
            if len(self._content) < start:
                return None
            kind, flags, size = codec.RECORD.unpack_from(self._content, self._position)
            codec.check_size(kind, size, self._max_record)
            end = start + size
            if len(self._content) < end:
                return None
            record = codec.decode(kind, flags, bytes(memoryview(self._content)[start:end]))
            alone = self._position == self._frame_start and end == len(self._content)
            self._position = end
            if isinstance(record, End):
                self._check_end(record, alone)
            self._records += 1
            if record is not None:
                self._order.follow(record)
                return record

    def _check_end(self, end: End, alone: bool) -> None:
        came = (self._records, self._order.events, self._digest_before)
        if not alone or came != (end.records, end.events, end.digest):
            raise RemoteProtocolError(
                f"the End record says {end.records} records, {end.events} events and digest {end.digest.hex()[:16]}…, "
                f"but {came[0]}, {came[1]} and {came[2].hex()[:16]}… came{'' if alone else ', in the same frame'}. "
                "Part of the stream was lost or changed"
            )
