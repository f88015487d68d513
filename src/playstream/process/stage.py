"""The process stage: records to artifacts, output and a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import CANCELED_EXIT_STATUS, PlaystreamError, WorkerError, error_classes
from playstream.pipeline.protocol import (
    Event,
    Failure,
    FileData,
    FileEntry,
    Log,
    LogLevel,
    Noise,
    Record,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.process.artifacts import ArtifactDir
from playstream.process.events import displayed_text, parse_event


@dataclass(frozen=True, slots=True)
class Result:
    """How the run ended, as far as this side knows."""

    status: StatusName
    rc: int | None
    explanation: str | None
    artifact_dir: Path
    exit_status: int
    """What a command that shows this result ends with."""


class Processor:
    """Takes the records of one run.

    Args:
        artifact_dir: where the artifacts go.
        show: takes each piece of Ansible's output, a text without its last line end.
        log: takes each line for people.

    Raises:
        JobError: the artifacts cannot be written.
    """

    def __init__(
        self, artifact_dir: Path, *, show: Callable[[str], None], log: Callable[[LogLevel, str], None]
    ) -> None:
        self._artifacts = ArtifactDir(artifact_dir)
        self._show = show
        self._log = log
        self.status = StatusName.UNSTARTED
        self.rc: int | None = None
        self.explanation: str | None = None
        self._failure: Failure | None = None

    def receive(self, record: Record | Noise) -> None:
        """Take one record.

        Raises:
            RemoteProtocolError: an event is none.
            UnsafePath: an artifact would leave its directory.
            JobError: the artifacts cannot be written.
        """
        if type(record) is Event:
            self._take_event(record)
        elif isinstance(record, (FileEntry, FileData, TreeEnd)):
            self._artifacts.receive(record)
        elif isinstance(record, Status):
            self._take_status(record)
        elif isinstance(record, Failure):
            self._failure = record
            self.status = StatusName.ERROR
            self.explanation = record.message
        elif isinstance(record, Log):
            self._log(record.level, record.message)
        elif isinstance(record, Noise):
            self._log(LogLevel.WARNING, f"skipped {record.size} bytes that are not part of the stream: {record.data!r}")

    def _take_event(self, record: Event) -> None:
        event = parse_event(record)
        self._artifacts.write_event(record.counter, event["uuid"], record.json)
        text = displayed_text(event)
        if text is not None:
            self._artifacts.append_stdout(text.encode("utf-8", "replace") + b"\r\n")
            self._show(text)

    def _take_status(self, record: Status) -> None:
        self.status = record.status
        self.explanation = record.explanation
        if record.command is not None:
            self._artifacts.write_command(record.command, record.cwd or "", record.env or {})
        if record.status.terminal:
            self.rc = record.rc

    def flush(self) -> None:
        """Write out what is buffered; called when nothing more is there to receive.

        Raises:
            JobError: the artifacts cannot be written.
        """
        self._artifacts.flush()

    def finish(self, error: PlaystreamError | None = None, *, interrupted: str | None = None) -> Result:
        """Write how the run ended.

        Args:
            error: why the stream could not be read to its end.
            interrupted: why this side stopped reading.

        Raises:
            JobError: the artifacts cannot be written.
        """
        if error is not None and interrupted is None:
            self.status = StatusName.ERROR
            self.explanation = str(error)
        elif interrupted is not None and not self.status.terminal:
            self.status = StatusName.CANCELED
            self.explanation = interrupted
        try:
            self._artifacts.write_outcome(self.status.value, self.rc)
        finally:
            self._artifacts.close()
        return Result(self.status, self.rc, self.explanation, self._artifacts.path, self._exit_status(error))

    def _exit_status(self, error: PlaystreamError | None) -> int:
        if self.status in {StatusName.CANCELED, StatusName.TIMEOUT}:
            return CANCELED_EXIT_STATUS
        if error is not None:
            return error.exit_status
        if self._failure is not None:
            return _status_of(self._failure.error)
        return WorkerError.exit_status if self.rc is None else self.rc


def _status_of(name: str) -> int:
    """The exit status of the worker's error, when this side knows its class."""
    for cls in error_classes():
        if cls.__name__ == name:
            return cls.exit_status
    return WorkerError.exit_status
