"""The incoming end of one direction of a runner stream: bytes to records, as `protocol.Receiver` for the native one.

Differences between the dialects are hidden. For example, ansible-runner stores the return code in a file of the
artifacts, but it is part of the terminal status, which therefore waits for the artifacts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from playstream.pipeline.errors import IncompleteStream, PlaystreamError, RemoteProtocolError, WorkerError
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.pipeline.protocol import NEED_DATA, Event, Failure, Heartbeat, Job, Noise, Record, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.protocol.record_reader import NeedData
from playstream.pipeline.runner_dialect.archive_reader import Archive
from playstream.pipeline.runner_dialect.lines import ArchiveData, Line, LineReader

_KEEPALIVE = "keepalive"
_RC = b"rc"
"""The file with the return code."""
_RC_SIZE = 32
"""Maximum length of its content."""
_NO_RC = frozenset({b"", b"None"})
"""Its content if no return code is known: ansible-runner writes `None` when a signal ended Ansible."""
_NOT_RESULTS = frozenset({b"job_events", b"ssh_key_data", b"env.list", b"callback"})
"""Entries of ansible-runner's artifact directory that are not results: the events, which were sent before, the FIFO of
a key, the environment of a container and a plugin."""
MakeJob = Callable[[dict[str, Any]], Job]
"""Converts keyword arguments to a job after the tree was unpacked; raises ConfigurationError."""


class RunnerReceiver:
    """One direction, incoming. Any bytes yield records, Noise or a PlaystreamError.

    As in `protocol.Receiver`, the two layers may be used in two threads.

    Args:
        direction: the direction of the stream.
        make_job: required for the JOB direction.
        max_record: maximum size of one line, in bytes.
        max_archive: maximum size of an archive as it is sent, in bytes.
        max_entries: maximum number of entries of an archive.
    """

    def __init__(
        self,
        direction: Direction,
        make_job: MakeJob | None = None,
        *,
        max_record: int = DEFAULT_LIMITS.max_record_bytes,
        max_archive: int = DEFAULT_LIMITS.max_tree_bytes,
        max_entries: int = DEFAULT_LIMITS.max_tree_entries,
    ) -> None:
        self.lines = LineReader(show=direction is Direction.RESULT, max_line=max_record, max_archive=max_archive)
        self.records = RunnerRecords(direction, make_job, max_entries)
        self._failed: PlaystreamError | None = None

    @property
    def closed(self) -> bool:
        """True after the line that ends the stream."""
        return self.records.closed

    @property
    def has_heartbeats(self) -> bool:
        """True after the first keepalive: ansible-runner's worker sends none unless it is configured to."""
        return self.records.has_heartbeats

    @property
    def keeps_status(self) -> bool:
        """True while a terminal status waits for the artifacts."""
        return self.records.keeps_status

    def release_status(self) -> None:
        """Make a status that waits for the artifacts the next record, because nothing more will be read."""
        self.records.release_status()

    def close(self) -> None:
        """Drop an archive that has been begun."""
        self.records.close()

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were received. Data after the end or an error is dropped."""
        if not self.closed and self._failed is None:
            self.lines.receive_data(data)

    def next_record(self) -> Record | Noise | Literal[NeedData.NEED_DATA]:
        """Return the next record, noise that was skipped, or NEED_DATA.

        Raises:
            PlaystreamError: the bytes are not a valid stream, or end too early; every later call raises the same.
        """
        try:
            while (record := self.records.next_record()) is NEED_DATA:
                if self._failed is not None:
                    raise self._failed
                piece = None if self.closed else self.lines.next()
                if piece is None:
                    return NEED_DATA
                if isinstance(piece, Noise):
                    return piece
                self.records.receive_piece(piece)
        except PlaystreamError as error:
            self._failed = error
            self.lines.clear()
            self.records.close()
            raise
        return record

    def receive_eof(self) -> None:
        """Mark the end of the input.

        Raises:
            IncompleteStream: the line that ends the stream is missing. If a status was waiting, it becomes the next
                record, and the call of `next_record` after it raises this error.
        """
        if self._failed is None and not self.closed:
            self._failed = IncompleteStream(self._explain_eof())
            self.records.close()
            if not self.records.release_status():
                raise self._failed

    def _explain_eof(self) -> str:
        where = "in an archive" if self.lines.in_archive else "in a line" if self.lines.in_line else "between two lines"
        return (
            f"the stream (ansible-runner's protocol) ended after {self.lines.received} bytes and {self.lines.lines} "
            f"lines, {where}, before the line that marks its end. The sender was probably killed, or the connection "
            "was lost; everything received before is kept"
        )


class RunnerRecords:
    """The inner layer: lines and the bytes of archives to records."""

    def __init__(self, direction: Direction, make_job: MakeJob | None, max_entries: int) -> None:
        self._direction = direction
        self._make_job = make_job
        self._max_entries = max_entries
        self._kwargs: dict[str, Any] | None = None
        self._archive: Archive | None = None
        self._archives = 0
        self._pending: Iterator[Record] = iter(())
        self._last_status: Status | None = None
        """A terminal status that waits for the artifacts."""
        self._ended_as: StatusName | None = None
        """The terminal status that was received."""
        self._last_counter = 0
        self.closed = False
        self.has_heartbeats = False

    @property
    def keeps_status(self) -> bool:
        """True while a terminal status waits for the artifacts."""
        return self._last_status is not None

    def release_status(self) -> bool:
        """Make a status that waits for the artifacts the next record. Return False if there is none."""
        if self._last_status is None:
            return False
        self._pending = iter((self._last_status,))
        self._last_status = None
        return True

    def close(self) -> None:
        """Drop an archive that has been begun."""
        self._pending = iter(())
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def next_record(self) -> Record | Literal[NeedData.NEED_DATA]:
        """Return the next record, or NEED_DATA.

        Raises:
            PlaystreamError: an archive is not valid.
        """
        return next(self._pending, NEED_DATA)

    def receive_piece(self, piece: Line | ArchiveData) -> None:
        """Take one piece, after NEED_DATA.

        Raises:
            PlaystreamError: it is not allowed here, or requests a job that is not valid.
        """
        if isinstance(piece, ArchiveData):
            self._take_data(piece)
        elif "eof" in piece.values:
            self._end()
        elif "zipfile" in piece.values:
            self._begin_archive()
        elif self._direction is Direction.JOB:
            self._take_kwargs(piece.values)
        else:
            self._take_result(piece)

    def _begin_archive(self) -> None:
        self._archives += 1
        if self._archives > 1:
            raise RemoteProtocolError("received a second archive, but a stream has at most one. The sender is faulty")
        skip = _NOT_RESULTS if self._direction is Direction.RESULT else frozenset()
        self._archive = Archive(skip, _RC, max_entries=self._max_entries)

    def _take_kwargs(self, values: dict[str, Any]) -> None:
        kwargs = values.get("kwargs")
        if "status" in values or "event" in values:
            raise RemoteProtocolError(
                "expected a job, got results: this is the output of a worker; pipe it into `playstream process`"
            )
        if isinstance(kwargs, dict):
            self._kwargs = kwargs

    def _take_result(self, line: Line) -> None:
        values = line.values
        if "kwargs" in values:
            raise RemoteProtocolError(
                "expected results, got a job: this is the output of transmit; run `playstream worker` in between. "
                "If it does run, a terminal on the way sends the job back: call ssh, docker or podman without -t"
            )
        if "status" in values:
            self._take_status(values)
        elif values.get("event") == _KEEPALIVE:
            self.has_heartbeats = True
            self._pending = iter((Heartbeat(),))
        elif "event" in values or "counter" in values:
            self._take_event(_counter(values.get("counter")), line.data)
        else:
            self._pending = iter((Heartbeat(),))  # so that the consumer can check for cancellation

    def _take_event(self, counter: int, data: bytes) -> None:
        if counter <= self._last_counter:
            raise RemoteProtocolError(
                f"received event {counter} after event {self._last_counter}: the sender duplicated or reordered events"
            )
        self._last_counter = counter
        self._pending = iter((Event(counter, data),))

    def _take_status(self, values: dict[str, Any]) -> None:
        status = _status(values)
        if self._ended_as is not None:
            self._take_late_status(status, self._ended_as)
        elif status.status.terminal:
            self._ended_as, self._last_status = status.status, status
        else:
            self._pending = iter((status,))

    def _take_late_status(self, status: Status, ended_as: StatusName) -> None:
        """Handle a status after the end of the job, which may only report that the worker failed, like a Failure."""
        if status.status is not StatusName.ERROR or ended_as is StatusName.ERROR:
            raise RemoteProtocolError(
                f"received the status {status.status.value!r} after the final status {ended_as.value!r}. The sender is "
                "faulty, or two streams were mixed"
            )
        self._ended_as = StatusName.ERROR
        why = status.explanation or "the worker failed after the end of the job and gave no reason"
        self._pending = iter((Failure(WorkerError.__name__, why),))

    def _take_data(self, piece: ArchiveData) -> None:
        if self._archive is None:
            return
        self._archive.receive_data(piece.data)
        if piece.last:
            self._pending = self._unpack(self._archive)

    def _unpack(self, archive: Archive) -> Iterator[Record]:
        """Yield the content of the archive, after the status that waited for it."""
        yield from archive.read_table()
        if self._last_status is not None:
            status, self._last_status = self._last_status, None
            yield _with_rc(status, archive)
        yield from archive.records()
        archive.close()
        self._archive = None

    def _end(self) -> None:
        self.closed = True
        if self._direction is Direction.RESULT:
            self.release_status()
            return
        if self._kwargs is None or self._make_job is None:
            raise RemoteProtocolError(
                "the stream (ansible-runner's protocol) contains no job. The transmit stage probably failed; see its "
                "messages"
            )
        self._pending = iter((self._make_job(self._kwargs),))


def _counter(value: object) -> int:
    """Check the counter of an event, and return it.

    Raises:
        RemoteProtocolError: it is not valid.
    """
    if type(value) is int and 0 < value < 1 << 63:
        return value
    raise RemoteProtocolError(
        "received an event whose counter is not a positive 64-bit integer: "
        f"{value if type(value) in {bool, float} else type(value).__name__}"
    )


def _status(values: dict[str, Any]) -> Status:
    """Convert a status line to a record.

    Raises:
        RemoteProtocolError: its name is unknown, or a field has the wrong type.
    """
    try:
        name = StatusName(values["status"])
    except ValueError:
        shown = repr(values["status"][:64]) if isinstance(values["status"], str) else type(values["status"]).__name__
        raise RemoteProtocolError(f"received an unknown status: {shown}") from None
    command, env = values.get("command"), values.get("env")
    return Status(
        name,
        datetime.now(UTC).isoformat(),
        command=tuple(map(_word, command)) if isinstance(command, list) else None,
        env={key: _word(value) for key, value in env.items()} if isinstance(env, dict) else None,
        cwd=_text(values.get("cwd")),
        explanation=_text(values.get("job_explanation")),
        traceback=_text(values.get("result_traceback")),
    )


def _word(value: object) -> str:
    """Convert an argument of a command or the value of a variable to text.

    Raises:
        RemoteProtocolError: it is neither text nor a number.
    """
    if isinstance(value, (list, dict)):
        raise RemoteProtocolError(
            f"received a status with a {type(value).__name__} where an argument of the command or the value of a "
            "variable was expected"
        )
    return str(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _with_rc(status: Status, archive: Archive) -> Status:
    """Return the status with the return code from the artifacts.

    Raises:
        RemoteProtocolError: the return code is not a 64-bit integer, or the archive is damaged.
    """
    content = archive.small_content(_RC_SIZE)
    if content is None or content.strip() in _NO_RC:
        return status
    if re.fullmatch(rb"-?[0-9]+", content.strip()) and -(1 << 63) <= int(content) < 1 << 63:
        return replace(status, rc=int(content))
    raise RemoteProtocolError(
        f"the artifact rc contains {content!r}: expected a 64-bit integer, Ansible's return code, or None"
    )
