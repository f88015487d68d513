"""The incoming direction of a worker: the job, its tree, and what comes while it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playstream.pipeline.errors import PlaystreamError, WorkerError
from playstream.pipeline.links.read_ahead import EndOfFile, ReadAhead
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
from playstream.pipeline.tree.unpack import Unpacker


class Intake:
    """Takes the job stream from a descriptor, a piece at a time.

    Args:
        fd: the link.
        target: the directory to unpack the tree into.
        emit: takes Log records for the other side.
        replace: entries take the place of files that are there.
    """

    def __init__(self, fd: int, target: Path, emit: Callable[[Record], None], *, replace: bool) -> None:
        self._emit = emit
        self._receiver = Receiver(Direction.JOB)
        self._unpacker = Unpacker(target, trusted=True, replace=replace)
        self._reader = ReadAhead(fd, self._receiver.frames)
        self.job: Job | None = None
        self.ready = False
        """True when the job and its tree are there."""
        self.open = True
        """False when nothing more can come."""
        self.cancel_reason: str | None = None

    def fileno(self) -> int:
        """To wait for input."""
        return self._reader.fileno()

    def read(self) -> None:
        """Take what has come; waits when nothing has.

        Raises:
            PlaystreamError: the stream is bad, ended early, or its sender failed.
        """
        try:
            piece = self._reader.take()
            if isinstance(piece, EndOfFile):
                self.open = False
                self._receiver.receive_eof()
            elif isinstance(piece, Noise):
                self._report(piece)
            else:
                self._receiver.records.receive_frame(piece)
                while (record := self._receiver.records.next_record()) is not NEED_DATA:
                    self._take(record)
        except PlaystreamError:
            self.open = False
            raise
        if self._receiver.closed:
            self.open = False

    def _take(self, record: Record) -> None:
        if isinstance(record, (FileEntry, FileData)):
            self._unpacker.receive(record)
        elif isinstance(record, TreeEnd):
            self._unpacker.receive(record)
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

    def _report(self, noise: Noise) -> None:
        shown = f": {noise.data!r}" if noise.data else ""
        message = f"the worker skipped {noise.size} bytes that are not part of the stream{shown}"
        self._emit(Log(LogLevel.WARNING, message))

    def close(self) -> None:
        """Stop reading, and close what the tree left open."""
        self._reader.close()
        self._unpacker.close()
