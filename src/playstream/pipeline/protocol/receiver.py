"""The incoming end of one direction: bytes to records.

It does no I/O. As in h11, the caller passes bytes to `receive_data` and asks for records until it gets NEED_DATA.
"""

from __future__ import annotations

from typing import Literal, Protocol

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import codec
from playstream.pipeline.protocol.frame_reader import FrameReader, Noise
from playstream.pipeline.protocol.order import Direction, State
from playstream.pipeline.protocol.record_reader import NEED_DATA, NeedData, RecordReader
from playstream.pipeline.protocol.records import Record


class Incoming(Protocol):
    """The incoming end of one direction, whatever encodes it: bytes to records."""

    @property
    def closed(self) -> bool:
        """True when the stream has ended."""

    @property
    def has_heartbeats(self) -> bool:
        """Whether the sender sends heartbeats while it has nothing else to send."""

    @property
    def keeps_status(self) -> bool:
        """Whether a terminal status has arrived and waits for the artifacts."""

    def release_status(self) -> None:
        """Make a waiting status the next record, because nothing more will be read."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received."""

    def receive_eof(self) -> None:
        """Mark the end of the input.

        Raises:
            IncompleteStream: the stream is not complete.
        """

    def next_record(self) -> Record | Noise | Literal[NeedData.NEED_DATA]:
        """Return the next record, noise that was skipped, or NEED_DATA.

        Raises:
            PlaystreamError: the bytes are not valid.
        """

    def close(self) -> None:
        """Drop incomplete data."""


class Receiver:
    """One direction, incoming, in the native dialect. Any bytes yield records, Noise or RemoteProtocolError.

    `receive_data` and `next_record` do everything. A receiver of much may use the two layers in two threads: `frames`
    checks and decompresses, `records` digests and parses.
    """

    def __init__(self, direction: Direction, *, max_record: int = codec.MAX_RECORD) -> None:
        self.frames = FrameReader(show=direction is Direction.RESULT)
        self.records = RecordReader(direction, max_record)
        self._failed: RemoteProtocolError | None = None

    @property
    def state(self) -> State:
        """Where this direction stands; CLOSED after End."""
        return self.records.state

    @property
    def closed(self) -> bool:
        """True once End has come and agreed."""
        return self.records.state is State.CLOSED

    @property
    def has_heartbeats(self) -> bool:
        """True: a sender says that it lives while it has nothing to say."""
        return True

    @property
    def keeps_status(self) -> bool:
        """False: each status is given at once."""
        return False

    def release_status(self) -> None:
        """Do nothing: no status waits."""

    def close(self) -> None:
        """Drop incomplete data."""
        self.frames.clear()
        self.records.clear()

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received. What follows End or an error is dropped, such as a logout message."""
        if not self.closed and self._failed is None:
            self.frames.receive_data(data)

    def next_record(self) -> Record | Noise | Literal[NeedData.NEED_DATA]:
        """Return the next record, noise that was skipped, or NEED_DATA.

        Raises:
            RemoteProtocolError: the bytes are not a valid stream; every later call raises the same.
        """
        if self._failed is not None:
            raise self._failed
        try:
            while (record := self.records.next_record()) is NEED_DATA:
                frame = None if self.closed else self.frames.next()
                if frame is None:
                    return NEED_DATA
                if isinstance(frame, Noise):
                    return frame
                self.records.receive_frame(frame)
        except RemoteProtocolError as error:
            self._failed = error
            self.close()
            raise
        return record

    def receive_eof(self) -> None:
        """Mark the end of the input.

        Raises:
            IncompleteStream: and it has not sent End.
        """
        if self._failed is None and not self.closed:
            raise IncompleteStream(self._explain_eof())

    def _explain_eof(self) -> str:
        if self.frames.received == 0:
            return (
                "the stream is empty: expected the output of the previous stage, got nothing. That stage probably "
                "failed to start; see its messages. If it runs over ssh, docker or podman, give the whole path of "
                "playstream there, and call these without -t"
            )
        foreign = self.frames.explain_foreign()
        if foreign is not None and self.frames.seems_echoed():
            return (
                f"received no playstream stream, only {foreign}. A terminal on the way probably sends the job back: "
                "call ssh, docker or podman without -t"
            )
        if foreign is not None:
            return (
                f"received no playstream stream, only {foreign}. The command that should write the stream probably "
                "failed, or is not playstream"
            )
        return (
            f"the stream ended after {self.frames.received} bytes and {self.records.count} records, in state "
            f"{self.state.value!r}, before its End record. The sender was probably killed, or the connection was lost; "
            "everything received before is kept"
        )
