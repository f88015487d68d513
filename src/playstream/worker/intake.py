"""The incoming direction of a worker: the job, its tree, and what comes while it runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from playstream.pipeline.errors import LinkError, PlaystreamError, WorkerError
from playstream.pipeline.links.stdio import READ_SIZE
from playstream.pipeline.protocol import (
    NEED_DATA,
    Cancel,
    Failure,
    FileData,
    FileEntry,
    Job,
    Log,
    LogLevel,
    Noise,
    Receiver,
    Record,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from playstream.worker.unpacking import Parts, Unpacking


class Intake:
    """Reads the job stream from a descriptor, a piece at a time.

    Args:
        fd: the link.
        target: the directory to unpack the tree into.
        emit: takes Log records for the other side.
        replace: entries take the place of files that are there.
    """

    def __init__(self, fd: int, target: Path, emit: Callable[[Record], None], *, replace: bool) -> None:
        self._fd = fd
        self._emit = emit
        self._receiver = Receiver(Direction.JOB)
        self._unpacking = Unpacking(target, replace=replace)
        self._parts: Parts = []
        self.job: Job | None = None
        self.ready = False
        """True when the job and its tree are there."""
        self.open = True
        """False when nothing more can come."""
        self.cancel_reason: str | None = None

    def fileno(self) -> int:
        """The link, to wait for input."""
        return self._fd

    def read(self) -> None:
        """Take what is there; waits when nothing is.

        Raises:
            PlaystreamError: the stream is bad, ended early, or its sender failed.
        """
        try:
            data = os.read(self._fd, READ_SIZE)
        except OSError as error:
            self.open = False
            raise LinkError(f"the stream cannot be read: {error.strerror}") from None
        if not data:
            self.open = False
            self._receiver.receive_eof()
            return
        try:
            self._receiver.receive_data(data)
            while (record := self._receiver.next_record()) is not NEED_DATA:
                self._take(record)
            self._unpack()
        except PlaystreamError:
            self.open = False
            raise
        if self._receiver.closed:
            self.open = False

    def _take(self, record: Record | Noise) -> None:
        if isinstance(record, (FileEntry, FileData)):
            self._parts.append(record)
        elif isinstance(record, TreeEnd):
            self._parts.append(record)
            self._unpack()
            self.ready = True
        elif isinstance(record, Job):
            self.job = record
            self.ready = not record.tree
        elif isinstance(record, Cancel):
            self.cancel_reason = record.reason
        elif isinstance(record, Failure):
            raise WorkerError(f"transmit failed, so there is no job to run: {record.message}")
        elif isinstance(record, Log):
            self._emit(record)
        elif isinstance(record, Noise):
            shown = f": {record.data!r}" if record.data else ""
            self._emit(Log(LogLevel.WARNING, f"the worker skipped {record.size} bytes that are not part of the "
                                             f"stream{shown}"))

    def _unpack(self) -> None:
        if self._parts:
            parts, self._parts = self._parts, []
            self._unpacking.put(parts)

    def close(self) -> None:
        """Close what the tree left open."""
        self._unpacking.close()
