"""Streams in the native dialect as pieces: every record with the frame that it begins in."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from playstream.captures.pieces import Format, Piece, Skipped
from playstream.pipeline.errors import IncompleteStream
from playstream.pipeline.protocol import NEED_DATA, Frame, FrameReader, Noise, codec, frames
from playstream.pipeline.protocol.codec import Kind
from playstream.pipeline.protocol.order import Direction, State
from playstream.pipeline.protocol.record_reader import RecordReader

JOB_KINDS = frozenset(
    (Kind.JOB, Kind.CANCEL, Kind.PING, Kind.INPUT, Kind.RESIZE, Kind.OFFER, Kind.LISTING, Kind.CONTENT)
)
RESULT_KINDS = frozenset((Kind.STATUS, Kind.EVENT, Kind.HELLO, Kind.PONG, Kind.PROMPT, Kind.WANT))
"""Kinds of records that only one direction has."""
_MAX_HEAD = frames.MAX_CONTENT
"""Bytes of content that are held until the direction is known."""


class NativeWalker:
    """Converts the bytes of one direction to pieces. Which direction it is, its first records say.

    Args:
        max_record: maximum payload size of one record, in bytes.
    """

    format: ClassVar = Format.NATIVE

    def __init__(self, max_record: int) -> None:
        self._max_record = max_record
        self._frames = FrameReader(show=False)
        self._records: RecordReader | None = None
        self._held: deque[Frame] = deque()
        """Frames whose records have not been read."""
        self._head = b""
        """Content while the direction is not known."""
        self._spans: deque[tuple[int, int]] = deque()
        """Where the content of each frame begins, and the frame itself, from that of the last record on."""
        self._ready: deque[Piece] = deque()
        self._at_end = False
        self._reads_frames = True
        """Whether a frame was read last, and not a record."""
        self.direction: Direction | None = None
        self.content_size = 0

    @property
    def closed(self) -> bool:
        """True after End."""
        return self._records is not None and self._records.state is State.CLOSED

    @property
    def end_differs(self) -> bool:
        """True if End does not agree with what was received before it."""
        return self._records is not None and self._records.end_differs

    @property
    def unread(self) -> int:
        """Received bytes behind End."""
        return self._frames.received - self._frames.offset

    @property
    def offset(self) -> int:
        """Where the last piece begins; after an error, the faulty frame or that of the faulty record."""
        return self._frames.offset if self._reads_frames or not self._spans else self._place()[0]

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were read; empty at the end of the file."""
        self._at_end = not data
        self._frames.receive_data(data)

    def next_piece(self) -> Piece | None:
        """Return the next piece; None if it is not complete, or after the last.

        Raises:
            RemoteProtocolError: the bytes are not valid, or, at the end of the file, not complete.
        """
        while not self._ready:
            if self._records is not None and self._next_record(self._records):
                continue
            if self._records is not None and self._held:
                self._records.receive_frame(self._held.popleft())
            elif self.closed:
                return None
            elif self._next_frame():
                continue
            elif not self._at_end:
                return None
            elif self._records is None and self._held:
                self._choose(Direction.RESULT)
            else:
                raise IncompleteStream(self._explain_end())
        return self._ready.popleft()

    def close(self) -> None:
        """Do nothing: all that is held is in memory."""

    def _next_frame(self) -> bool:
        """Read the next frame or noise; return whether there is one."""
        self._reads_frames = True
        frame = self._frames.next()
        if frame is None:
            return False
        if isinstance(frame, Noise):
            self._ready.append(Piece(frame, frame.offset, 0, frame.size))
            return True
        start = self._frames.offset - len(frame.payload) - frames.HEADER_SIZE
        self._spans.append((self.content_size, start))
        self.content_size += len(frame.content)
        self._held.append(frame)
        if self._records is None:
            self._head += frame.content
            direction = direction_of(self._head)
            if direction is not None or len(self._head) > _MAX_HEAD:
                self._choose(direction or Direction.RESULT)
        return True

    def _choose(self, direction: Direction) -> None:
        self._head = b""
        self.direction = direction
        self._records = RecordReader(direction, self._max_record)

    def _next_record(self, records: RecordReader) -> bool:
        """Make the next record a piece, and one of those that were skipped before it; return whether there is one."""
        before, count = records.position, records.count
        self._reads_frames = False
        record = records.next_record()
        if record is NEED_DATA:
            return False
        skipped = records.count - count - 1
        if skipped:
            offset, at = self._place(before)
            self._ready.append(Piece(Skipped(skipped), offset, at, records.record_position - before))
        offset, at = self._place()
        size = records.position - records.record_position
        self._ready.append(Piece(record, offset, at, size))
        return True

    def _place(self, position: int | None = None) -> tuple[int, int]:
        """Return the frame and the place in it of a position in the content, which is that of the last record."""
        if position is None:
            position = 0 if self._records is None else self._records.record_position
        while len(self._spans) > 1 and self._spans[1][0] <= position:
            self._spans.popleft()
        start, offset = self._spans[0]
        return offset, position - start

    def _explain_end(self) -> str:
        received, offset = self._frames.received, self._frames.offset
        if received == 0:
            return "the file is empty: expected a capture. The command that should write it probably failed to start"
        foreign = self._frames.explain_foreign()
        if foreign is not None:
            return (
                f"expected a capture or a recording, got {foreign}. The command that should write it probably failed, "
                "or this is another file"
            )
        state = State.START.value if self._records is None else self._records.state.value
        where = f"in the frame that begins at byte {offset}" if received > offset else "behind a complete frame"
        return (
            f"the stream ends at byte {received}, {where}, in state {state!r}: expected more, up to its End record. "
            "The sender was probably killed, or the disk was full; everything before is intact"
        )


def direction_of(content: bytes) -> Direction | None:
    """Return the direction of a stream whose content begins so; None if its records may be of either.

    Args:
        content: whole records; what is cut at the end is ignored.
    """
    position = 0
    while position + codec.RECORD.size <= len(content):
        kind, _flags, size = codec.RECORD.unpack_from(content, position)
        if kind in JOB_KINDS:
            return Direction.JOB
        if kind in RESULT_KINDS:
            return Direction.RESULT
        position += codec.RECORD.size + int(size)
    return None
