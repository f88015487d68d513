"""The incoming end of one direction: bytes to records.

It reads nothing. After h11: whoever has bytes calls `receive_data` and asks for records until NEED_DATA comes back.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import codec
from playstream.pipeline.protocol.frame_reader import FrameReader, Noise
from playstream.pipeline.protocol.order import Direction, Order, State
from playstream.pipeline.protocol.records import End, Record


class NeedData(Enum):
    """The type of NEED_DATA."""

    NEED_DATA = "NEED_DATA"


NEED_DATA: Final = NeedData.NEED_DATA
"""What `next_record` returns when it has no whole record."""


class Receiver:
    """One direction, incoming. Any bytes whatever give records, Noise or RemoteProtocolError."""

    def __init__(self, direction: Direction, *, max_record: int = codec.MAX_RECORD) -> None:
        self._order = Order(direction, receiving=True)
        self._frames = FrameReader(show=direction is Direction.RESULT)
        self._max_record = max_record
        self._content = bytearray()
        self._position = 0
        """Up to where the content has been read."""
        self._frame_start = 0
        """Where the content of the last frame begins."""
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
            self._frames.receive_data(data)

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
                content = self._frames.next()
                if isinstance(content, Noise):
                    return content
                if content is None:
                    break
                self._take_content(content)
        except RemoteProtocolError as error:
            self._failed = error
            self._frames.clear()
            self._content.clear()
            raise
        return NEED_DATA

    def _take_content(self, content: bytes) -> None:
        del self._content[: self._position]
        self._position = 0
        self._frame_start = len(self._content)
        self._content += content

    def _next_from_content(self) -> Record | None:
        content = self._content
        while True:
            position = self._position
            start = position + codec.RECORD.size
            if len(content) < start:
                return None
            kind, flags, size = codec.RECORD.unpack_from(content, position)
            codec.check_size(kind, size, self._max_record)
            end = start + size
            if len(content) < end:
                return None
            record = codec.decode(kind, flags, bytes(content[start:end]))
            self._position = end
            if record is None:
                self._records += 1
                continue
            if type(record) is End:
                self._check_end(record, alone=position == self._frame_start and end == len(content))
            self._records += 1
            self._order.follow(record)
            return record

    def _check_end(self, end: End, *, alone: bool) -> None:
        digest = self._frames.digest_before
        if not alone or (self._records, self._order.events, digest) != (end.records, end.events, end.digest):
            raise RemoteProtocolError(
                f"the End record says {end.records} records, {end.events} events and digest {end.digest.hex()[:16]}…, "
                f"but {self._records}, {self._order.events} and {digest.hex()[:16]}… came"
                f"{'' if alone else ', in the same frame'}. Part of the stream was lost or changed"
            )

    def receive_eof(self) -> None:
        """The other side will send no more.

        Raises:
            IncompleteStream: and it has not sent End.
        """
        if self._failed is None and not self.closed:
            raise IncompleteStream(self._explain_eof())

    def _explain_eof(self) -> str:
        if self._frames.received == 0:
            return (
                "the stream is empty: expected the output of the stage before, got nothing. Likely that stage "
                "could not start; see what it printed"
            )
        foreign = self._frames.explain_foreign()
        if foreign is not None:
            return (
                f"no playstream stream came, only {foreign}. Likely the command that should write the stream failed, "
                "or is not playstream"
            )
        return (
            f"the stream ended after {self._frames.received} bytes and {self._records} records, in state "
            f"{self.state.value!r}, before its End record. Likely the sending side was killed or the connection was "
            "cut; what came before is kept"
        )
