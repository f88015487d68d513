"""Preparing a job: writing everything that it needs, and making its command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

from playstream.pipeline.errors import JobError, UnsafePath, remedy
from playstream.pipeline.io.removal import discard
from playstream.pipeline.job.fast import release
from playstream.pipeline.job.isolation import read_isolation
from playstream.pipeline.protocol import Job
from playstream.pipeline.tree.directories import make_private, passes_link_in
from playstream.worker.command import Command, find_executable
from playstream.worker.command_line import COMMA_VARIABLE, make_command_line
from playstream.worker.directories import make_new_directory
from playstream.worker.environment import make_environment
from playstream.worker.isolation.sandbox import Sandbox, make_sandbox
from playstream.worker.paths import Paths
from playstream.worker.run_files import Seen
from playstream.worker.spool import Spool
from playstream.worker.ssh_agent import name_key, wrap_in_agent


@dataclass(frozen=True, slots=True)
class Launch:
    """A prepared job: what to start, and what to do when it has ended."""

    command: Command
    paths: Paths
    cleanup: Sequence[Sequence[str]] = ()
    """Commands that end what may remain, such as a container."""
    remove: Sequence[Path] = ()
    """Directories that were created for the job outside of the spool."""
    sandbox: Sandbox | None = None
    """The sandbox that the command runs in; None without isolation."""
    inner: Command | None = None
    """The command without the ssh-agent and the sandbox around it; None if the caller has replaced it."""


def prepare(job: Job, spool: Spool, *, tty: bool = True, typed: bool = False, caller: bool = False) -> Launch:
    """Write what the job needs into its spool and make its command.

    Args:
        job: the job.
        spool: its spool.
        tty: True if it will run on a terminal, False if with pipes.
        typed: True if a user can type on the terminal.
        caller: True for the caller's own command, which runs in the caller's directory with the caller's keys.

    Raises:
        ExecutableNotFound: Ansible, or the program for the isolation, is not on this host.
        ConfigurationError: a path of the isolation is not on this host, or settings of ansible.cfg cannot be extended.
        JobError: the playbook is not on this host, or the project cannot be copied.
        UnsafePath: a path to write to leads through a link that may have been sent with a tree.
        OSError: a file or directory that the job needs cannot be created.
    """
    job = release(job)
    project = spool.private_data_dir / job.project_dir
    copied = _copy_project(job, project, spool)
    paths = Paths(
        private_data_dir=spool.private_data_dir,
        project=project if copied is None else copied / "project",
        run_dir=spool.run_dir,
        artifact_dir=spool.artifact_dir(job.ident),
        spool=spool.root,
        in_place=spool.in_place,
        galaxy=None if job.galaxy is None else spool.private_data_dir / job.galaxy,
    )
    try:
        # Answers that are known are never echoed.
        sandbox = _make_sandbox(job, paths, tty=tty, echo=typed and not job.passwords, caller=caller)
        command, inner = _make_command(job, paths, sandbox, checked=spool.in_place)
    except BaseException:
        if copied is not None:
            discard(copied)
        raise
    keep = copied is None or _keeps_copy(job)
    return Launch(
        command,
        paths,
        cleanup=() if sandbox is None else sandbox.cleanup,
        remove=() if keep or copied is None else (copied,),
        sandbox=sandbox,
        inner=inner,
    )


def _make_sandbox(job: Job, paths: Paths, *, tty: bool, echo: bool, caller: bool) -> Sandbox | None:
    isolation = read_isolation("settings", job.settings)
    if isolation is None:
        return None
    return make_sandbox(isolation, paths, job.ident, tty=tty, echo=echo, caller=caller)


def _make_command(job: Job, paths: Paths, sandbox: Sandbox | None, *, checked: bool) -> tuple[Command, Command]:
    """Return the command to start, and the one inside it."""
    seen: Seen = _same if sandbox is None else sandbox.seen
    on_this_host = sandbox is None or sandbox.inherits_env
    env = make_environment(job, paths, seen, inherit=on_this_host)
    _check_names(paths, env)
    words = make_command_line(job, paths, seen, checked=checked)
    if any(COMMA_VARIABLE in word for word in words):
        env[COMMA_VARIABLE] = ","
    if on_this_host:
        words[0] = find_executable(words[0], env, paths.cwd)
    inner = Command(tuple(words), env, seen(paths.cwd))
    if job.ssh_key:
        words = _give_key(words, job, paths, seen, env)
        if on_this_host:
            words[0] = find_executable(words[0], env, paths.cwd)
    command = replace(inner, argv=tuple(words))
    return (command if sandbox is None else sandbox.enclose(command)), inner


def _check_names(paths: Paths, env: Mapping[str, str]) -> None:
    """Check that Ansible does not change the paths: it expands variables in most of them.

    Raises:
        JobError: a path contains a variable.
    """
    for path in (paths.run_dir, paths.private_data_dir, paths.project):
        if "$" in str(path) and Template(str(path)).safe_substitute(env) != str(path):
            raise JobError(
                f"the directory {str(path)!r} contains the name of an environment variable, which Ansible would "
                "expand. Choose another TMPDIR, or move the private data directory"
            )


def _give_key(words: Sequence[str], job: Job, paths: Paths, seen: Seen, env: Mapping[str, str]) -> list[str]:
    size = len((job.ssh_key or "").encode())
    name = name_key(paths.run_dir, job.ident)
    socket, fifo = str(seen(paths.agent)), str(seen(paths.ssh_key))
    return wrap_in_agent(words, socket=socket, fifo=fifo, name=str(seen(name)), size=size, env=env)


def _same(path: Path) -> Path:
    return path


def _keeps_copy(job: Job) -> bool:
    return job.settings.get("directory_isolation_cleanup") is False


def _copy_project(job: Job, project: Path, spool: Spool) -> Path | None:
    """Copy the project to a private directory if `directory_isolation_base_path` requests it."""
    base = job.settings.get("directory_isolation_base_path")
    if not base or not project.is_dir():
        return None
    copied: Path | None = None
    try:
        place = Path(base).expanduser().absolute()
        if Path(os.path.realpath(place)).is_relative_to(os.path.realpath(project)):
            raise JobError(
                f"directory_isolation_base_path {base!r} is inside the project {str(project)!r}, so the copy would "
                "contain itself. Choose a directory outside the project"
            )
        if not spool.in_place and passes_link_in(spool.private_data_dir, place):
            raise UnsafePath(
                f"directory_isolation_base_path {base!r} passes through a link in {str(spool.private_data_dir)!r}, "
                "which may come from the transmitted tree, so nothing is written there. Use the path that the link "
                "points to"
            )
        make_private(place)
        copied = make_new_directory(place, "playstream-project-", None if _keeps_copy(job) else spool.guard)
        shutil.copytree(project, copied / "project", symlinks=True)
    except (OSError, RuntimeError) as error:  # RuntimeError is raised for an unknown ~user
        if copied is not None:
            discard(copied)
        raise JobError(
            f"the project cannot be copied to directory_isolation_base_path {base!r}: {_reason(error)}. "
            f"{_remedy(error)}, or choose another directory"
        ) from None
    return copied


def _remedy(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return remedy(error)
    return "Check that the project can be read, and that there is space for a copy"


def _reason(error: Exception) -> str:
    """Return the reason; the first error if several files failed."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        return str(error.args[0][0][2])
    return str(error)
