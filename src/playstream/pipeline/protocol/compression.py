"""One zstd stream for each direction, flushed at the end of each frame.

There is one stream so that repetitive events compress well, and it is flushed so that they arrive at once.
"""

from __future__ import annotations

import zstandard

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.protocol.frames import MAX_CONTENT

_MAX_WINDOW_LOG = 23
MAX_WINDOW = 1 << _MAX_WINDOW_LOG
"""Bytes of history that a stream may ask its receiver to keep."""
_OUTPUT_STEP = MAX_CONTENT + 1
"""Size of the decompressor's output buffer: one byte more than a frame may hold. If zstd fills it, the frame is over
its budget; if not, zstd has returned everything (a full buffer may leave more inside)."""


class Compressor:
    """Turns the content of frames into payloads."""

    def __init__(self, level: int) -> None:
        compressor = zstandard.ZstdCompressor(level=level)
        if zstandard.ZstdCompressionParameters.from_level(level).window_log > _MAX_WINDOW_LOG:
            parameters = zstandard.ZstdCompressionParameters.from_level(level, window_log=_MAX_WINDOW_LOG)
            compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._stream = compressor.compressobj()

    def compress(self, content: bytes) -> bytes:
        """Compress the content of one frame, so that its payload decompresses to all of it."""
        started = self._stream.compress(content)
        return started + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


class _BudgetExceeded(Exception):
    """The payload decompresses to more than its frame announced."""


class _Output:
    """The decompressor's output, written in steps of at most _OUTPUT_STEP bytes; refuses data over the budget."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.budget = 0

    def write(self, data: bytes) -> int:
        self.budget -= len(data)
        if self.budget < 0:
            raise _BudgetExceeded
        self.pieces.append(data)
        return len(data)


class Decompressor:
    """Turns payloads back into content."""

    def __init__(self) -> None:
        self._output = _Output()
        stream = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        self._stream = stream.stream_writer(self._output, write_size=_OUTPUT_STEP)  # type: ignore[arg-type]

    def decompress(self, payload: bytes, content_size: int) -> bytes:
        """Decompress the payload of one frame, whose content must have `content_size` bytes.

        Raises:
            RemoteProtocolError: it is not zstd, or the size is not the announced one. At most `content_size` bytes and
                one step of the decompressor are held in memory.
        """
        self._output.budget = content_size
        try:
            self._stream.write(payload)
        except _BudgetExceeded:
            raise RemoteProtocolError(
                f"a payload of {len(payload)} bytes holds more than the {content_size} bytes of content that its "
                "frame announced. The sender is broken or hostile"
            ) from None
        except zstandard.ZstdError as error:
            raise RemoteProtocolError(
                f"a payload of {len(payload)} bytes is not valid zstd ({error}). The sender is broken or hostile"
            ) from None
        pieces, self._output.pieces = self._output.pieces, []
        if self._output.budget:
            raise RemoteProtocolError(
                f"a payload of {len(payload)} bytes holds {self._output.budget} bytes of content less than the "
                f"{content_size} that its frame announced. The sender is broken or hostile"
            )
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
