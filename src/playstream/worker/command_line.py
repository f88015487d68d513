"""The command line: the job's fields as Ansible's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playstream.pipeline.errors import JobError
from playstream.pipeline.job.options import ANSIBLE_OPTIONS
from playstream.pipeline.job.passwords import ask_for_passwords
from playstream.pipeline.protocol import Job
from playstream.worker.paths import Paths
from playstream.worker.run_files import Seen, write_extravars, write_inventories, write_playbook

COMMA_VARIABLE = "PLAYSTREAM_COMMA"
"""Replaces a comma in the path of an inventory, which Ansible would read as a list of hosts. Ansible expands it."""


def make_command_line(job: Job, paths: Paths, seen: Seen, *, checked: bool = False) -> list[str]:
    """Write the files that the command line names into the run directory, and return its arguments.

    Args:
        job: the job.
        paths: its paths on this host.
        seen: converts a path to its name where the job runs.
        checked: whether the playbook was already looked up, on this host.

    Raises:
        JobError: the playbook is not on this host.
    """
    if job.command:
        return list(job.command)
    words = [job.binary or ("ansible" if job.module else "ansible-playbook")]
    words += _options(job, paths, seen)
    if job.module:
        words += [job.hosts or "all", "-m", job.module]
        if job.module_args:
            words += ["-a", job.module_args]
    elif job.role or job.plays:
        words.append(str(seen(write_playbook(job, paths, seen))))
    else:
        playbooks = (job.playbook or "", *job.more_playbooks)
        if not checked:
            _check_playbooks(playbooks, job, paths)
        words += playbooks
    return words


def _check_playbooks(playbooks: Sequence[str], job: Job, paths: Paths) -> None:
    for playbook in playbooks:
        if not (paths.cwd / playbook).exists() and not job.tree and playbook.count(".") < 2:
            raise JobError(
                f"playbook {playbook!r} is not in {str(paths.project)!r} on the worker, and no tree was sent. Transmit "
                "without --only-transmit-kwargs, or pass the worker the --private-data-dir that contains it"
            )


def _options(job: Job, paths: Paths, seen: Seen) -> list[str]:
    words: list[str] = []
    for item in _inventory(job, paths, seen):
        words += ["-i", item]
    for option in ANSIBLE_OPTIONS:
        if option.for_module or not job.module:
            words += option.words(getattr(job, option.name))
    if job.verbosity:
        words.append("-" + "v" * job.verbosity)
    for path in write_extravars(job, paths):
        words += ["-e", f"@{seen(path)}"]
    return [*words, *ask_for_passwords(job.passwords, job.cmdline), *job.cmdline]


def _inventory(job: Job, paths: Paths, seen: Seen) -> list[str]:
    def source(path: Path) -> str:
        return str(seen(path)).replace(",", f"${{{COMMA_VARIABLE}}}")

    if job.inventory is None and not job.inventory_contents:
        default = paths.private_data_dir / "inventory"
        return [source(default)] if default.exists() else []
    named = [item if "," in item else source(paths.private_data_dir / item) for item in job.inventory or ()]
    return named + [source(path) for path in write_inventories(job, paths)]
