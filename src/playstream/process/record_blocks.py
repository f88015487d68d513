"""Records of a run in compressed blocks, each of which can be read without the others.

What a block has is told beside it (`BlockInfo`), so that a reader that wants a later part of the run need not read the
blocks before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeGuard

import zstandard

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.pipeline.protocol import Event, Log, Status, codec
from playstream.pipeline.protocol.codec import Kind
from playstream.process.event_data import TASK_START, moment_of

BLOCK_BYTES: Final = 1 << 20
"""Bytes of records, decompressed, with which a block is complete. The last record of a block may exceed them."""
BlockRecord: TypeAlias = Status | Event | Log
"""What a block may have: all that is shown of a run. Artifacts would be files of any size."""
_RECORDS = (Status, Event, Log)
_KINDS = frozenset((Kind.STATUS, Kind.EVENT, Kind.LOG))
_LEVEL = 3


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """What a block has."""

    events: int
    """Number of its events."""
    last: int
    """The highest counter of an event in it; 0 if there is none."""
    first_moment: float | None
    """The time of the first event that has one, in seconds since 1970."""
    last_moment: float | None
    """The latest time of its events. None if a reader of a later part needs the block nevertheless: it has an event
    without a time, no event at all, or the end of the run."""
    tasks: tuple[int, ...]
    """Counters of the events that begin a task."""
    size: int
    """Its bytes, decompressed."""

    def is_before(self, counter: int, moment: float | None) -> bool:
        """Return whether all events are before the one with a counter, or before a moment; None is before all."""
        if self.last_moment is None:
            return False
        return self.last < counter or (moment is not None and self.last_moment < moment)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of records."""

    info: BlockInfo
    data: bytes
    """The records, compressed."""


class BlockMaker:
    """Makes blocks of records. It holds those of one block."""

    def __init__(self) -> None:
        self.total = 0
        """Bytes of all records."""
        self._reset()

    def _reset(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._events = 0
        self._last = 0
        self._first_moment: float | None = None
        self._last_moment: float | None = None
        self._is_needed = False
        self._tasks: list[int] = []

    def add(self, record: BlockRecord, event: Mapping[str, Any] | None = None) -> Block | None:
        """Take a record; return a block if one is complete.

        Args:
            record: the record.
            event: the content of an event, if it has been parsed.

        Raises:
            LocalProtocolError: the record cannot be encoded.
        """
        piece = codec.encode(record)
        self._pieces.append(piece)
        self._size += len(piece)
        self.total += len(piece)
        if isinstance(record, Event):
            self._note(record, _parse(record) if event is None else event)
        elif isinstance(record, Status) and record.status.terminal:
            self._is_needed = True
        return self.finish() if self._size >= BLOCK_BYTES else None

    def _note(self, record: Event, event: Mapping[str, Any]) -> None:
        self._events += 1
        self._last = max(self._last, record.counter)
        if event.get("event") == TASK_START:
            self._tasks.append(record.counter)
        moment = moment_of(event.get("created"))
        if moment is None:
            self._is_needed = True
            return
        if self._first_moment is None:
            self._first_moment = moment
        self._last_moment = moment if self._last_moment is None else max(self._last_moment, moment)

    def finish(self) -> Block | None:
        """Return the block that is not complete; None if it has no records."""
        if not self._pieces:
            return None
        info = BlockInfo(
            self._events,
            self._last,
            self._first_moment,
            None if self._is_needed else self._last_moment,
            tuple(self._tasks),
            self._size,
        )
        data = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(b"".join(self._pieces))
        self._reset()
        return Block(info, data)


def is_kept(record: object) -> TypeGuard[BlockRecord]:
    """Return whether a block may have a record."""
    return isinstance(record, _RECORDS)


def read_block(data: bytes, max_record: int = DEFAULT_LIMITS.max_record_bytes) -> Iterator[BlockRecord]:
    """Yield the records of a block.

    Args:
        data: the records, compressed. They are not trusted.
        max_record: maximum number of bytes of one record.

    Raises:
        ValueError: when iterating: it is not a block, or is damaged.
    """
    content = _decompress(data, BLOCK_BYTES + codec.RECORD.size + max_record)
    limits = codec.size_limits(max_record)
    position = 0
    try:
        while position < len(content):
            start = position + codec.RECORD.size
            if start > len(content):
                raise ValueError("the block ends in a record")
            kind, flags, size = codec.RECORD.unpack_from(content, position)
            position = start + size
            if kind not in _KINDS or size > limits[kind] or position > len(content):
                raise ValueError(f"the block has a record of kind {kind} and {size} bytes, which does not belong there")
            record = codec.decode(kind, flags, content[start:position])
            if isinstance(record, _RECORDS):
                yield record
    except RemoteProtocolError as error:
        raise ValueError(str(error)) from None


def _decompress(data: bytes, limit: int) -> bytes:
    try:
        size = zstandard.get_frame_parameters(data).content_size
        if size > limit:
            raise ValueError(f"the block announces {size} bytes: at most {limit} are accepted")
        return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"the block cannot be decompressed: {error}") from None


def _parse(record: Event) -> Mapping[str, Any]:
    """Return the content of an event; empty if it is not valid."""
    try:
        event = json.loads(record.json)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
