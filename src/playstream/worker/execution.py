"""One job on this host, from the command to the last artifact, as records."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import IsolationError, JobError, UnsafePath, remedy, shorten
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.mailbox import Mailbox, ToShow
from playstream.pipeline.io.removal import discard, remove_tree
from playstream.pipeline.job.fact_cache import simplify_fact_cache
from playstream.pipeline.job.fast import FAST, is_explained
from playstream.pipeline.protocol import Job, Log, LogLevel, Record, Status, StatusName
from playstream.pipeline.tree.directories import passes_link_in
from playstream.pipeline.tree.pack import pack
from playstream.worker.command import Command
from playstream.worker.console import Console, Transcript
from playstream.worker.environment import fact_cache_dir
from playstream.worker.events import EventSource
from playstream.worker.isolation.sandbox import ENGINE_FAILED
from playstream.worker.keyboard import User
from playstream.worker.known_secrets import find_secrets
from playstream.worker.launch import Launch, prepare
from playstream.worker.spool import Spool
from playstream.worker.ssh_agent import KeyPipe
from playstream.worker.supervise import Supervisor
from playstream.worker.terminal import Terminal
from playstream.worker.watch import JobConnection, Outcome, Surroundings

_NOT_INVOKED = {
    126: "the program that runs the job, or its interpreter, is probably not executable there",
    127: "the program that runs the job was probably not found there: the image contains no Ansible, or PATH does not "
    "include it",
}
"""Exit statuses of the shell or the program that starts the job inside. Ansible uses none of them."""
_CRASHED = 250
"""Ansible's exit status after an unexpected exception."""
_MAX_TMPDIR = 107 - len("/pymp-12345678/listener-12345678")
"""Maximum length in bytes: the path of a socket may have 107, without what Python appends to the directory."""


