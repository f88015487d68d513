"""A queue of records, or of their encoded content, from a producing to a consuming thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, Literal, TypeVar

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io.cancellation import LOOK_SECONDS
from playstream.pipeline.protocol import Event, FileData

_HIGH_WATER = 8 << 20
"""Bytes of waiting records above which the mailbox is full."""
_RECORD_COST = 500
"""Bytes that count for a record in addition to its payload; measured for an Event on CPython 3.11."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class ToShow:
    """Something to show on the user's terminal when everything before it was shown."""

    write: Callable[[], None]
    size: int = 0
    """Number of characters that it holds."""


class NoRecord(Enum):
    """What `take` returns instead of a record."""

    EMPTY = "empty"
    CLOSED = "closed"


EMPTY: Final = NoRecord.EMPTY
CLOSED: Final = NoRecord.CLOSED


class Mailbox(Generic[_Item]):
    """A queue of records between two threads; the producer waits only if it chooses to.

    Args:
        wake: called when there is room again, or the consumer has failed.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self._records: deque[_Item] = deque()
        self._size = 0
        self._closed = False
        self._changed = threading.Condition()
        self.error: PlaystreamError | None = None
        """Why the consumer has given up; records added after that are dropped."""

    @property
    def full(self) -> bool:
        """True while too many records are waiting, so that no more should be produced."""
        return self._size > _HIGH_WATER

    @property
    def empty(self) -> bool:
        """True while nothing is waiting."""
        return not self._records

    def put(self, *records: _Item) -> None:
        """Add records and wake the consumer once; never wait."""
        with self._changed:
            if self.error is None:
                self._records.extend(records)
                self._size += sum(map(_cost, records))
                self._changed.notify_all()

    def put_when_room(self, record: _Item, look: Callable[[], None] = lambda: None) -> None:
        """Add a record, waiting while the mailbox is full.

        Args:
            record: what to add.
            look: called every LOOK_SECONDS while waiting; it may call `fail`.

        Raises:
            PlaystreamError: the error of the consumer.
        """
        while self.full and self.error is None:
            with self._changed:
                if self.full and self.error is None:
                    self._changed.wait(LOOK_SECONDS)
            look()
        if self.error is not None:
            raise self.error
        self.put(record)

    def close(self) -> None:
        """Mark the end of the records."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def fail(self, error: PlaystreamError) -> None:
        """Record that the consumer has given up, and drop all records."""
        with self._changed:
            self.error = error
            self._records.clear()
            self._size = 0
            self._changed.notify_all()
        self._wake()

    def take(self, seconds: float | None = None) -> _Item | Literal[NoRecord.EMPTY, NoRecord.CLOSED]:
        """Return the next record; EMPTY if none arrives within `seconds`; CLOSED at the end."""
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while not self._records:
                if self._closed:
                    return CLOSED
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return EMPTY
                self._changed.wait(left)
            was_full = self.full
            record = self._records.popleft()
            self._size -= _cost(record)
            if not was_full or self.full:
                return record
            self._changed.notify_all()
        self._wake()
        return record


def _cost(record: object) -> int:
    if isinstance(record, bytes):
        return len(record)
    if isinstance(record, Event):
        return _RECORD_COST + len(record.json)
    if isinstance(record, FileData):
        return _RECORD_COST + len(record.data)
    if isinstance(record, ToShow):
        return _RECORD_COST + record.size
    return _RECORD_COST
