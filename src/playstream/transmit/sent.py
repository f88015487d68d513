"""What a job names has to be among what is sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import Job
from playstream.pipeline.roles import own_role_directories
from playstream.pipeline.tree.ignore import Ignore


def check_sent(job: Job, directory: Path, ignore: Ignore) -> None:
    """See that no pattern leaves out what the job needs.

    Args:
        job: what is to be run.
        directory: the private data directory.
        ignore: what is left out.

    Raises:
        ConfigurationError: playbook, inventory, role or a directory of roles would not reach the worker; names the
            pattern.
    """
    root = Path(os.path.realpath(directory))
    for what, path in _named(job, directory):
        reason = _why_left_out(path, directory, root, ignore)
        if reason is not None:
            raise ConfigurationError(
                f"{what} {str(path.relative_to(directory))!r} would not reach the worker: {reason}. Change the "
                "pattern, or name another"
            )


def _named(job: Job, directory: Path) -> Iterator[tuple[str, Path]]:
    """What the job names, and where it is."""
    project = directory / job.project_dir
    named = [("playbook", project / job.playbook)] if job.playbook else []
    named += [("inventory", directory / item) for item in job.inventory or () if "," not in item]
    named += [("roles_path", directory / path) for path in job.roles_path]
    for what, path in named:
        if os.path.exists(path) and path.is_relative_to(directory):
            yield what, path
    if job.role:
        places = [*own_role_directories(job, directory, project), project]
        found = [place / job.role for place in places if os.path.exists(place / job.role)]
        yield from (("role", path) for path in found[:1])  # the one that Ansible would take


def _why_left_out(path: Path, directory: Path, root: Path, ignore: Ignore) -> str | None:
    """Why an entry, or what it is a link to, is not sent; None when it is, or lies outside of the directory."""
    real = Path(os.path.realpath(path))
    for place, base in ((Path(os.path.normpath(path)), directory), (real, root)):
        if place.is_relative_to(base) and place != base:
            reason = ignore.why_left_out(os.fsencode(place.relative_to(base)))
            if reason is not None:
                return reason
    return None
