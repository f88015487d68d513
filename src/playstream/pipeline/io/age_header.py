"""Detecting the first bytes of an encrypted stream."""

from __future__ import annotations

import re

from playstream.pipeline.dialect import ENCRYPTED_START, LIVE_START, FirstBytes
from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol.frames import MAX_NOISE, SHOWN

_OVERLAP = 64
"""Bytes before the last search that may hold the start of the beginning."""


class EncryptedStart:
    """Holds data back until the encrypted stream begins, which may follow output of a login."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._plain = FirstBytes()
        self._start: re.Match[bytes] | None = None

    @property
    def found(self) -> bool:
        """True when the stream has begun."""
        return self._start is not None

    @property
    def is_live(self) -> bool:
        """True if the stream that has begun is in the live form, False if it is one age file."""
        return self._start is not None and self._start[0] == LIVE_START

    @property
    def data(self) -> bytes:
        """The received data of the stream."""
        return bytes(self._held[self.skipped :])

    @property
    def skipped(self) -> int:
        """Bytes before the stream."""
        return 0 if self._start is None else self._start.start()

    @property
    def shown(self) -> bytes:
        """The first bytes before the stream, for messages."""
        return bytes(self._held[: min(self.skipped, SHOWN)])

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received; empty at the end of the file.

        Raises:
            RemoteProtocolError: the data is a plain stream, or something else.
            IncompleteStream: the data ended before an encrypted stream began.
        """
        self._held += data
        self._start = ENCRYPTED_START.search(self._held, max(0, len(self._held) - len(data) - _OVERLAP))
        before = bytes(self._held[: self.skipped]) if self.found else data
        detected = (FirstBytes() if self.found else self._plain).receive_data(before) if before else None
        if detected is not None and len(self._held) <= MAX_NOISE:
            raise RemoteProtocolError(
                "expected an encrypted stream, got an unencrypted one, which may have been written or altered by "
                "anybody in between. Encrypt it (--encrypt-to in the previous stage), or omit --identity"
            )
        if not self.found and self._held and (detected is not None or not data):
            error = RemoteProtocolError if data else IncompleteStream
            raise error(
                f"expected an encrypted stream, got {len(self._held)} bytes of other output, beginning "
                f"{bytes(self._held[:SHOWN])!r}. Another program probably writes to the same pipe"
            )
