"""The process stage: records to artifacts, output and a result."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import CANCELED_EXIT_STATUS, CallbackError, PlaystreamError, WorkerError, error_classes
from playstream.pipeline.io.json_text import dump_json
from playstream.pipeline.io.system import check_system
from playstream.pipeline.job.redaction import redact, redact_words
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
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
from playstream.pipeline.verdict import CANCELED_OR_TIMED_OUT, exit_status, explain, judge
from playstream.process.artifacts import ArtifactDir
from playstream.process.events import (
    MissingEvents,
    displayed_text,
    event_file_name,
    is_text_alone,
    parse_event,
)
from playstream.process.explanation import Explainer

_ENDED_BY_ITSELF = frozenset({StatusName.SUCCESSFUL, StatusName.FAILED})


@dataclass(frozen=True, slots=True)
class Result:
    """How the run ended, as far as this side knows."""

    status: StatusName
    rc: int | None
    explanation: str | None
    """A message, which exists whenever `exit_status` is neither 0 nor Ansible's own."""
    artifact_dir: Path
    spared: bool
    """True if the run never began, and `artifact_dir` has the artifacts of an earlier one."""
    exit_status: int
    """The exit status of a command that shows this result. 0 means that `status` is successful and `rc` is 0."""


class Detached(Exception):
    """This side reads no more of a run that goes on elsewhere. The message is the reason."""


class Output(Enum):
    """What to show, and to keep as the artifact `stdout`."""

    TEXT = "text"
    """Ansible's output."""
    JSON = "json"
    """The events, one per line."""
    MIXED = "mixed"
    """The events, one per line; text that belongs to no event of Ansible is shown unchanged."""


class Observer:
    """Receives events, statuses and output, in the thread that feeds the Processor. This one ignores them."""

    changes_events = False
    """True if `event` may change the event, which then has to be encoded again."""

    def show(self, text: str) -> None:
        """Show Ansible's output: lines without their last line end."""

    def log(self, level: LogLevel, message: str) -> None:
        """Handle a message for the user."""

    def event(self, event: dict[str, Any]) -> bool:  # noqa: ARG002 - the name is for overriding methods
        """Handle an event; return True to keep it."""
        return True

    def kept(self, name: str, event: dict[str, Any]) -> None:
        """Handle an event that was written to the file `name` in job_events."""

    def status(self, status: Status) -> None:
        """Handle a new status of the job."""

    def idle(self) -> None:
        """Flush, because all received records were processed."""


class ForwardingObserver(Observer):
    """Passes everything on to another observer. Subclasses override methods and call those of this class.

    Args:
        inner: the other observer.
    """

    def __init__(self, inner: Observer) -> None:
        self.changes_events = inner.changes_events
        self._inner = inner

    def show(self, text: str) -> None:
        self._inner.show(text)

    def log(self, level: LogLevel, message: str) -> None:
        self._inner.log(level, message)

    def event(self, event: dict[str, Any]) -> bool:
        return self._inner.event(event)

    def kept(self, name: str, event: dict[str, Any]) -> None:
        self._inner.kept(name, event)

    def status(self, status: Status) -> None:
        self._inner.status(status)

    def idle(self) -> None:
        self._inner.idle()


