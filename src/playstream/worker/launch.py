"""A job made ready: everything that it needs is in its place, and the command to start is known."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import JobError
from playstream.pipeline.protocol import Job
from playstream.worker.command import Command, find_executable
from playstream.worker.command_line import make_command_line
from playstream.worker.environment import make_environment
from playstream.worker.paths import PLUGIN_DIR, Paths
from playstream.worker.spool import Spool


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started, and what is left to do when it has ended."""

    command: Command
    paths: Paths
    cleanup: Sequence[Sequence[str]] = ()
    """Commands that end what may be left, such as a container."""
    remove: Sequence[Path] = ()
    """Directories that were made for the job outside of the spool."""


def prepare(job: Job, spool: Spool) -> Launch:
    """Write what the job needs into its spool and put its command together.

    Raises:
        ExecutableNotFound: Ansible is not on the job's PATH.
        JobError: the playbook is not on this host, or a directory cannot be made.
    """
    project = spool.private_data_dir / job.project_dir
    copied = _copy_project(job, project)
    paths = Paths(
        private_data_dir=spool.private_data_dir,
        project=project if copied is None else copied / "project",
        run_dir=spool.run_dir,
        artifact_dir=spool.artifact_dir(job.ident),
        spool=spool.root,
    )
    try:
        env = make_environment(job, paths, PLUGIN_DIR, _same, inherit=True)
        words = make_command_line(job, paths, _same)
        words[0] = find_executable(words[0], env, paths.cwd)
    except BaseException:
        if copied is not None:
            shutil.rmtree(copied, ignore_errors=True)
        raise
    keep = copied is None or job.settings.get("directory_isolation_cleanup") is False
    return Launch(Command(tuple(words), env, paths.cwd), paths, remove=() if keep or copied is None else (copied,))


def _same(path: Path) -> Path:
    return path


def _copy_project(job: Job, project: Path) -> Path | None:
    """A private copy of the project to run in, when `directory_isolation_base_path` asks for one."""
    base = job.settings.get("directory_isolation_base_path")
    if not base or not project.is_dir():
        return None
    place = Path(base).expanduser()
    copied: Path | None = None
    try:
        place.mkdir(parents=True, exist_ok=True)
        copied = Path(tempfile.mkdtemp(prefix="playstream-project-", dir=place))
        shutil.copytree(project, copied / "project", symlinks=True)
    except (OSError, shutil.Error) as error:
        if copied is not None:
            shutil.rmtree(copied, ignore_errors=True)
        raise JobError(
            f"the project cannot be copied to directory_isolation_base_path {str(place)!r}: {error}. Free space there, "
            "or choose another place"
        ) from None
    return copied
