"""One job on this host, from the command to the last artifact, as records."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from playstream.pipeline.cancellation import Cancellation
from playstream.pipeline.mailbox import Mailbox
from playstream.pipeline.protocol import Job, Status, StatusName
from playstream.pipeline.tree.pack import pack
from playstream.worker.command import Command, Paths, make_command
from playstream.worker.events import EventSource
from playstream.worker.fact_cache import simplify_fact_cache
from playstream.worker.guardian import Guardian
from playstream.worker.spool import Spool
from playstream.worker.supervise import Link, Outcome, Supervisor
from playstream.worker.terminal import Terminal
from playstream.worker.transcript import Transcript


class Execution:
    """Runs one job; what there is to tell goes into a mailbox.

    Args:
        job: what to run.
        spool: where it lives.
        mailbox: takes the records: statuses and events, then the artifacts.
        cancellation: asks for the end of the job.
        link: what to watch besides, when the job came over one.
    """

    def __init__(
        self, job: Job, spool: Spool, mailbox: Mailbox, cancellation: Cancellation, link: Link | None = None
    ) -> None:
        self._job = job
        self._lock = spool.lock
        self._paths = Paths(spool.private_data_dir, spool.run_dir, spool.artifact_dir(job.ident), spool.root)
        self._mailbox = mailbox
        self._cancellation = cancellation
        self._link = link

    def run(self) -> Outcome:
        """Run the job to its end.

        Raises:
            PlaystreamError: it could not be run or watched.
            OSError: this host refused something the job needs.
        """
        outcome = self._supervise(make_command(self._job, self._paths))
        put_status(self._mailbox, outcome.status, rc=outcome.rc, explanation=outcome.explanation)
        _write_results(self._paths.artifact_dir, outcome)
        simplify_fact_cache(self._paths.artifact_dir / "fact_cache")
        for record in pack(self._paths.artifact_dir):
            self._mailbox.put_when_room(record)
        return outcome

    def _supervise(self, command: Command) -> Outcome:
        put_status(self._mailbox, StatusName.STARTING, command=command)
        with ExitStack() as closing:
            terminal = Terminal(self._job.passwords)
            closing.callback(terminal.close)
            transcript = Transcript(self._paths.artifact_dir)
            closing.callback(transcript.close)
            events = EventSource(self._paths, self._job.ident, self._mailbox.put, lambda: _drain(supervisor))
            closing.callback(events.close)
            guardian = Guardian(command, tty=terminal.name, spool=self._paths.spool, lock=self._lock)
            closing.callback(guardian.close)
            supervisor = Supervisor(
                self._job, guardian, terminal, events, transcript, self._mailbox, self._cancellation, self._link
            )
            put_status(self._mailbox, StatusName.RUNNING)
            return supervisor.run()


def put_status(
    mailbox: Mailbox,
    status: StatusName,
    *,
    rc: int | None = None,
    command: Command | None = None,
    explanation: str | None = None,
) -> None:
    """Say that the job's state has changed, now."""
    record = Status(status, datetime.now(timezone.utc).isoformat(), rc=rc, explanation=explanation)
    if command is not None:
        record = replace(record, command=command.argv, env=command.redacted_env, cwd=str(command.cwd))
    mailbox.put(record)


def _drain(supervisor: Supervisor) -> None:
    while supervisor.read_terminal():
        pass


def _write_results(artifact_dir: Path, outcome: Outcome) -> None:
    """The small artifacts; no `rc` when it is not known. `stderr` is empty: on a terminal it is part of `stdout`."""
    texts = {"status": outcome.status.value, "stderr": ""}
    if outcome.rc is not None:
        texts["rc"] = str(outcome.rc)
    for name, text in texts.items():
        fd = os.open(artifact_dir / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
