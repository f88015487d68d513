"""The outer layer of an incoming runner stream: bytes to JSON lines, bytes of archives, and noise between them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.limits import exceeded
from playstream.pipeline.protocol import Noise
from playstream.pipeline.protocol.frames import MAX_NOISE, SHOWN

_PIECE = 1 << 20
"""Maximum number of base64 characters that are decoded at once; a multiple of 4."""
_FIRST_KEYS = rb"kwargs|status|zipfile|eof|event|uuid"
_OBJECT = re.compile(rb'\{[ \t]*"(?:' + _FIRST_KEYS + rb')"[ \t]*:')
"""The beginning of an object of the dialect."""
_SPACE = bytes(range(9, 14)) + b" "


@dataclass(frozen=True, slots=True)
class Line:
    """One JSON object."""

    values: dict[str, Any]
    data: bytes
    """The line as it was received, without its line end."""

    def __repr__(self) -> str:
        """Return a representation without the values, which may be secret."""
        return f"Line({len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class ArchiveData:
    """The next decoded bytes of an archive."""

    data: bytes
    last: bool
    """True if they are the last of the archive."""


class LineReader:
    """Converts bytes to lines and the bytes of archives.

    Args:
        show: whether errors may show received data. That of a job may be secret.
        max_line: maximum size of one line, in bytes.
        max_archive: maximum size of one archive, in bytes.
    """

    def __init__(self, *, show: bool, max_line: int, max_archive: int) -> None:
        self._show = show
        self._max_line = max_line
        self._max_archive = max_archive
        self._buffer = bytearray()
        self._position = 0
        """Up to where the buffer has been read."""
        self._searched = 0
        """Up to where the buffer has been searched for a line end."""
        self._dropped = 0
        """Bytes of the stream before the buffer."""
        self._left = 0
        """Number of base64 characters that are still expected; 0 between archives."""
        self._quartet = b""
        """base64 characters of an incomplete group of four."""
        self._noise_start = b""
        self._noise_size = 0
        self.offset = 0
        """Where the last piece begins, in bytes from the start of the stream; after an error, the faulty one."""
        self.lines = 0
        """Number of JSON lines received so far."""

    @property
    def received(self) -> int:
        """Number of bytes received so far."""
        return self._dropped + len(self._buffer)

    @property
    def unread(self) -> int:
        """Number of received bytes that have not been read."""
        return len(self._buffer) - self._position

    @property
    def in_archive(self) -> bool:
        """True in the middle of an archive."""
        return self._left > 0

    @property
    def in_line(self) -> bool:
        """True in the middle of a line."""
        return self._left == 0 and self._position < len(self._buffer)

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received; empty at the end of the file, where the last line may lack its end."""
        if not data and self.in_line and _load_object(bytes(self._buffer[self._position :])) is not None:
            data = b"\n"
        if self._position:
            del self._buffer[: self._position]
            self._dropped += self._position
            self._searched -= self._position
            self._position = 0
        self._buffer += data

    def clear(self) -> None:
        """Drop the data that has not been read."""
        self._dropped += len(self._buffer)
        self._buffer.clear()
        self._position = self._searched = 0

    def next(self) -> Line | ArchiveData | Noise | None:
        """Return the next piece, or noise that was skipped; None if neither is complete.

        Raises:
            RemoteProtocolError: the received data is not a valid stream.
        """
        if self._left:
            return self._next_data()
        while True:
            self.offset = self._dropped + self._position
            line = self._next_line()
            if line is None:
                return None
            if not line.strip():
                continue  # a loop, because there may be as many empty lines as bytes
            start, values = self._find_object(line)
            if line[:start].strip():
                self._skip(line[:start])
            if values is None:
                continue
            if self._noise_size:
                self._unread(line[start:])
                return self._take_noise()
            self.offset += start
            return self._begin(Line(values, line[start:].strip()))

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched)
        size = (len(self._buffer) if end < 0 else end) - self._position
        if size > self._max_line:
            raise exceeded(
                f"the line at byte {self._dropped + self._position} has too many bytes",
                self._max_line,
                "max_record_bytes",
            )
        if end < 0:
            self._searched = len(self._buffer)
            return None
        line = bytes(memoryview(self._buffer)[self._position : end])
        self._position = self._searched = end + 1
        return line

    def _unread(self, line: bytes) -> None:
        """Put the rest of the last line back into the buffer."""
        self._position -= len(line) + 1
        self._searched = self._position + len(line)

    def _find_object(self, line: bytes) -> tuple[int, dict[str, Any] | None]:
        """Find the object at the end of a line: its start and the object, or the line's length and None.

        Raises:
            RemoteProtocolError: an object of the dialect is incomplete.
        """
        values = _load_object(line)
        if values is not None:
            return 0, values
        found = _OBJECT.search(line)
        if found is None:
            return len(line), None
        values = _load_object(line[found.start() :])
        if values is None:
            raise self._broken(line)
        return found.start(), values

    def _begin(self, line: Line) -> Line:
        """Remember that an archive follows, if one does."""
        self.lines += 1
        if "zipfile" in line.values:
            size = line.values["zipfile"]
            if type(size) is not int or not 0 < size < 1 << 62:
                raise RemoteProtocolError(
                    f"the stream announces an archive at byte {self._dropped + self._position} whose size is not a "
                    "valid number of bytes"
                )
            if size > self._max_archive:
                raise exceeded(
                    f"the archive at byte {self._dropped + self._position} has {size} bytes",
                    self._max_archive,
                    "max_tree_bytes",
                )
            self._left = (size + 2) // 3 * 4
        return line

    def _next_data(self) -> ArchiveData | None:
        raw = bytes(memoryview(self._buffer)[self._position : self._position + min(self._left, _PIECE)])
        if not raw:
            return None
        self.offset = self._dropped + self._position
        self._position += len(raw)
        self._searched = self._position
        text = raw.translate(None, _SPACE)
        self._left -= len(text)
        text = self._quartet + text
        whole = len(text) - len(text) % 4
        self._quartet = text[whole:]
        try:
            data = base64.b64decode(text[:whole], validate=True)
        except binascii.Error:
            raise RemoteProtocolError(
                f"the archive is damaged before byte {self._dropped + self._position}: expected base64, got something "
                f"else{self._shown(raw)}. Another program probably wrote into the stream"
            ) from None
        return ArchiveData(data, last=self._left == 0)

    def _skip(self, noise: bytes) -> None:
        self._noise_start += noise[: SHOWN - len(self._noise_start)]
        self._noise_size += len(noise) + 1
        if self._noise_size > MAX_NOISE:
            raise RemoteProtocolError(
                f"{self._noise_size} bytes that are not part of a stream{self._shown(self._noise_start)}: expected a "
                f"JSON line within {MAX_NOISE}. Another program probably writes to the same pipe"
            )

    def _take_noise(self) -> Noise:
        shown = self._noise_start if self._show or self.lines == 0 else b""
        noise = Noise(shown, self._noise_size, max(0, self._dropped + self._position - self._noise_size))
        self._noise_start, self._noise_size = b"", 0
        return noise

    def _broken(self, line: bytes) -> RemoteProtocolError:
        return RemoteProtocolError(
            f"a line of {len(line)} bytes before byte {self._dropped + self._position} begins like a line of the "
            f"stream but is not valid JSON{self._shown(line)}. It was probably truncated, or another program wrote "
            "into it"
        )

    def _shown(self, data: bytes) -> str:
        return f": {data[:SHOWN]!r}" if self._show else ""


def _load_object(text: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if type(values) is dict else None