class Execution:
    """Runs one job and puts its records into a mailbox.

    Args:
        job: the job.
        spool: its spool.
        mailbox: takes the records: statuses and events, then the artifacts. With a `user`
            of this host also ToShow.
        cancellation: requests the end of the job.
        link: the connection that the job came over, which is watched too; None if there is none.
        launch: the prepared job, perhaps with changes of the caller; None to prepare it here.
        console: the console of the command; its own terminal if None. Closed at the end.
        user: the user's terminal, for the command's own terminal; None for none.
        max_seconds: this side's limit on how long the job runs; None for none.
        tree: the name of the job's tree, if the cache has all of it.
    """

    def __init__(
        self,
        job: Job,
        spool: Spool,
        mailbox: Mailbox[Any],
        cancellation: Cancellation,
        *,
        link: JobConnection | None = None,
        launch: Launch | None = None,
        console: Console | None = None,
        user: User | None = None,
        max_seconds: float | None = None,
        tree: str | None = None,
    ) -> None:
        self._job = job
        self._spool = spool
        self._mailbox = mailbox
        self._cancellation = cancellation
        self._link = link
        self._launch = launch
        self._console = console
        self._user = user
        self._max_seconds = max_seconds
        self._tree = tree

    def run(self) -> Outcome:
        """Run the job to its end.

        Raises:
            PlaystreamError: it could not be run or watched.
            OSError: a file or directory that the job needs cannot be created.
        """
        typed = self._user is not None and self._user.takes_keys
        launch = self._launch or prepare(self._job, self._spool, typed=typed)
        try:
            outcome = self._perform(launch)
        finally:
            if self._spool.is_ours:
                for directory in launch.remove:
                    discard(directory)
        put_status(self._mailbox, outcome.status, rc=outcome.rc, explanation=outcome.explanation)
        _check_place(launch.paths.artifact_dir)
        try:
            _write_results(launch.paths.artifact_dir, outcome)
        except OSError as error:
            raise outcome.error or JobError(
                f"the results of the job cannot be written to {str(launch.paths.artifact_dir)!r}: {error.strerror}. "
                f"{remedy(error)}, or set TMPDIR to another directory"
            ) from None
        facts = fact_cache_dir(self._job, launch.paths)
        if not passes_link_in(launch.paths.artifact_dir, facts):
            simplify_fact_cache(facts)
        look = self._link.look if self._link is not None else lambda: None
        for record in pack(launch.paths.artifact_dir, artifacts=True):
            look()
            self._mailbox.put_when_room(record, look)
        return outcome

    def _perform(self, launch: Launch) -> Outcome:
        around = Surroundings(
            self._job,
            self._spool.guard,
            self._mailbox,
            self._cancellation,
            self._link,
            self._max_seconds,
            began=time.monotonic(),
        )
        if not self._job.settings.get(FAST) or self._console is not None:  # a command on pipes is not a run
            return self._run(launch, around)
        from playstream.worker.fast.step import FastStep  # noqa: PLC0415 - most jobs do not ask for it

        plan = FastStep(around, launch).run()
        if isinstance(plan, Outcome):
            return plan
        if is_explained(self._job):
            return self._print(launch, plan.lines)
        self._mailbox.put(Log(LogLevel.INFO, plan.summary))
        command = replace(launch.command, env={**launch.command.env, **plan.env})
        launch = replace(launch, command=command)
        if not plan.asks:
            return self._run(launch, around, plan.summary)
        from playstream.worker.fast.asking import Asking  # noqa: PLC0415

        asking = Asking(launch.paths.run_dir, self._job, plan.logins)
        asking.begin()
        outcome = self._run(launch, around, plan.summary)
        if (answers := asking.finish()) is not None:
            self._mailbox.put(Log(LogLevel.INFO, answers))
        return outcome

    def _print(self, launch: Launch, lines: Sequence[str]) -> Outcome:
        """Print lines as the output of the job, in place of Ansible."""
        put_status(self._mailbox, StatusName.STARTING, command=launch.command, tree=self._tree)
        put_status(self._mailbox, StatusName.RUNNING)
        self._spool.begin()
        text = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
        kept = not self._job.settings.get("suppress_output_file")
        transcript = Transcript(launch.paths.artifact_dir / "stdout" if kept else None)
        with closing(self._make_events(launch, lambda: None)) as events, closing(transcript):
            transcript.write(text)
            events.text(text)
            events.finish()
        return Outcome(StatusName.SUCCESSFUL, 0)

    def _make_events(self, launch: Launch, drain: Callable[[], None]) -> EventSource:
        return EventSource(
            launch.paths, self._job.ident, launch.command.env, self._mailbox.put, drain, lambda: find_secrets(self._job)
        )

    def _run(self, launch: Launch, around: Surroundings, explanation: str | None = None) -> Outcome:
        outcome = self._supervise(launch, around, explanation)
        return _explain_crash(_check_started(outcome, launch, own_command=bool(self._job.command)), launch)

    def _supervise(self, launch: Launch, around: Surroundings, explanation: str | None) -> Outcome:
        put_status(self._mailbox, StatusName.STARTING, command=launch.command, explanation=explanation, tree=self._tree)
        with ExitStack() as stack:
            console = self._console or self._make_terminal(launch)
            stack.callback(console.close)
            # The supervisor does not exist yet.
            events = self._make_events(launch, lambda: supervisor.drain_console())  # noqa: PLW0108
            stack.callback(events.close)
            if self._job.ssh_key:
                stack.callback(KeyPipe(launch.paths.ssh_key, self._job.ssh_key).close)
            if launch.sandbox is not None:
                launch.sandbox.share()
            guard = self._spool.guard
            stack.callback(guard.settle)
            guard.start(launch, console, self._spool.begin)
            supervisor = Supervisor(around, console, events, launch.paths.artifact_dir)
            stack.callback(supervisor.close)
            put_status(self._mailbox, StatusName.RUNNING)
            return supervisor.run()

    def _make_terminal(self, launch: Launch) -> Terminal:
        nested = launch.sandbox is not None and launch.sandbox.nests_terminal
        terminal = Terminal(self._job.passwords, self._user, nested=nested)
        if self._user is not None:
            # What is shown waits for earlier output, which is in the mailbox.
            self._user.begin(self._spool.guard.keep_terminal, lambda write: self._mailbox.put(ToShow(write)))
        return terminal


