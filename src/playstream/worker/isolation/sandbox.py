"""The interface of sandboxes, and how to make one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

from playstream.pipeline.errors import ExecutableNotFound
from playstream.pipeline.job.isolation import Isolation
from playstream.worker.command import Command
from playstream.worker.isolation.bubblewrap import Bubblewrap
from playstream.worker.isolation.containers import Container
from playstream.worker.paths import Paths

ENGINE_FAILED = 125
"""Exit status of podman and docker for a failure of their own, which Ansible does not use."""


class Sandbox(Protocol):
    """Something that a job runs in."""

    @property
    def inherits_env(self) -> bool:
        """True if the job inherits this host's environment, False if it only gets the given variables."""

    @property
    def nests_terminal(self) -> bool:
        """True if the job gets a terminal of its own, behind the one that the command is started on."""

    @property
    def cleanup(self) -> tuple[tuple[str, ...], ...]:
        """Commands to run, in the environment of the enclosed command, when the job was ended or its worker has died.

        They do nothing if nothing is left.
        """

    def seen(self, path: Path) -> Path:
        """Return a path of this host as the job sees it; the same path if it is not mounted."""

    def enclose(self, command: Command, *, tty: bool = True) -> Command:
        """Return the command to start on this host so that `command` runs inside.

        Args:
            command: `argv` and `cwd` contain paths inside; `env` is the job's whole environment (with `inherits_env`,
                it includes this host's).
            tty: False for a command on pipes, in a sandbox whose job has a terminal.

        Raises:
            OSError: a directory in the spool cannot be created.
        """

    @property
    def started(self) -> bool:
        """False if the job has ended without the command being started inside."""

    def forget_start(self) -> None:
        """Let `started` be False until another command is started inside."""

    def explain_exit(self, status: int | None) -> str:
        """Return why the engine has probably exited with a status without starting the command."""

    def share(self) -> None:
        """Open the files in the run and artifact directories to the job's user, whoever that is.

        Call this after the pipes and files were created, directly before the start.

        Raises:
            OSError: a mode cannot be changed.
        """


def make_sandbox(
    isolation: Isolation, paths: Paths, ident: str, *, tty: bool = True, echo: bool = False, caller: bool = False
) -> Sandbox:
    """Create the sandbox for one job.

    Args:
        isolation: the isolation that the settings request.
        paths: the job's paths on this host; all exist.
        ident: the job's.
        tty: True if the job's standard streams are a terminal, False if they are pipes.
        echo: True if a terminal inside echoes what is typed.
        caller: True for `run_command`: in a container the command can use the caller's ~/.ssh and ssh-agent, as with
            ansible-runner.

    Raises:
        ExecutableNotFound: the engine is not on this host.
        ConfigurationError: a path to mount is missing on this host, or must not be mounted.
        JobError: a path of the job cannot be mounted.
        OSError: the files for the registry cannot be written.
    """
    executable = shutil.which(os.path.expanduser(isolation.executable))
    if executable is None:
        raise ExecutableNotFound(
            f"process isolation is requested, but its executable {isolation.executable!r} was not found on this "
            f"host{_where(isolation)}. Install {_package(isolation)} where the worker runs, or set "
            "process_isolation_executable to one that is there: podman, docker or bwrap"
        )
    executable = os.path.abspath(executable)
    if isolation.containerized:
        return Container(isolation, executable, paths, ident, tty=tty, echo=echo, caller=caller)
    return Bubblewrap(isolation, executable, paths)


def _where(isolation: Isolation) -> str:
    return "" if "/" in isolation.executable else f", on PATH ({os.environ.get('PATH')!r})"


def _package(isolation: Isolation) -> str:
    return {"bwrap": "bubblewrap"}.get(isolation.engine, isolation.engine)
