"""PreparedRun: the files and the command of a run, created by `prepare()` and removed after the run."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.io.owned import Owned
from playstream.pipeline.io.removal import discard
from playstream.pipeline.job.fact_cache import restore_fact_cache
from playstream.pipeline.protocol import Job, Record
from playstream.worker.command import Command
from playstream.worker.console import Console
from playstream.worker.environment import fact_cache_dir
from playstream.worker.execution import Execution
from playstream.worker.launch import prepare
from playstream.worker.spool import PrivateDirectory, Spool, remove_leftovers
from playstream.worker.user_terminal import UserTerminal


class PreparedRun:
    """A job that is ready to run: its private directory with the files that it needs, and its command.

    The files are removed by `remove`, with this object, or at the end of the process that created it.

    Args:
        job: what to run.
        private_data_dir: the directory of the job, only read; None for a job from memory.
        on_terminal: whether the command will run on a terminal; otherwise it uses pipes.
        caller: whether the command is the caller's own, which runs in the caller's directory with the caller's keys.
        user: the user's terminal, whose keys go to the command; None for none.
        artifacts: a directory for the artifacts, which is also removed if this process dies.

    Raises:
        ConfigurationError: the isolation is invalid.
        ExecutableNotFound: Ansible is not on the PATH.
        JobError: the private directory cannot be created.
    """

    def __init__(
        self,
        job: Job,
        private_data_dir: Path | None,
        *,
        on_terminal: bool = True,
        caller: bool = False,
        user: UserTerminal | None = None,
        artifacts: PrivateDirectory | None = None,
    ) -> None:
        self.job = job
        self._user = user
        remove_leftovers()
        self._spool = Spool(private_data_dir, in_place=True)
        self._finalizers = [weakref.finalize(self, self._spool.remove)]
        if artifacts is not None:
            self._spool.guard.own(artifacts.root)
        try:
            typed = user is not None and user.takes_keys
            self._launch = prepare(job, self._spool, tty=on_terminal, typed=typed, caller=caller)
        except BaseException:
            self.remove()
            raise
        self._finalizers += [weakref.finalize(self, Owned(discard, path)) for path in self._launch.remove]

    @property
    def command(self) -> Command:
        """The command to start, with its environment and directory."""
        return self._launch.command

    def make_execution(
        self,
        mailbox: Mailbox[Record],
        cancellation: Cancellation,
        *,
        argv: Sequence[object],
        env: Mapping[str, object],
        cwd: str,
        shown: Sequence[object] | None = None,
        job: Job | None = None,
        console: Console | None = None,
        facts: str | None = None,
    ) -> Execution:
        """Return the execution of the job.

        Args:
            mailbox: receives the records.
            cancellation: a request to cancel the job.
            argv: the command to start.
            env: the environment of the job.
            cwd: the directory to start the command in.
            shown: the command that artifacts and handlers show; None for `argv`.
            job: the job with later changes; None for the prepared one.
            console: the console that the command runs on; None for its own terminal.
            facts: a directory with facts that are available to the run; None for none.

        Raises:
            ConfigurationError: the command is empty, its directory is missing, or the files of the run are gone.
        """
        if not self._spool.root.is_dir():
            raise ConfigurationError(
                "the files that prepare() made for this run are gone. It was probably called in another process, which "
                "has ended: call prepare() in the process that runs the job"
            )
        if not argv:
            raise ConfigurationError("command: expected at least the name of a program, got an empty list")
        if self._launch.sandbox is None and not os.path.isdir(cwd):
            raise ConfigurationError(f"cwd: expected a directory to start the command in, got {cwd!r}")
        command = replace(
            self._launch.command,
            argv=tuple(map(str, argv)),
            shown=tuple(map(str, argv if shown is None else shown)),
            env={str(name): str(value) for name, value in env.items()},
            cwd=Path(cwd),
        )
        # What looks at the job (`--fast`) looks at the command that was prepared.
        inner = self._launch.inner if command.argv == self._launch.command.argv else None
        _ = command.start_env  # raises before anything runs if it is invalid
        self._spool.artifact_dir(self.job.ident)  # a run in a forked process may have left its own there
        if facts is not None and self.job.settings.get("fact_cache_type", "jsonfile") == "jsonfile":
            restore_fact_cache(Path(facts), fact_cache_dir(self.job, self._launch.paths))
        return Execution(
            job or self.job,
            self._spool,
            mailbox,
            cancellation,
            launch=replace(self._launch, command=command, inner=inner),
            console=console,
            user=self._user,
        )

    def remove(self) -> None:
        """Remove the files. In a process that was forked from the one that created this object, do nothing."""
        for finalizer in reversed(self._finalizers):
            finalizer()