def put_status(
    mailbox: Mailbox[Record],
    status: StatusName,
    *,
    rc: int | None = None,
    command: Command | None = None,
    explanation: str | None = None,
    traceback: str | None = None,
    tree: str | None = None,
) -> None:
    """Report that the job's state has changed now."""
    why = None if explanation is None else shorten(explanation)
    record = Status(status, datetime.now(UTC).isoformat(), rc=rc, explanation=why, traceback=traceback, tree=tree)
    if command is not None:
        record = replace(record, command=command.shown_argv, env=command.shown_env, cwd=str(command.cwd))
    mailbox.put(record)


def _check_started(outcome: Outcome, launch: Launch, *, own_command: bool) -> Outcome:
    """Tell the exit status of the engine from that of the job.

    The engine may exit without starting the job, even with status 0.

    Args:
        outcome: how the job ended.
        launch: the prepared job.
        own_command: whether the job is a command line of the caller, which may end with any status.
    """
    ended = outcome.status in {StatusName.SUCCESSFUL, StatusName.FAILED}
    if not ended or launch.sandbox is None:
        return outcome
    engine, started = launch.command.argv[0], launch.sandbox.started
    trouble = f"exit status {outcome.rc} in the container or sandbox: {_NOT_INVOKED.get(outcome.rc or 0, '')}"
    if not started:
        why = launch.sandbox.explain_exit(outcome.rc)
        trouble = (
            f"{engine} exited with status {outcome.rc} without starting the job in the container or sandbox: {why}"
        )
    elif outcome.rc == ENGINE_FAILED:
        trouble = f"{engine} failed with exit status {outcome.rc} after it had started the job"
    elif outcome.rc not in _NOT_INVOKED:
        return outcome
    if own_command and started:
        return replace(outcome, explanation=f"{trouble}, or this is the exit status of the command itself")
    trouble = f"{trouble}. See the output"
    return Outcome(StatusName.ERROR, None, trouble, IsolationError(trouble))


def _explain_crash(outcome: Outcome, launch: Launch) -> Outcome:
    """Explain a crash caused by a long TMPDIR: since ansible-core 2.21 Ansible does not start and does not say why."""
    temporary = launch.command.env.get("TMPDIR", "")
    size = len(os.fsencode(temporary))
    if outcome.rc != _CRASHED or outcome.explanation is not None or size <= _MAX_TMPDIR:
        return outcome
    return replace(
        outcome,
        explanation=(
            f"Ansible crashed (exit status {_CRASHED}), and the path of TMPDIR has {size} bytes. ansible-core 2.21 and "
            f"later create a socket there and support at most {_MAX_TMPDIR}. Set TMPDIR to a directory with a shorter "
            f"path, such as /tmp, where the job runs; got {temporary!r}"
        ),
    )


def _check_place(artifact_dir: Path) -> None:
    """Check that the job has not replaced the artifact directory by a link, which could lead out of a sandbox.

    Raises:
        UnsafePath: it has.
    """
    if passes_link_in(artifact_dir.parent.parent, artifact_dir):
        raise UnsafePath(
            f"the job replaced its artifact directory {str(artifact_dir)!r} with a link, so nothing is written or read "
            "there"
        )


def _write_results(artifact_dir: Path, outcome: Outcome) -> None:
    """Write the small artifacts; no `rc` if it is not known. On a terminal `stderr` is empty: `stdout` has both."""
    texts = {"status": outcome.status.value}
    if outcome.rc is not None:
        texts["rc"] = str(outcome.rc)
    root = os.open(artifact_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not _has(root, "stderr"):
            texts["stderr"] = ""
        for name, text in texts.items():
            _write_new(root, name, text)
    finally:
        os.close(root)


def _has(fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _write_new(fd: int, name: str, text: str) -> None:
    """Write a new file, replacing anything that the job has put in its place: a link could lead out of a sandbox."""
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        remove_tree(name, dir_fd=fd)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=fd), "w", encoding="utf-8") as file:
        file.write(text)
