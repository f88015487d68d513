"""A recording: the JSON lines that the callback plugin wrote without a worker, processed like a worker's stream.

It contains only events, so its last event, the statistics, determines how the run ended.
"""

from __future__ import annotations

import json
from collections import deque
from datetime import UTC, datetime
from typing import Literal

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.limits import DEFAULT_LIMITS, exceeded
from playstream.pipeline.protocol import NEED_DATA, Event, Record, Status, StatusName
from playstream.pipeline.protocol.record_reader import NeedData
from playstream.process.event_data import STATS

_CODES = {"failures": 2, "dark": 4}
"""Ansible's return codes (ansible/executor/task_queue_manager.py), which are combined bitwise."""


class RecordingReceiver:
    """Converts the bytes of one recording to records, as `protocol.Receiver` does for a stream.

    Args:
        max_record: maximum size of one event, in bytes.
    """

    def __init__(self, *, max_record: int = DEFAULT_LIMITS.max_record_bytes) -> None:
        self._max_record = max_record
        self._lines: deque[bytes] = deque()
        self._rest = bytearray()
        self._next_line = 0
        self.offset = 0
        """Where the last line begins, in bytes from the start of the recording; after an error, the faulty one."""
        self._counter = 0
        self._rc: int | None = None
        """The return code according to the statistics; None before the first."""
        self._end: Status | None = None
        self.closed = False
        self.has_heartbeats = False
        """False: a file has none."""
        self.keeps_status = False

    def release_status(self) -> None:
        """Do nothing: the status is only made at the end."""

    def close(self) -> None:
        """Drop incomplete data."""
        self._lines.clear()
        self._rest.clear()

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received.

        Raises:
            LimitExceeded: a line is too long.
        """
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._lines.append(bytes(self._rest + line))
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > self._max_record:
            raise exceeded(
                f"event {self._counter + 1} of the recording has too many bytes",
                self._max_record,
                "max_record_bytes",
            )

    def next_record(self) -> Record | Literal[NeedData.NEED_DATA]:
        """Return the next event, the last status, or NEED_DATA.

        Raises:
            RemoteProtocolError: events are missing, belong to another run, or have invalid statistics.
        """
        while self._lines:
            line = self._lines.popleft()
            self.offset, self._next_line = self._next_line, self._next_line + len(line) + 1
            if line:
                return self._take(line)
        if self._end is not None:
            end, self._end = self._end, None
            self.closed = True
            return end
        return NEED_DATA

    def _take(self, line: bytes) -> Event:
        try:
            event = json.loads(line)
            counter = event["counter"]
            name = event["event"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise RemoteProtocolError(
                f"line {self._counter + 1} of the recording is not an event: {line[:128]!r}. Two programs probably "
                "wrote into the file, or it was truncated"
            ) from None
        if type(counter) is not int:
            raise RemoteProtocolError(
                f"event {self._counter + 1} of the recording: expected an integer as its counter, got "
                f"{type(counter).__name__}"
            )
        if counter == 1 and self._counter:
            raise RemoteProtocolError(
                f"the recording contains more than one run: event {self._counter} is followed by event 1 of another "
                "run. The first run is kept. Use a separate file for each run with PLAYSTREAM_EVENTS"
            )
        if counter != self._counter + 1:
            raise RemoteProtocolError(
                f"events of the recording are missing: event {self._counter} is followed by event {str(counter)[:32]}"
            )
        self._counter = counter
        if name == STATS:
            # Each playbook of a command has its own statistics; a failure in one remains a failure after the next.
            self._rc = (self._rc or 0) | _read_rc(event.get("event_data"), counter)
        return Event(counter, line)

    def receive_eof(self) -> None:
        """Mark the end of the input.

        Raises:
            IncompleteStream: the run's last event is missing.
        """
        if self._end is not None or self.closed:
            return
        if self._rc is None or self._rest:
            raise IncompleteStream(
                f"the recording ends after {self._counter} events, before the statistics that end a run. Ansible was "
                "probably killed, or the disk was full; everything before is kept"
            )
        status = StatusName.FAILED if self._rc else StatusName.SUCCESSFUL
        self._end = Status(status, datetime.now(UTC).isoformat(), rc=self._rc)


def _read_rc(data: object, counter: int) -> int:
    """Return Ansible's return code according to statistics, in which rescued failures do not count.

    Raises:
        RemoteProtocolError: they are not valid statistics.
    """
    if not isinstance(data, dict) or not data:
        raise RemoteProtocolError(
            f"event {counter} of the recording should contain the run's statistics: expected counts by host, got none"
        )
    rc = 0
    for name, code in _CODES.items():
        table = data.get(name, {})
        if not isinstance(table, dict) or not all(type(count) is int for count in table.values()):
            raise RemoteProtocolError(
                f"event {counter} of the recording should contain the run's statistics: expected counts by host as "
                f"{name!r}, got {'something else' if isinstance(table, dict) else type(table).__name__}"
            )
        rc |= code if any(table.values()) else 0
    return rc
