"""Running Ansible: starting, watching and ending it, and finding out how it ended.

One loop waits for everything at once: the terminal, the events, the guard, the link, a cancellation and the clock.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import JobError, PlaystreamError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.protocol import Job, Record, StatusName
from playstream.worker.console import CommandOutput, Console, Transcript
from playstream.worker.events import EventSource
from playstream.worker.guard import Guard
from playstream.worker.intake import Intake
from playstream.worker.poller import HasFileno, Poller
from playstream.worker.read_throttle import ReadThrottle
from playstream.worker.terminal import Terminal

_LAST_READS = 64
"""Maximum number of reads, of 64 KiB each, after Ansible's end. Output of processes that it left is not waited for."""
_PROMPT_SECONDS = 5.0
"""The default of pexpect_timeout."""
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
class _Ending:
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


class Supervisor:
    """Watches one started job until it has ended."""

    def __init__(
        self,
        job: Job,
        guard: Guard,
        console: Console,
        events: EventSource,
        artifact_dir: Path,
        mailbox: Mailbox[Record],
        cancellation: Cancellation,
        link: JobConnection | None,
        max_seconds: float | None,
    ) -> None:
        self._guard = guard
        self._console = console
        self._events = events
        # Without a file the output is only in the events; pipes have no events, so they always have files.
        kept = console.tty is None or not job.settings.get("suppress_output_file")
        self._transcripts = {
            source.name: Transcript(artifact_dir / source.name if kept else None) for source in console.outputs
        }
        self._mailbox = mailbox
        self._cancellation = cancellation
        self._ending: _Ending | None = None
        now = time.monotonic()
        self._idle_timeout = _seconds(job.settings.get("idle_timeout"))
        self._job_limit = _job_limit(_seconds(job.settings.get("job_timeout")), max_seconds)
        self._terminal = console if isinstance(console, Terminal) else None
        prompt_timeout = job.settings.get("pexpect_timeout")
        self._prompt_timeout = _seconds(_PROMPT_SECONDS if prompt_timeout is None else prompt_timeout)
        self._started = self._last_output = now
        self._poller = Poller()
        self._pace = ReadThrottle(events.capacity)
        self._link = link

    def run(self) -> Outcome:
        """Wait for the end of the job.

        Raises:
            JobError: the guard could not start it, or has died.
        """
        self._poller.watch(self._guard, self._guard.read)
        self._poller.watch(self._cancellation, self._cancellation.acknowledge)
        if self._link is not None:
            self._watch_link(self._link)
        while not self._guard.finished:
            wanted = not self._mailbox.full and not self._pace.resting
            for source in self._console.outputs:
                self._watch_output(source, partial(self._read, source), wanted and not source.ended)
            # The plugin's hello is always read, because it waits for the answer.
            self._watch_output(self._events, self._read_events, wanted or not self._events.plugin_loaded)
            self._watch_keyboard()
            self._poller.wait(self._time_left())
            self._pace.end_round(may_rest=self._events.plugin_loaded)
            self._check()
        self._drain()
        return self._outcome()

    def _watch_output(self, source: HasFileno, read: Callable[[], object], wanted: bool) -> None:
        """Read Ansible's output if `wanted`; not while the link is slow, so that Ansible waits too."""
        if wanted and not self._poller.watches(source):
            self._poller.watch(source, read)
        elif not wanted and self._poller.watches(source):
            self._poller.unwatch(source)

    def _watch_keyboard(self) -> None:
        """Read the user's keys while the job asks for them."""
        keyboard = None if self._terminal is None else self._terminal.keyboard
        if keyboard is None or keyboard.asking == self._poller.watches(keyboard):
            return
        if keyboard.asking:
            self._poller.watch(keyboard, keyboard.read)
        else:
            self._poller.unwatch(keyboard)

    def _read(self, source: CommandOutput) -> bool:
        """Read the available output. Return False if there was none."""
        data = source.read()
        if not data:
            return False
        self._note_output(len(data), text=True)
        self._transcripts[source.name].write(data)
        if self._console.tty is not None:
            self._events.text(data)
        return True

    def drain_console(self) -> None:
        """Read all available output."""
        for source in self._console.outputs:
            for _ in range(_LAST_READS):
                if source.ended or not self._read(source):
                    break

    def close(self) -> None:
        """Close the artifacts of the output."""
        for transcript in self._transcripts.values():
            transcript.close()

    def _read_events(self) -> None:
        self._note_output(self._events.read(), text=False)

    def _note_output(self, size: int, *, text: bool) -> None:
        self._pace.note(size, text=text)
        if size:
            self._last_output = time.monotonic()

    def _watch_link(self, link: JobConnection) -> None:
        self._poller.watch_hangup(
            link.output_fd, lambda: self._end(StatusName.CANCELED, READER_GONE), link.probe_reader
        )
        if link.intake.open:
            self._poller.watch(link.intake, lambda: self._read_intake(link.intake))

    def _read_intake(self, intake: Intake) -> None:
        try:
            intake.read()
        except PlaystreamError as error:
            self._end(
                StatusName.ERROR, f"the connection to the sender failed while the job was running: {error}", error
            )
        if intake.cancel_reason is not None:
            self._end(StatusName.CANCELED, intake.cancel_reason)
        if not intake.open:
            self._poller.unwatch(intake)

    def _check(self) -> None:
        """Check whether the job has to be stopped."""
        now = time.monotonic()
        self._guard.check()
        if self._mailbox.full:
            self._last_output = now  # the output is not read, so it is unknown whether Ansible prints anything
        if self._cancellation.reason is not None:
            self._end(StatusName.CANCELED, self._cancellation.reason)
        elif self._mailbox.error is not None:
            self._end(StatusName.CANCELED, f"results could not be delivered: {self._mailbox.error}")
        elif (trouble := next(filter(None, (item.error for item in self._transcripts.values())), None)) is not None:
            self._end(StatusName.ERROR, trouble, JobError(trouble))
        elif self._job_limit is not None and now >= self._started + self._job_limit.seconds:
            self._end(StatusName.TIMEOUT, f"the job ran longer than {self._job_limit}")
        elif self._idle_timeout is not None and now >= self._last_output + self._idle_timeout:
            self._end(StatusName.TIMEOUT, f"the job printed nothing for {self._idle_timeout:g} seconds (idle_timeout)")
        elif self._terminal is not None and (trouble := self._terminal.attend(self._prompt_timeout)) is not None:
            self._end(StatusName.TIMEOUT, trouble)
        if self._link is not None:
            self._check_link(self._link)

    def _check_link(self, link: JobConnection) -> None:
        link.look()
        try:
            link.intake.check()
        except PlaystreamError as error:
            self._end(StatusName.ERROR, str(error), error)

    def _time_left(self) -> float | None:
        """Return the seconds until a limit may be reached; None if there is none."""
        now = time.monotonic()
        limits = [self._pace.rest_until] if self._pace.rest_until > now else []
        if (seconds := self._guard.seconds_left) is not None:
            limits.append(now + seconds)
        if self._ending is not None:
            return max(0.0, min(limits) - now) if limits else None
        if self._job_limit is not None:
            limits.append(self._started + self._job_limit.seconds)
        if self._idle_timeout is not None:
            limits.append(self._last_output + self._idle_timeout)
        if self._link is not None and self._link.look_seconds:
            limits.append(now + self._link.look_seconds)
        if self._terminal is not None and (due := self._terminal.due(self._prompt_timeout)) is not None:
            limits.append(due)
        return max(0.0, min(limits) - now) if limits else None

    def _end(self, status: StatusName, explanation: str, error: PlaystreamError | None = None) -> None:
        if self._ending is None:
            self._ending = _Ending(status, explanation, error)
            self._guard.terminate()

    def _drain(self) -> None:
        self.drain_console()
        self._events.finish()

    def _outcome(self) -> Outcome:
        rc = self._guard.rc
        if self._ending is not None:
            return Outcome(self._ending.status, rc, self._ending.explanation, self._ending.error)
        if rc is None:
            raise JobError(self._guard.death_report)
        if rc == 0:
            return Outcome(StatusName.SUCCESSFUL, 0)
        return Outcome(StatusName.FAILED, rc, _explain(rc))


def _explain(rc: int) -> str | None:
    # Greater numbers are Ansible's own, such as 250 and 255 for unexpected errors.
    return f"Ansible was killed by signal {rc - 128}" if 128 < rc < 128 + signal.NSIG else None


def _seconds(value: Any) -> float | None:
    """Return a time limit of the settings; None for 0."""
    return float(value) if value else None
