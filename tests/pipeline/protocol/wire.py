"""Streams as bytes: made by hand where no Sender would make them, and taken apart by a Receiver."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any, Generic, TypeVar

from playstream.pipeline.errors import PlaystreamError, RemoteProtocolError
from playstream.pipeline.protocol import NEED_DATA, End, Event, Noise, Receiver, Record, Sender, codec, frames
from playstream.pipeline.protocol.compression import Compressor
from playstream.pipeline.protocol.order import Direction

WHOLE = (1 << 40,)
"""Chunk sizes: all at once."""
BYTE_BY_BYTE = (1,)


class RawStream:
    """A stream of valid frames whose content may be anything; `data` is what would travel."""

    def __init__(self) -> None:
        self.data = frames.encode_preamble()
        self._compressor = Compressor(1)
        self._digest = hashlib.sha256()
        self._sequence = 0
        self._records = 0
        self._events = 0

    def content(self, content: bytes, *, announced: int | None = None) -> RawStream:
        """Add one frame that holds `content`."""
        payload = self._compressor.compress(content)
        size = len(content) if announced is None else announced
        self.data += frames.encode_frame(self._sequence, payload, size)
        self._sequence += 1
        self._digest.update(payload)
        return self

    def records(self, *records: Record) -> RawStream:
        """Add one frame that holds these records, whether they may stand there or not."""
        self._records += len(records)
        self._events += sum(isinstance(record, Event) for record in records)
        return self.content(b"".join(codec.encode(record) for record in records))

    def end_record(self, **changes: Any) -> End:
        """The End record that belongs here, with some fields changed."""
        return replace(End(self._records, self._events, self._digest.digest()), **changes)

    def end(self, **changes: Any) -> RawStream:
        """Add an End record in a frame of its own."""
        return self.content(codec.encode(self.end_record(**changes)))


AnyReceiver = TypeVar("AnyReceiver")


@dataclass
class Taken(Generic[AnyReceiver]):
    """What a receiver, of either dialect, made of some bytes."""

    receiver: AnyReceiver
    items: list[Record | Noise] = field(default_factory=list)
    error: PlaystreamError | None = None

    @property
    def records(self) -> list[Record]:
        return [item for item in self.items if not isinstance(item, Noise)]

    @property
    def noises(self) -> list[Noise]:
        return [item for item in self.items if isinstance(item, Noise)]

    @property
    def message(self) -> str:
        """The text of the error there must be."""
        assert self.error is not None, f"no error, but {self.items}"
        return str(self.error)


def record_bytes(kind: int, payload: bytes, *, flags: int = 0, size: int | None = None) -> bytes:
    """One record's bytes, its header as it is told."""
    return codec.RECORD.pack(kind, flags, len(payload) if size is None else size) + payload


def encode(records: Sequence[Record], direction: Direction, flushes: Sequence[bool] = (True,)) -> bytes:
    """The stream of these records and End; `flushes` is repeated as long as there are records."""
    sender = Sender(direction)
    sent = [sender.send(record, flush=flush) for record, flush in zip(records, cycle(flushes))]
    return b"".join(sent) + sender.end()


def chunks(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """The bytes in pieces of these sizes, repeated."""
    position = 0
    for size in cycle(sizes):
        if position >= len(data):
            return
        yield data[position : position + size]
        position += size


def take(
    data: bytes, direction: Direction, sizes: Sequence[int] = WHOLE, *, max_record: int | None = None
) -> Taken[Receiver]:
    """Feed a Receiver with pieces of these sizes, then end of file. Only RemoteProtocolError is caught."""
    receiver = Receiver(direction) if max_record is None else Receiver(direction, max_record=max_record)
    taken = Taken(receiver)
    try:
        for chunk in chunks(data, sizes):
            receiver.receive_data(chunk)
            while (item := receiver.next_record()) is not NEED_DATA:
                taken.items.append(item)
        receiver.receive_eof()
    except RemoteProtocolError as error:
        taken.error = error
    return taken
