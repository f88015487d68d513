"""A job that has a project but no private data directory: the project is sent as `project/` of one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.job_fields import list_inventory
from playstream.pipeline.protocol import FileEntry, Job, Record, TreeEnd
from playstream.pipeline.tree.directories import absolute_path
from playstream.pipeline.tree.listings import Hashed

_NAME = "project"


def project_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a job whose private data directory is its project.

    Inventories are relative to the current directory, as in a run on this host.

    Args:
        options: options of run() with `project_dir` and without `private_data_dir`.

    Raises:
        ConfigurationError: the project is the root or the home directory, which is not meant to be sent.
    """
    project = absolute_path(options["project_dir"])
    if project in {"/", os.path.expanduser("~")}:
        raise ConfigurationError(
            f"the directory of the playbook is {project!r}, and all of it would be sent. Move the playbook, and what "
            "it needs, to a directory of its own"
        )
    changed = {**options, "private_data_dir": project, "project_dir": "."}
    inventory = list_inventory(options)
    if inventory is not None:
        changed["inventory"] = [_from_here(item) for item in inventory]
    return changed


def _from_here(item: Any) -> Any:
    """Return the absolute path of an inventory that exists; anything else unchanged."""
    return absolute_path(item) if isinstance(item, str) and "," not in item and os.path.exists(item) else item


def job_below(job: Job) -> Job:
    """Return the job whose private data directory contains the project as `project/`."""
    inventory = None if job.inventory is None else tuple(_below(item) for item in job.inventory)
    return replace(job, project_dir=_NAME, inventory=inventory, roles_path=tuple(map(_below, job.roles_path)))


def _below(path: str) -> str:
    return path if "," in path else str(Path(_NAME) / path)


def records_below(records: Iterable[Record | Hashed]) -> Iterator[Record | Hashed]:
    """Yield the records of the tree that contains another tree as `project/`."""
    name = os.fsencode(_NAME)
    for record in records:
        if isinstance(record, TreeEnd):
            yield replace(record, entries=record.entries + 1)
        elif not isinstance(record, FileEntry):
            yield record
        elif record.path:
            yield replace(record, path=b"%b/%b" % (name, record.path))
        else:
            yield record
            yield replace(record, path=name)
