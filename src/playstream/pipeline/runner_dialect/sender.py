"""The outgoing end of one direction of a runner stream: records to bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from playstream.pipeline.io.json_text import dump_json
from playstream.pipeline.protocol import (
    End,
    Event,
    Failure,
    FileData,
    FileEntry,
    Heartbeat,
    Job,
    Record,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction, Order
from playstream.pipeline.runner_dialect.archive_writer import ArchiveWriter
from playstream.pipeline.runner_dialect.kwargs import added_files, write_kwargs

_PIECE = 3 << 17
"""Bytes of an archive that are sent at once; a multiple of 3, so that base64 has no padding in between."""
_END = {"eof": True}


class RunnerSender:
    """One direction, outgoing. The dialect cannot represent Log records, which are dropped.

    Args:
        direction: the direction of the stream.
    """

    def __init__(self, direction: Direction) -> None:
        self._order = Order(direction, receiving=False)
        self._direction = direction
        self.ident: str | None = None
        """The run's name, which is part of each status; None while it is unknown."""
        self._archive: ArchiveWriter | None = None
        self._files: dict[str, bytes] = {}
        """Files of the archive in addition to the tree."""
        self._error: str | None = None
        """The explanation of the last status if it was `error`."""
        self._cut = False

    def send(self, record: Record) -> Iterator[bytes]:
        """Yield the pieces to write for `record`; none while an archive is incomplete.

        Raises:
            ConfigurationError: the dialect cannot represent the job, or the name of a file.
            JobError: there is no room for the archive.
            LocalProtocolError: the record must not be sent here.
        """
        self._order.follow(record)
        if isinstance(record, (FileEntry, FileData, TreeEnd)):
            yield from self._send_tree(record)
        elif isinstance(record, Event):
            yield record.json + b"\n"
        elif isinstance(record, Status):
            yield from self._send_status(record)
        elif isinstance(record, Heartbeat):
            yield _line({"event": "keepalive", "counter": 0, "uuid": 0})
        elif isinstance(record, Failure):
            yield from self._send_failure(record)
        elif isinstance(record, Job):
            self._files = {path: text.encode() for path, text in added_files(record).items()}
            yield _line({"kwargs": write_kwargs(record)})

    def end(self) -> Iterator[bytes]:
        """Yield the line that ends the stream, but not for a job that could not be packed, so that it is never run.

        Raises:
            LocalProtocolError: the stream must not end here.
        """
        self._order.follow(End(0, self._order.events, b""))
        self.close()
        if not self._cut:
            yield _line(_END)

    def close(self) -> None:
        """Drop an incomplete archive."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def _send_tree(self, record: FileEntry | FileData | TreeEnd) -> Iterator[bytes]:
        if self._archive is None:
            self._archive = ArchiveWriter(artifacts=self._direction is Direction.RESULT)
            for path, data in self._files.items():
                self._archive.add_file(path, data)
        self._archive.receive(record)
        if isinstance(record, TreeEnd):
            yield _line({"zipfile": self._archive.size})
            for data in self._archive.data(_PIECE):
                yield base64.b64encode(data)
            self.close()

    def _send_status(self, status: Status) -> Iterator[bytes]:
        values: dict[str, Any] = {"status": status.status.value}
        if self.ident is not None:
            values["runner_ident"] = self.ident
        if status.command is not None:
            shown = {"command": list(status.command), "env": dict(status.env or {}), "cwd": status.cwd}
            values |= shown
            self._files["command"] = dump_json(shown).encode()
        if status.explanation is not None:
            values["job_explanation"] = status.explanation
        if status.traceback is not None:
            values["result_traceback"] = status.traceback
        self._error = (status.explanation or "") if status.status is StatusName.ERROR else None
        yield _line(values)

    def _send_failure(self, failure: Failure) -> Iterator[bytes]:
        if self._direction is Direction.JOB:
            self._cut = True
        elif self._error is None:
            yield _line({"status": StatusName.ERROR.value, "job_explanation": failure.message})


def _line(values: dict[str, Any]) -> bytes:
    return dump_json(values).encode() + b"\n"
