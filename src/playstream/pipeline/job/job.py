"""Making a Job from a caller's options and the files of the private data directory, and checking it once on each side.

All errors that can be found before anything is sent or run are found here. The sending side converts options to the
fields of a Job and rejects values that cannot be converted; `_check_values` checks the rest. A Job from another side
may have been made in any way: `check_job` checks everything.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job import inputs
from playstream.pipeline.job.extravars import read_extravars, split_extravars
from playstream.pipeline.job.fast import hold_back
from playstream.pipeline.job.galaxy import check_place
from playstream.pipeline.job.ident import check_ident, is_text
from playstream.pipeline.job.isolation import read_isolation
from playstream.pipeline.job.job_fields import (
    convert_fields,
    find_hosts,
    find_playbook,
    join_settings,
    list_inventory,
    list_roles_path,
)
from playstream.pipeline.job.lookup import Delivery, Lookup, closed_error, is_closed
from playstream.pipeline.job.near_misses import warn_of_near_misses
from playstream.pipeline.job.options import ANSIBLE_OPTIONS
from playstream.pipeline.job.passwords import check_passwords
from playstream.pipeline.job.roles import check_role
from playstream.pipeline.limits import check_seconds
from playstream.pipeline.protocol import Job

_T = TypeVar("_T")


def make_job(
    options: Mapping[str, Any],
    delivery: Delivery,
    *,
    command: Sequence[str] = (),
    from_elsewhere: bool = False,
    has_env: bool = True,
    awaits_galaxy: bool = False,
) -> Job:
    """Make a Job from a caller's options and the private data directory.

    Args:
        options: options of run() with the right types, without those that are None; options that do not concern the job
            are ignored. `private_data_dir` is the directory with `project/`, `inventory/` and `env/`, or None for a job
            that needs none.
        delivery: how the directory gets to where the job runs.
        command: a whole command line.
        from_elsewhere: whether another host has sent the options, where warnings about them belong.
        has_env: whether the directory has files of playstream: those of `env/`, and `args`.
        awaits_galaxy: whether roles are still to be installed: the caller then checks the role afterwards.

    Raises:
        ConfigurationError: the job cannot run as requested; the message names the argument, or the file and line.
    """
    path = options.get("private_data_dir")
    directory = None if path is None else Path(path)
    if directory is not None and delivery is not Delivery.ARGUMENTS:
        _check_directory(directory)
    texts, extravars = split_extravars("extravars", read_extravars(options.get("extravars", ()), directory or "."))
    files = inputs.EnvFiles()
    command = tuple(command)
    if directory is not None and has_env:
        files = inputs.read_env_files(directory)
        command = command or inputs.read_command_file(directory)
    if not from_elsewhere:
        warn_of_near_misses(directory, options, files.settings, files.passwords)
    playbooks, plays = find_playbook(options)
    hosts = find_hosts(options)
    given = convert_fields(options)
    _check_what(playbooks or plays, given.get("module"), given.get("role"), command)
    _check_module_options(given)
    project = options.get("project_dir")
    lookup = Lookup(directory, None if project is None else os.fspath(project), delivery)
    what: dict[str, Any] = {"module": None, "role": None}
    if not command:
        first, *more = map(lookup.playbook, playbooks or (None,))
        what = {"playbook": first, "more_playbooks": tuple(filter(None, more)), "plays": plays}
    inventory, contents = lookup.inventory(list_inventory(options))
    if inventory is None and directory is not None and not command:
        lookup.check_inventory("inventory")
    job = Job(
        ident=str(options.get("ident", "")) or str(uuid.uuid4()),
        tree=delivery is Delivery.TREE,
        command=command,
        hosts=None if playbooks else hosts or "all",
        project_dir=lookup.project_dir,
        inventory=inventory,
        inventory_contents=contents,
        roles_path=lookup.roles_path(list_roles_path(options)),
        extravars_texts=texts,
        extravars=extravars,
        settings=join_settings(options),
        **{**given, **what},
    )
    job = _check_values(add_env_files(job, files))
    if not awaits_galaxy:
        check_role(job, lookup.base, delivery, os.environ)
    job = hold_back(job, sent=delivery is not Delivery.IN_PLACE)
    # Only the worker's own directory has more files to merge.
    return job if delivery is Delivery.ARGUMENTS else replace(job, timeout=None, env_files_win=False)


def check_job(job: Job) -> Job:
    """Check that a job from another side can be run, and return it as `make_job` would have made it.

    Raises:
        ConfigurationError: a directory name is not valid, or a value has the wrong type or cannot be passed to Ansible.
    """
    _check_what(job.playbook or job.plays, job.module, job.role, job.command)
    if job.more_playbooks and not job.playbook:
        raise ConfigurationError("more_playbooks: expected a playbook that they follow, got none")
    inputs.check_envvars("envvars", job.envvars)
    check_passwords("passwords", job.passwords)
    inputs.check_ssh_key("ssh_key", job.ssh_key)
    inputs.check_json("extravars", job.extravars)
    inputs.check_json("role_vars", job.role_vars)
    for play in job.plays:
        inputs.check_json("plays", play)
    check_place(job.galaxy)
    return _check_values(job)


def add_env_files(job: Job, files: inputs.EnvFiles) -> Job:
    """Return the job with the content of `env/` added, here or where the job runs. The caller must check it afterwards.

    Names in the job take precedence; with `env_files_win`, names in the files envvars, passwords and settings do. Empty
    arguments and an empty key are the same as none. Extra variables of both are kept, the job's after the file's.
    """

    def merge(ours: Mapping[str, _T], theirs: Mapping[str, _T]) -> dict[str, _T]:
        return {**ours, **theirs} if job.env_files_win else {**theirs, **ours}

    limits = {} if job.timeout is None else {"job_timeout": job.timeout, "subprocess_timeout": job.timeout}
    return replace(
        job,
        cmdline=job.cmdline or files.cmdline,
        extravars_texts=(*([files.extravars] if files.extravars else []), *job.extravars_texts),
        envvars=merge(job.envvars, files.envvars),
        passwords=merge(job.passwords, files.passwords),
        settings={**merge(job.settings, files.settings), **limits},
        ssh_key=job.ssh_key or files.ssh_key,
    )


def _check_values(job: Job) -> Job:
    """Check what the types of the fields do not ensure. Return the job, with `process_isolation` if isolated.

    Raises:
        ConfigurationError: a value cannot be used; the message names it.
    """
    check_ident(job.ident)
    if job.timeout is not None:
        check_seconds("timeout", job.timeout)
    written = {
        "passwords": (*job.passwords, *job.passwords.values()),
        "inventory_contents": job.inventory_contents,
        "ssh_key": (job.ssh_key or "",),
        "extravars": job.extravars_texts,
    }
    for name, given in written.items():
        if not all(map(inputs.is_utf8, given)):
            raise ConfigurationError(f"{name}: a string contains a NUL or a lone surrogate (U+D800 to U+DFFF)")
    if job.forks is not None and job.forks < 1:
        raise ConfigurationError(f"forks: expected an integer of 1 or more, got {job.forks}")
    if not 0 <= job.verbosity <= 7:
        raise ConfigurationError(f"verbosity: expected 0 to 7, got {job.verbosity}")
    settings = inputs.check_settings("settings", job.settings)
    isolation = read_isolation("settings", settings)
    for item in fields(job):
        value = getattr(job, item.name)
        texts = [value] if isinstance(value, str) else value if isinstance(value, tuple) else ()
        if not all(is_text(text) for text in texts if isinstance(text, str)):
            raise ConfigurationError(f"{item.name}: a string contains a NUL or a lone surrogate (U+D800 to U+DFFF)")
    return job if isolation is None else replace(job, settings={**settings, "process_isolation": True})


def _check_directory(directory: Path) -> None:
    if is_closed(directory) or (os.path.isdir(directory) and not os.access(directory, os.R_OK | os.X_OK)):
        raise closed_error("the private data directory", directory)
    if not os.path.exists(directory):
        raise ConfigurationError(
            f"the private data directory {str(directory)!r} does not exist. Create it, with the playbooks in its "
            "project/ and the hosts in its inventory/"
        )
    if not os.path.isdir(directory):
        raise ConfigurationError(f"the private data directory {str(directory)!r} is not a directory")


def _check_module_options(given: Mapping[str, Any]) -> None:
    """Refuse options that Ansible does not have for a module. Those that ansible-runner accepts have no effect."""
    for option in ANSIBLE_OPTIONS:
        if given.get("module") and given.get(option.name) and not (option.for_module or option.runner_keyword):
            raise ConfigurationError(
                f"{option.name} applies to a playbook or role, but this job runs a module: omit it"
            )


def _check_what(playbook: object, module: object, role: object, command: Sequence[str]) -> None:
    """Check that there is one thing to run. A command line overrides the rest, as the file `args` in ansible-runner."""
    given = {"playbook": playbook, "module": module, "role": role}
    names = [name for name, value in given.items() if value]
    if len(names) > 1 or not (names or command):
        raise ConfigurationError(
            f"expected one of playbook (-p), module (-m) and role (-r), got {' and '.join(names) or 'none'}"
        )
