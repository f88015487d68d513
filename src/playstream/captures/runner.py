"""Streams in ansible-runner's protocol as pieces: every line, and the entries of archives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from playstream.captures.pieces import ArchiveStart, Arguments, Format, LastLine, Piece
from playstream.pipeline.errors import IncompleteStream
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol import NEED_DATA, Heartbeat, Job, Noise, Record, Status
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect.lines import ArchiveData, Line, LineReader
from playstream.pipeline.runner_dialect.receiver import RunnerRecords


class RunnerWalker:
    """Converts the bytes of one direction to pieces. Which direction it is, its first line says.

    Args:
        limits: limits of the stream.
    """

    format: ClassVar = Format.RUNNER
    end_differs: ClassVar = False

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lines = LineReader(show=False, max_line=limits.max_record_bytes, max_archive=limits.max_tree_bytes)
        self._records: RunnerRecords | None = None
        self._line = (0, 0)
        """Place and size of the last line."""
        self._waiting = (0, 0)
        """Those of the status that waits for the artifacts."""
        self._in_archive = False
        self._last: Piece | None = None
        """What ends the stream, after the records that waited for it."""
        self._at_end = False
        self.direction: Direction | None = None

    @property
    def closed(self) -> bool:
        """True after the line that ends the stream."""
        return self._records is not None and self._records.closed and self._last is None

    @property
    def unread(self) -> int:
        """Received bytes behind that line."""
        return self._lines.unread

    @property
    def offset(self) -> int:
        """Where the last line begins."""
        return self._lines.offset

    @property
    def content_size(self) -> int:
        """Bytes so far; nothing outside of archives is compressed."""
        return self._lines.received

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they were read; empty at the end of the file."""
        self._at_end = not data
        self._lines.receive_data(data)

    def next_piece(self) -> Piece | None:
        """Return the next piece; None if it is not complete, or after the last.

        Raises:
            PlaystreamError: the bytes are not valid, or, at the end of the file, not complete.
        """
        while True:
            if self._records is not None and (piece := self._next_record(self._records)) is not None:
                return piece
            if self._last is not None:
                last, self._last = self._last, None
                return last
            if self.closed:
                return None
            part = self._lines.next()
            if part is None:
                return self._end() if self._at_end else None
            if isinstance(part, Noise):
                return Piece(part, part.offset, 0, part.size)
            if (piece := self._take(part)) is not None:
                return piece

    def close(self) -> None:
        """Drop what has been begun, such as an archive."""
        if self._records is not None:
            self._records.close()

    def _take(self, part: Line | ArchiveData) -> Piece | None:
        """Pass a part on; return the piece that is not a record."""
        records = self._records or self._choose(part)
        if isinstance(part, ArchiveData):
            records.receive_piece(part)
            return None
        kept = records.keeps_status
        self._line = self._lines.offset, len(part.data)
        self._in_archive = False
        records.receive_piece(part)
        if records.keeps_status and not kept:
            self._waiting = self._line
        if "eof" in part.values:
            self._last = Piece(LastLine(), self._line[0], 0, self._line[1])
        elif "zipfile" in part.values:
            self._in_archive = True
            return Piece(ArchiveStart(part.values["zipfile"]), self._line[0], 0, self._line[1])
        elif self.direction is Direction.JOB:
            return Piece(Arguments(tuple(_names(part.values))), self._line[0], 0, self._line[1])
        return None

    def _choose(self, part: Line | ArchiveData) -> RunnerRecords:
        is_job = isinstance(part, Line) and "kwargs" in part.values
        self.direction = Direction.JOB if is_job else Direction.RESULT
        self._records = RunnerRecords(self.direction, lambda _: Job(""), self._limits.max_tree_entries)
        return self._records

    def _next_record(self, records: RunnerRecords) -> Piece | None:
        while (record := records.next_record()) is not NEED_DATA:
            if isinstance(record, Job) or (self._in_archive and isinstance(record, Heartbeat)):
                continue  # neither stands in the stream
            return self._piece(record)
        return None

    def _piece(self, record: Record) -> Piece:
        if isinstance(record, Status) and record.status.terminal:
            return Piece(record, self._waiting[0], 0, self._waiting[1])
        return Piece(record, self._line[0], 0, None if self._in_archive else self._line[1])

    def _end(self) -> Piece | None:
        """Return the status that waited for artifacts.

        Raises:
            IncompleteStream: the line that ends the stream is missing, and no status waits.
        """
        if self._records is not None:
            self._records.close()
            if self._records.release_status():
                return self._next_record(self._records)
        received = self._lines.received
        where = "in an archive" if self._lines.in_archive else "in a line" if self._lines.in_line else "behind a line"
        raise IncompleteStream(
            f"the stream ends at byte {received}, {where}: expected more, up to the line that ends it. The sender was "
            "probably killed, or the disk was full; everything before is intact"
        )


def _names(values: dict[str, Any]) -> Iterator[str]:
    """Yield the names of a job's arguments, and of the keys of those that are mappings."""
    arguments = values.get("kwargs")
    for name, value in sorted(arguments.items()) if isinstance(arguments, dict) else ():
        if isinstance(value, dict) and value:
            yield from (f"{name}.{key}" for key in sorted(value))
        else:
            yield name
