"""What a sandbox is to the rest of the worker, and how to get one."""

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


class Sandbox(Protocol):
    """Something a job runs inside of."""

    @property
    def inherits_env(self) -> bool:
        """True if the job sees this host's environment, False if only what it is given."""

    @property
    def cleanup(self) -> tuple[tuple[str, ...], ...]:
        """Commands to run, in the environment of the enclosed command, when the job was ended or its worker has died.

        They do no harm when nothing is left.
        """

    def seen(self, path: Path) -> Path:
        """Return a path of this host as the job sees it; the same path if it is not mounted."""

    def enclose(self, command: Command) -> Command:
        """Return the command to start on this host so that `command` runs inside.

        Args:
            command: `argv` and `cwd` hold paths as seen inside; `env` is all that the job gets (with `inherits_env`,
                this host's environment included).

        Raises:
            OSError: a directory in the spool cannot be made.
        """

    @property
    def started(self) -> bool:
        """False if the job has ended and the command was never started inside."""

    def share(self) -> None:
        """Open what is in the run and artifact directories to whatever user the job runs as.

        To be called when the pipes and files are made, just before the start.

        Raises:
            OSError: a mode cannot be changed.
        """


def make_sandbox(isolation: Isolation, paths: Paths, ident: str, *, tty: bool = True, caller: bool = False) -> Sandbox:
    """Create the sandbox for one job.

    Args:
        isolation: what the settings ask for.
        paths: the job's places on this host; all exist.
        ident: the job's.
        tty: True if the job's standard streams are a terminal, False if they are pipes.
        caller: True with `run_command`: in a container the command has the caller's ~/.ssh and ssh-agent, as with
            ansible-runner.

    Raises:
        ExecutableNotFound: the engine is not on this host.
        ConfigurationError: a path that is to be mounted is missing on this host, or must not be mounted.
        JobError: a path of the job's cannot be mounted.
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
        return Container(isolation, executable, paths, ident, tty=tty, caller=caller)
    return Bubblewrap(isolation, executable, paths)


def _where(isolation: Isolation) -> str:
    return "" if "/" in isolation.executable else f", on PATH ({os.environ.get('PATH')!r})"


def _package(isolation: Isolation) -> str:
    return {"bwrap": "bubblewrap"}.get(isolation.engine, isolation.engine)
