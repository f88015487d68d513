"""Recordings of the callback plugin as pieces."""

from __future__ import annotations

from typing import ClassVar

from playstream.captures.pieces import Format, Piece
from playstream.pipeline.protocol import NEED_DATA, Event
from playstream.pipeline.protocol.order import Direction
from playstream.process.recording import RecordingReceiver


class RecordingWalker:
    """Converts the lines of a recording to pieces; the last one, a status, is made from the statistics.

    Args:
        max_record: maximum size of one event, in bytes.
    """

    format: ClassVar = Format.RECORDING
    direction: ClassVar = Direction.RESULT
    end_differs: ClassVar = False
    unread: ClassVar = 0

    def __init__(self, max_record: int) -> None:
        self._receiver = RecordingReceiver(max_record=max_record)
        self._at_end = False
        self._ended = False
        self.content_size = 0

    @property
    def closed(self) -> bool:
        """True after the last status."""
        return self._receiver.closed

    @property
    def offset(self) -> int:
        """Where the last line begins."""
        return self._receiver.offset

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were read; empty at the end of the file."""
        self._at_end = not data
        self.content_size += len(data)
        self._receiver.receive_data(data)

    def next_piece(self) -> Piece | None:
        """Return the next piece; None if it is not complete, or after the last.

        Raises:
            RemoteProtocolError: the bytes are not valid, or, at the end of the file, not complete.
        """
        record = self._receiver.next_record()
        if record is NEED_DATA and self._at_end and not self._ended:
            self._ended = True
            self._receiver.receive_eof()
            record = self._receiver.next_record()
        if record is NEED_DATA:
            return None
        size = len(record.json) if isinstance(record, Event) else None
        return Piece(record, self._receiver.offset, 0, size)

    def close(self) -> None:
        """Drop what has been begun."""
        self._receiver.close()
