"""The files written for one run: extra variables, and playbooks and inventories that are not the user's own files.

They are written to the run directory, which only this user can read and which is removed with the run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import JobError, remedy
from playstream.pipeline.protocol import Job
from playstream.worker.paths import Paths

Seen = Callable[[Path], Path]
"""Converts a path of this host to its name where the job runs, which is another inside a container."""


def write_private(path: Path, text: str) -> Path:
    """Write a new file that only this user can read, and return its path.

    Raises:
        JobError: it cannot be written.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise JobError(
            f"{str(path)!r} cannot be written: {error.strerror}. {remedy(error)}, or set TMPDIR to another directory"
        ) from None
    return path


def write_extravars(job: Job, paths: Paths) -> list[Path]:
    """Write the extra variables, one file for each text, in the order in which Ansible must read them.

    They are not passed on the command line, which every user of the host can see.
    """
    texts = [*job.extravars_texts, *([json.dumps(job.extravars)] if job.extravars else [])]
    return [write_private(paths.run_dir / f"extravars-{number}", text) for number, text in enumerate(texts, 1)]


def write_inventories(job: Job, paths: Paths) -> list[Path]:
    """Write the inventories that were given as texts, one file for each."""
    return [
        write_private(paths.run_dir / f"inventory-{number}", text if text.endswith("\n") else text + "\n")
        for number, text in enumerate(job.inventory_contents, 1)
    ]


def write_playbook(job: Job, paths: Paths, seen: Seen) -> Path:
    """Write a playbook for plays that were given as data, or for a role.

    Ansible looks for roles, files, templates and group_vars next to the playbook, so the playbook's directory has a
    link to each entry of the project.
    """
    plays = list(job.plays) or [_role_play(job)]
    directory = paths.run_dir / "project"
    directory.mkdir(mode=0o700)
    names = _link_entries(paths.project, directory, seen)
    name = "main.json"
    while name in names:
        name = f"_{name}"
    return write_private(directory / name, json.dumps(plays))


def _link_entries(source: Path, target: Path, seen: Seen) -> Sequence[str]:
    if not source.is_dir():
        return []
    names = [entry.name for entry in source.iterdir()]
    for name in names:
        (target / name).symlink_to(seen(source / name))
    return names


def _role_play(job: Job) -> Mapping[str, Any]:
    role = {"role": job.role, **({"vars": job.role_vars} if job.role_vars else {})}
    return {"hosts": job.hosts or "all", "gather_facts": not job.role_skip_facts, "roles": [role]}
