"""The outer layer of the incoming end: bytes to frames and foreign bytes between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.protocol import frames
from playstream.pipeline.protocol.compression import Decompressor

_ECHOED = re.compile(rb"\^[@-_].*\^[@-_]", re.DOTALL)
"""Two control characters as a terminal echoes them, such as ^Z and ^@."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Foreign bytes that were skipped, such as a login banner or a warning of a program. Not a record."""

    data: bytes
    """The first 128 bytes. None between the frames of a job: they may belong to a frame, which may contain secrets."""
    size: int
    """How many there were."""
    offset: int
    """Where they began, in bytes from the start of the stream."""


class Frame(NamedTuple):
    """One frame, checked and decompressed."""

    payload: bytes
    content: bytes


class FrameReader:
    """Converts bytes to frames.

    Args:
        show: whether errors may show bytes of the stream. Those of a job may be secret: zstd does not change short
            texts.
    """

    def __init__(self, *, show: bool) -> None:
        self._show = show
        self._decompressor = Decompressor()
        self._buffer = bytearray()
        self._position = 0
        """Up to where the buffer has been read."""
        self._dropped = 0
        """Bytes of the stream before the buffer."""
        self._token = frames.MAGIC_START
        self._noise_start = b""
        self._noise_size = 0
        self._sequence = 0

    @property
    def received(self) -> int:
        """Number of bytes received so far."""
        return self._dropped + len(self._buffer)

    @property
    def offset(self) -> int:
        """The position of reading, in bytes from the start of the stream; after an error, the faulty frame."""
        return self._dropped + self._position

    @property
    def _available(self) -> int:
        return len(self._buffer) - self._position

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received."""
        if self._position:
            del self._buffer[: self._position]
            self._dropped += self._position
            self._position = 0
        self._buffer += data

    def clear(self) -> None:
        """Drop the data that has not been read."""
        self._dropped += len(self._buffer)
        self._buffer.clear()
        self._position = 0

    def next(self) -> Frame | Noise | None:
        """Return the next frame, or noise that was skipped; None if neither is complete.

        Raises:
            RemoteProtocolError: the received data is not a valid stream.
        """
        if not self._buffer.startswith(self._token, self._position) or self._noise_size:
            noise = self._skip_noise()
            if noise is not None:
                return noise
        if self._token is frames.MAGIC_START:
            if self._available < frames.PREAMBLE_SIZE:
                return None
            end = self._position + frames.PREAMBLE_SIZE
            frames.decode_preamble(self._copy(self._position, end))
            self._position = end
            self._token = frames.MARKER
            return self.next()
        return self._next_frame()

    def _next_frame(self) -> Frame | None:
        start = self._position + frames.HEADER_SIZE
        if len(self._buffer) < start:
            return None
        header = frames.decode_header(bytes(self._buffer[self._position : start]), self.offset, show=self._show)
        if header.sequence != self._sequence:
            raise RemoteProtocolError(
                f"expected frame {self._sequence} at byte {self.offset}, got frame {header.sequence}: frames were "
                "lost, duplicated or reordered in transit"
            )
        end = start + header.payload_size
        if len(self._buffer) < end:
            return None
        payload = self._copy(start, end)
        frames.check_payload(header, payload, self._dropped + start, show=self._show)
        content = self._decompressor.decompress(payload, header.content_size)
        self._position = end
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return Frame(payload, content)

    def _copy(self, start: int, end: int) -> bytes:
        with memoryview(self._buffer) as view:
            return bytes(view[start:end])

    def _consume(self, size: int) -> bytes:
        start, self._position = self._position, self._position + size
        return self._copy(start, self._position)

    def _skip_noise(self) -> Noise | None:
        """Drop the bytes before the next preamble or frame."""
        found = self._buffer.find(self._token, self._position)
        skip = found - self._position if found >= 0 else self._available - self._started_token()
        if skip:
            skipped = self._consume(skip)
            self._noise_start += skipped[: frames.SHOWN - len(self._noise_start)]
            self._noise_size += skip
        if self._noise_size > frames.MAX_NOISE:
            wanted = "a preamble" if self._token is frames.MAGIC_START else f"frame {self._sequence}"
            raise RemoteProtocolError(
                f"{self._noise_size} bytes that are not part of a stream{self._beginning(self._noise_start)}: expected "
                f"{wanted} within {frames.MAX_NOISE}. Another program probably writes to the same pipe"
            )
        if found < 0 or not self._noise_size:
            return None
        shown = self._noise_start if self._show or self._token is frames.MAGIC_START else b""
        noise = Noise(shown, self._noise_size, self.offset - self._noise_size)
        self._noise_start, self._noise_size = b"", 0
        return noise

    def _started_token(self) -> int:
        """Return how many bytes at the end of the buffer may be the beginning of the token."""
        for size in range(min(len(self._token) - 1, self._available), 0, -1):
            if self._buffer.endswith(self._token[:size]):
                return size
        return 0

    def _beginning(self, noise: bytes) -> str:
        return f", beginning {noise[: frames.SHOWN]!r}" if self._show else ""

    def explain_foreign(self) -> str | None:
        """Describe the data received instead of a stream, for messages; None if a stream has begun."""
        if self._token is frames.MARKER or self._buffer.startswith(frames.MAGIC_START, self._position):
            return None
        return f"{self.received} bytes of other output{self._beginning(self._foreign())}"

    def seems_echoed(self) -> bool:
        """Return whether the data received instead of a stream has control characters as a terminal shows them."""
        return _ECHOED.search(self._foreign()) is not None

    def _foreign(self) -> bytes:
        return self._noise_start + bytes(self._buffer[self._position :][: frames.SHOWN])
