"""Watching one program of a job while it runs, and deciding once why it has to end.

The program may be Ansible, or a step before it. The link, a request to cancel, the time limits and the guard are
watched in the same way for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.protocol import Job, Record, StatusName
from playstream.worker.guard import Guard
from playstream.worker.intake import Intake
from playstream.worker.poller import Poller

READER_GONE = "the next stage has exited, so the results cannot be delivered"


@dataclass(frozen=True, slots=True)
class JobConnection:
    """The connection that a job came over."""

    intake: Intake
    output_fd: int
    look: Callable[[], None]
    """Checks whether the reader still reads, and whether a stop was requested."""
    probe_reader: Callable[[], None]
    """Checks whether a reader that sends no more still reads."""
    look_seconds: float | None
    """How often to call `look`; None for only when something happens."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended."""

    status: StatusName
    rc: int | None
    explanation: str | None = None
    error: PlaystreamError | None = None
    """With status `error`: the error to report to the other side, and for the exit status."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the job is being stopped."""

    status: StatusName
    explanation: str
    error: PlaystreamError | None = None


@dataclass(frozen=True, slots=True)
class _JobLimit:
    """How long the job may run, and the name of the limit."""

    seconds: float
    name: str

    def __str__(self) -> str:
        return f"{self.seconds:g} seconds ({self.name})"


def _job_limit(own: float | None, here: float | None) -> _JobLimit | None:
    """Return the lower of the job's and this side's limit."""
    limits = [(own, "job_timeout"), (here, "--max-job-seconds, the worker's limit")]
    return min((_JobLimit(s, name) for s, name in limits if s), key=lambda limit: limit.seconds, default=None)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What surrounds a job while its programs run."""

    job: Job
    guard: Guard
    mailbox: Mailbox[Record]
    cancellation: Cancellation
    link: JobConnection | None
    """The connection that the job came over; None if there is none."""
    max_seconds: float | None
    """This side's limit on how long the job runs; None for none."""
    began: float
    """When the first program of the job started, on the monotonic clock: the limits are for all of them together."""


class Watch:
    """Watches everything but the program's output, which the caller adds to `poller`.

    Args:
        around: what surrounds the job.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._guard = around.guard
        self.poller = Poller()
        self.ending: Ending | None = None
        settings = around.job.settings
        self._idle_timeout = seconds_of(settings.get("idle_timeout"))
        self._job_limit = _job_limit(seconds_of(settings.get("job_timeout")), around.max_seconds)
        self.last_output = time.monotonic()
        """When the program last printed something."""

    def begin(self) -> None:
        """Start to watch the guard, the cancellation and the link."""
        self.poller.watch(self._guard, self._guard.read)
        cancellation = self._around.cancellation
        self.poller.watch(cancellation, cancellation.acknowledge)
        if self._around.link is not None:
            self._watch_link(self._around.link)

    def _watch_link(self, link: JobConnection) -> None:
        self.poller.watch_hangup(link.output_fd, lambda: self.end(StatusName.CANCELED, READER_GONE), link.probe_reader)
        if link.intake.open:
            self.poller.watch(link.intake, lambda: self._read_intake(link.intake))

    def _read_intake(self, intake: Intake) -> None:
        try:
            intake.read()
        except PlaystreamError as error:
            self.end(StatusName.ERROR, f"the connection to the sender failed while the job was running: {error}", error)
        if intake.cancel_reason is not None:
            self.end(StatusName.CANCELED, intake.cancel_reason)
        if not intake.open:
            self.poller.unwatch(intake)

    def end(self, status: StatusName, explanation: str, error: PlaystreamError | None = None) -> None:
        """End the program; the first reason is kept."""
        if self.ending is None:
            self.ending = Ending(status, explanation, error)
            self._guard.terminate()

    def check(self, reasons: Callable[[], Ending | None] = lambda: None) -> None:
        """Check whether the program has to be stopped.

        Args:
            reasons: further reasons of the caller, which are asked for after those of the user and of the link.
        """
        around, now = self._around, time.monotonic()
        self._guard.check()
        if around.mailbox.full:
            self.last_output = now  # the output is not read, so it is unknown whether anything is printed
        if around.cancellation.reason is not None:
            error = around.cancellation.error
            status = StatusName.CANCELED if error is None else StatusName.ERROR
            self.end(status, around.cancellation.reason, error)
        elif around.mailbox.error is not None:
            self.end(StatusName.CANCELED, f"results could not be delivered: {around.mailbox.error}")
        elif self._job_limit is not None and now >= around.began + self._job_limit.seconds:
            self.end(StatusName.TIMEOUT, f"the job ran longer than {self._job_limit}")
        elif self._idle_timeout is not None and now >= self.last_output + self._idle_timeout:
            self.end(StatusName.TIMEOUT, f"the job printed nothing for {self._idle_timeout:g} seconds (idle_timeout)")
        elif (ending := reasons()) is not None:
            self.end(ending.status, ending.explanation, ending.error)
        if around.link is not None:
            self._check_link(around.link)

    def _check_link(self, link: JobConnection) -> None:
        link.look()
        try:
            link.intake.check()
        except PlaystreamError as error:
            self.end(StatusName.ERROR, str(error), error)

    def time_left(self, *times: float | None, wake: float | None = None) -> float | None:
        """Return the seconds until a limit may be reached; None if there is none.

        Args:
            times: times of the caller, on the monotonic clock, which do not count when the program is being ended. None
                for no such time.
            wake: a time that always counts.
        """
        now = time.monotonic()
        limits = [] if wake is None else [wake]
        if (seconds := self._guard.seconds_left) is not None:
            limits.append(now + seconds)
        if self.ending is None:
            limits += [at for at in times if at is not None]
            if self._job_limit is not None:
                limits.append(self._around.began + self._job_limit.seconds)
            if self._idle_timeout is not None:
                limits.append(self.last_output + self._idle_timeout)
            if self._around.link is not None and self._around.link.look_seconds:
                limits.append(now + self._around.link.look_seconds)
        return max(0.0, min(limits) - now) if limits else None


def seconds_of(value: Any) -> float | None:
    """Return a time limit of the settings; None for 0."""
    return float(value) if value else None