class Processor:
    """Takes the records of one run. Its first status or event replaces the artifacts of an earlier run.

    A worker that only reports that it has failed, by `error` as the first status or by a Failure, has not begun a run.

    Args:
        artifact_dir: the directory for the artifacts.
        observer: receives events, statuses and output. Its exceptions propagate from `receive` and `finish`.
        among_runs: see ArtifactDir.
        output: what to show and to keep.
        keep_stdout: False for no artifact `stdout`.
        follow_links: see ArtifactDir.
        write_behind: another process may write the events' files; all of them exist when `finish` returns.
        at_once: replace the artifacts of an earlier run now.
        link_latest: see ArtifactDir.
        limits: limits of the worker's tree.

    Raises:
        JobError: the artifacts cannot be written.
    """

    def __init__(
        self,
        artifact_dir: Path,
        observer: Observer,
        *,
        among_runs: bool = False,
        output: Output = Output.TEXT,
        keep_stdout: bool = True,
        follow_links: bool = False,
        write_behind: bool = False,
        at_once: bool = False,
        link_latest: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        check_system()
        self._artifacts = ArtifactDir(
            artifact_dir,
            among_runs=among_runs,
            keep_stdout=keep_stdout,
            own_stdout=not keep_stdout or output is Output.JSON,
            follow_links=follow_links,
            write_behind=write_behind,
            at_once=at_once,
            link_latest=link_latest,
            limits=limits,
        )
        self._observer = observer
        self._output = output
        self.status = StatusName.UNSTARTED
        self.rc: int | None = None
        self.explanation: str | None = None
        self._failure: Failure | None = None
        self._missing = MissingEvents()
        self._owner = os.getpid()
        self._explainer = Explainer()

    @property
    def has_ended(self) -> bool:
        """Whether a terminal status was received."""
        return self.status.terminal

    @property
    def missing_events(self) -> int:
        """Number of missing events, according to their numbers."""
        return self._missing.count

    def receive(self, record: Record | Noise) -> None:
        """Take one record.

        Raises:
            RemoteProtocolError: an event is not valid.
            UnsafePath: an artifact would leave its directory.
            JobError: the artifacts cannot be written.
        """
        if type(record) is Event:
            self._take_event(record)
        else:
            self._take_other(record)

    def _take_other(self, record: Record | Noise) -> None:
        if isinstance(record, (FileEntry, FileData, TreeEnd)):
            self._artifacts.receive(record)
        elif isinstance(record, Status):
            if record.status is not StatusName.ERROR or record.command is not None:
                self._artifacts.begin()
            self._take_status(record)
        elif isinstance(record, Failure):
            self._failure = record
        elif isinstance(record, Log):
            self._observer.log(record.level, record.message)
        elif isinstance(record, Noise):
            self._observer.log(
                LogLevel.WARNING, f"skipped {record.size} bytes that are not part of the stream: {record.data!r}"
            )

    def _take_event(self, record: Event) -> None:
        event, own_json = parse_event(record)
        self._artifacts.begin()
        self._missing.note(record.counter)
        self._explainer.event(event)
        text = displayed_text(event)
        output = self._output
        as_json = output is Output.JSON or (output is Output.MIXED and not is_text_alone(event))
        name = event_file_name(record.counter, event["uuid"])  # before a handler may change the event
        keep = True  # also when the observer raises
        try:
            keep = self._observer.event(event)
        finally:
            if os.getpid() != self._owner:
                keep = as_json = False  # a child that a handler has forked exits here: its parent keeps the event
                text = None
            if keep or as_json:
                content = self._changed(event) if self._observer.changes_events else own_json
                if keep:
                    self._artifacts.write_event(name, content)
                    self._observer.kept(name, event)
                if as_json:
                    text = self._json_line(content)
            if text is not None:
                self._artifacts.append_stdout(text)
                self._observer.show(text)

    @staticmethod
    def _changed(event: dict[str, Any]) -> bytes:
        """Return the event as JSON, after a handler may have changed it.

        Raises:
            CallbackError: it cannot be represented in JSON any more.
        """
        try:
            return dump_json(event, default=str).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise CallbackError(f"an event cannot be written after a handler or a plugin changed it: {error}") from None

    def _json_line(self, content: bytes) -> str:
        self._artifacts.keep_own_stdout()
        # JSON text has line ends only between values, where a worker may have put one.
        return content.decode().replace("\n", " ")

    def _take_status(self, record: Status) -> None:
        if record.env is not None:
            # playstream's worker has redacted it already; ansible-runner's sends the values.
            record = replace(record, env=redact(record.env))
        if record.tree is not None:
            from playstream.pipeline.tree.digests import read_tree_name  # noqa: PLC0415 - only from a cache

            record = record if read_tree_name(record.tree) is not None else replace(record, tree=None)
        if record.command is not None:
            words = redact_words(record.command)
            record = replace(record, command=words)
            self._artifacts.write_command(words, record.cwd or "", record.env or {}, record.tree)
            self._explainer.command(words)
        record = judge(record)
        if record.explanation is None and record.status in _ENDED_BY_ITSELF:
            successful = record.status is StatusName.SUCCESSFUL
            record = replace(record, explanation=self._explainer.explain(successful=successful, rc=record.rc))
        self.status = record.status
        # That of `starting` says how the job is run, and not how it ended.
        self.explanation = record.explanation if record.status.terminal else None
        self.rc = record.rc
        self._observer.status(record)

    def flush(self) -> None:
        """Flush buffered data; called when there is nothing more to receive at the moment.

        Raises:
            RemoteProtocolError: an event was received twice.
            JobError: the artifacts cannot be written.
        """
        self._artifacts.flush()
        self._observer.idle()

    def finish(self, error: PlaystreamError | None = None, *, interrupted: str | None = None) -> Result:
        """Write how the run ended.

        Args:
            error: why the stream could not be read to its end.
            interrupted: why this side stopped reading.

        Raises:
            JobError: the artifacts cannot be written.
        """
        try:
            error = self._finish_events(error)
            if self._missing.count:
                self._observer.log(LogLevel.WARNING, str(self._missing))
            try:
                self._settle(error, interrupted)
            finally:
                self._artifacts.write_outcome(self.status.value, self.rc)
        finally:
            self._artifacts.close()
            self._observer.idle()
        number = self._exit_status(error)
        is_ansibles = self.status is StatusName.FAILED and number == self.rc
        if number and not is_ansibles and not self.explanation:
            self.explanation = str(error) if error is not None else explain(self.status, self.rc)
        if self._artifacts.spared:
            self.explanation = (
                f"{self.explanation or 'the run never started'}. The artifacts of an earlier run in "
                f"{str(self._artifacts.path)!r} are unchanged"
            )
        return Result(self.status, self.rc, self.explanation, self._artifacts.path, self._artifacts.spared, number)

    def leave(self) -> None:
        """Keep what has arrived of a run that goes on elsewhere, and close the artifacts.

        Raises:
            JobError: the artifacts cannot be written.
        """
        try:
            if self.status is not StatusName.UNSTARTED:
                self._artifacts.finish_events()
                self._artifacts.write_outcome(self.status.value, self.rc)
        finally:
            self._artifacts.close()
            self._observer.idle()

    def _finish_events(self, error: PlaystreamError | None) -> PlaystreamError | None:
        """Wait for the events' files. Return why the run cannot be read or kept; None if it can."""
        try:
            self._artifacts.finish_events()
        except PlaystreamError as caught:
            return error or caught
        return error

    def _settle(self, error: PlaystreamError | None, interrupted: str | None) -> None:
        """Give the run a last status if the stream did not."""
        status, explanation = self.status, self.explanation
        is_known = status.terminal and not (status is StatusName.SUCCESSFUL and self.rc is None)
        if error is not None and interrupted is None:
            status, explanation = StatusName.ERROR, str(error)
        elif interrupted is not None and not is_known:
            status, explanation = StatusName.CANCELED, interrupted
        elif self._failure is not None:
            status, explanation = StatusName.ERROR, self._failure.message
        elif not status.terminal:
            status, explanation = (
                StatusName.ERROR,
                (
                    "the stream is complete but does not say how the run ended: expected a final status, got "
                    f"{status.value!r}. A line was probably damaged in transit"
                ),
            )
        elif not is_known:
            status, explanation = (
                StatusName.ERROR,
                (
                    "the worker reports 'successful' without Ansible's return code, so it is not known whether the job "
                    "was. The artifacts, which contain it, were probably lost; check them on the worker, or run the "
                    "job again"
                ),
            )
        if (status, explanation) != (self.status, self.explanation):
            now = datetime.now(UTC).isoformat()
            self._take_status(Status(status, now, rc=self.rc, explanation=explanation))

    def _exit_status(self, error: PlaystreamError | None) -> int:
        if self.status in CANCELED_OR_TIMED_OUT:
            return CANCELED_EXIT_STATUS
        if error is not None:
            return error.exit_status
        if self._failure is not None:
            return _status_of(self._failure.error)
        return exit_status(self.status, self.rc)


def _status_of(name: str) -> int:
    """Return the exit status of the worker's error if this side knows its class."""
    for cls in error_classes():
        if cls.__name__ == name:
            return cls.exit_status
    return WorkerError.exit_status
