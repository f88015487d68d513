"""Running Ansible: starting, watching and ending it, and finding out how it ended.

One loop waits for everything at once: the terminal, the events, the guard, the link, a cancellation and the clock.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playstream.pipeline.errors import JobError
from playstream.pipeline.protocol import StatusName
from playstream.worker.console import CommandOutput, Console, Transcript
from playstream.worker.events import EventSource
from playstream.worker.poller import HasFileno
from playstream.worker.read_throttle import ReadThrottle
from playstream.worker.terminal import Terminal
from playstream.worker.watch import Ending, Outcome, Surroundings, Watch, seconds_of

_LAST_READS = 64
"""Maximum number of reads, of 64 KiB each, after Ansible's end. Output of processes that it left is not waited for."""
_PROMPT_SECONDS = 5.0
"""The default of pexpect_timeout."""


class Supervisor:
    """Watches one started job until it has ended.

    Args:
        around: what surrounds the job.
        console: the console of the command.
        events: the reading end of the events.
        artifact_dir: where the output is kept.
    """

    def __init__(self, around: Surroundings, console: Console, events: EventSource, artifact_dir: Path) -> None:
        self._guard = around.guard
        self._console = console
        self._events = events
        settings = around.job.settings
        # Without a file the output is only in the events; pipes have no events, so they always have files.
        kept = console.tty is None or not settings.get("suppress_output_file")
        self._transcripts = {
            source.name: Transcript(artifact_dir / source.name if kept else None) for source in console.outputs
        }
        self._mailbox = around.mailbox
        self._terminal = console if isinstance(console, Terminal) else None
        prompt_timeout = settings.get("pexpect_timeout")
        self._prompt_timeout = seconds_of(_PROMPT_SECONDS if prompt_timeout is None else prompt_timeout)
        self._watch = Watch(around)
        self._poller = self._watch.poller
        self._pace = ReadThrottle(events.capacity)

    def run(self) -> Outcome:
        """Wait for the end of the job.

        Raises:
            JobError: the guard could not start it, or has died.
        """
        self._watch.begin()
        while not self._guard.finished:
            wanted = not self._mailbox.full and not self._pace.resting
            for source in self._console.outputs:
                self._watch_output(source, partial(self._read, source), wanted and not source.ended)
            # The plugin's hello is always read, because it waits for the answer.
            self._watch_output(self._events, self._read_events, wanted or not self._events.plugin_loaded)
            self._watch_keyboard()
            self._poller.wait(self._time_left())
            self._pace.end_round(may_rest=self._events.plugin_loaded)
            self._watch.check(self._trouble)
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
        if keyboard is None or keyboard.descriptor is None or keyboard.asking == self._poller.watches(keyboard):
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
            self._watch.last_output = time.monotonic()

    def _trouble(self) -> Ending | None:
        """Return why the job has to be stopped, if the reason is its output or a prompt."""
        trouble = next(filter(None, (item.error for item in self._transcripts.values())), None)
        if trouble is not None:
            return Ending(StatusName.ERROR, trouble, JobError(trouble))
        if self._terminal is not None and (trouble := self._terminal.attend(self._prompt_timeout)) is not None:
            return Ending(StatusName.TIMEOUT, trouble)
        return None

    def _time_left(self) -> float | None:
        """Return the seconds until a limit may be reached; None if there is none."""
        due = None if self._terminal is None else self._terminal.due(self._prompt_timeout)
        rest = self._pace.rest_until if self._pace.resting else None
        return self._watch.time_left(due, wake=rest)

    def _drain(self) -> None:
        self.drain_console()
        self._events.finish()

    def _outcome(self) -> Outcome:
        rc, ending = self._guard.rc, self._watch.ending
        if ending is not None:
            return Outcome(ending.status, rc, ending.explanation, ending.error)
        if rc is None:
            raise JobError(self._guard.death_report)
        if rc == 0:
            return Outcome(StatusName.SUCCESSFUL, 0)
        return Outcome(StatusName.FAILED, rc, _explain(rc))


def _explain(rc: int) -> str | None:
    # Greater numbers are Ansible's own, such as 250 and 255 for unexpected errors.
    return f"Ansible was killed by signal {rc - 128}" if 128 < rc < 128 + signal.NSIG else None
