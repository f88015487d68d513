"""The outbox: between the supervisor, which must never wait for the link, and the link, which may be slow.

A thread encodes and writes. It flushes when nothing more is waiting, so single events go out at once and a burst goes
out in few frames; when nothing was sent for a while it sends a heartbeat.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.protocol import Event, FileData, Heartbeat, Record, Sender

_HIGH_WATER = 8 << 20
"""Bytes of waiting records above which `full` is True and Ansible is no longer read."""
_RECORD_COST = 500
"""Bytes that a record is counted with besides its payload; measured for an Event on CPython 3.11."""


class Outbox:
    """Takes records from one thread and writes them with another.

    Args:
        sender: the outgoing direction.
        write: writes bytes to the link; raises LinkError.
        keepalive_seconds: silence after which a Heartbeat is sent; 0 for never.
        wake: descriptor of a pipe that gets a byte when there is room again, or when writing failed.
    """

    def __init__(
        self, sender: Sender, write: Callable[[bytes], None], *, keepalive_seconds: float, wake: int
    ) -> None:
        self._sender = sender
        self._write = write
        self._keepalive = keepalive_seconds or None
        self._wake = wake
        self._records: deque[Record] = deque()
        self._size = 0
        self._closing = False
        self._changed = threading.Condition()
        self.error: PlaystreamError | None = None
        """Why the link failed; what is put afterwards is dropped."""
        self._thread = threading.Thread(target=self._run, name="playstream-outbox", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """True while so much is waiting that no more should be produced."""
        return self._size > _HIGH_WATER

    def put(self, record: Record) -> None:
        """Send `record` when its turn comes; never waits."""
        with self._changed:
            if self.error is None:
                self._records.append(record)
                self._size += _cost(record)
                self._changed.notify_all()

    def put_when_room(self, record: Record) -> None:
        """Send `record` when its turn comes; waits while the outbox is full.

        Raises:
            LinkError: the link failed.
        """
        with self._changed:
            while self.full and self.error is None:
                self._changed.wait()
        if self.error is not None:
            raise self.error
        self.put(record)

    def close(self, timeout: float | None = None) -> None:
        """Write what is waiting and the End record; wait until that is done, or `timeout` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while True:
                record = self._take()
                if record is None:
                    break
                self._write(self._sender.send(record, flush=not self._records))
            self._write(self._sender.end())
        except PlaystreamError as error:
            with self._changed:
                self.error = error
                self._records.clear()
                self._size = 0
                self._changed.notify_all()
            self._notify()

    def _take(self) -> Record | None:
        """The next record, a Heartbeat when none came for long, None at the end."""
        with self._changed:
            deadline = None if self._keepalive is None else time.monotonic() + self._keepalive
            while not self._records:
                if self._closing:
                    return None
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return Heartbeat()
                self._changed.wait(left)
            was_full = self.full
            record = self._records.popleft()
            self._size -= _cost(record)
            if was_full and not self.full:
                self._changed.notify_all()
                self._notify()
            return record

    def _notify(self) -> None:
        try:
            os.write(self._wake, b"o")
        except BlockingIOError:
            pass  # the pipe is full of reasons to wake up already


def _cost(record: Record) -> int:
    if isinstance(record, Event):
        return _RECORD_COST + len(record.json)
    if isinstance(record, FileData):
        return _RECORD_COST + len(record.data)
    return _RECORD_COST
