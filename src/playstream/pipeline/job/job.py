"""Making a Job from a caller's arguments and the files of the private data directory, which are checked once.

All errors that can be found before anything is sent or run are found here.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job import inputs
from playstream.pipeline.job.extravars import ExtraVars, split_extravars
from playstream.pipeline.job.ident import check_ident, is_text
from playstream.pipeline.job.isolation import read_isolation
from playstream.pipeline.job.lookup import Delivery, Lookup, closed_error, is_closed
from playstream.pipeline.job.passwords import check_passwords
from playstream.pipeline.job.roles import check_role
from playstream.pipeline.protocol import Job

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a caller; the names and meanings are ansible-runner's. None means not given.

    `playbook` is relative to `project_dir`, `plays` is a playbook that is not a file. `inventory` is any number of
    paths relative to the private data directory, host lists (with a comma), texts of an inventory, or mappings; none at
    all is no inventory. `command` is a whole command line. `verbosity` is the number of -v (0 to 7).
    """

    ident: str | None = None
    playbook: str | None = None
    plays: Sequence[Mapping[str, Any]] = ()
    command: Sequence[str] = ()
    binary: str | None = None
    module: str | None = None
    module_args: str | None = None
    role: str | None = None
    role_vars: Mapping[str, Any] = field(default_factory=dict)
    role_skip_facts: bool = False
    hosts: str | None = None
    project_dir: str | None = None
    inventory: Sequence[str | Mapping[str, Any]] | None = None
    roles_path: Sequence[str] = ()
    limit: str | None = None
    tags: str | None = None
    skip_tags: str | None = None
    forks: int | None = None
    verbosity: int = 0
    cmdline: str | None = None
    extravars: Sequence[ExtraVars] = field(default=(), repr=False)
    """Data, or texts of files; of two values of one name the later one wins."""
    envvars: Mapping[str, str] = field(default_factory=dict)
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ssh_key: str | None = field(default=None, repr=False)
    omit_event_data: bool = False
    only_failed_event_data: bool = False
    timeout: float | None = None
    """Seconds; stands above the settings job_timeout and subprocess_timeout."""
    env_files_win: bool = False
    """As ansible-runner has it: a name in the files envvars, passwords and settings stands above the argument."""


def make_job(private_data_dir: Path | None, arguments: Arguments, delivery: Delivery) -> Job:
    """Check `arguments` against the directory they are for.

    Args:
        private_data_dir: directory with `project/`, `inventory/` and `env/`; None for a job that needs none.
        arguments: what to run.
        delivery: how the directory gets to where the job runs.

    Raises:
        ConfigurationError: the job could not run as asked; the message names the argument, or the file and line.
    """
    if private_data_dir is not None and delivery is not Delivery.ARGUMENTS:
        _check_directory(private_data_dir)
    files = inputs.EnvFiles()
    command = tuple(arguments.command)
    if private_data_dir is not None:
        files = inputs.read_env_files(private_data_dir)
        command = command or inputs.read_command_file(private_data_dir)
    _check_what(arguments, command)
    _check_numbers(arguments)
    lookup = Lookup(private_data_dir, arguments.project_dir, delivery)
    inventory, contents = lookup.inventory(arguments.inventory)
    roles_path = lookup.roles_path(arguments.roles_path)
    texts, extravars = split_extravars("extravars", arguments.extravars)
    job = add_env_files(
        Job(
            ident=check_ident(arguments.ident) if arguments.ident else str(uuid.uuid4()),
            tree=delivery is Delivery.TREE,
            playbook=None if command else lookup.playbook(arguments.playbook),
            plays=() if command else tuple(inputs.check_json("playbook", play) for play in arguments.plays),
            command=command,
            binary=arguments.binary,
            module=None if command else arguments.module,
            module_args=arguments.module_args,
            role=None if command else arguments.role,
            role_vars=inputs.check_json("role_vars", arguments.role_vars),
            role_skip_facts=arguments.role_skip_facts,
            hosts=None if arguments.playbook else arguments.hosts or "all",
            project_dir=lookup.project_dir,
            inventory=inventory,
            inventory_contents=contents,
            roles_path=roles_path,
            limit=arguments.limit,
            tags=arguments.tags,
            skip_tags=arguments.skip_tags,
            forks=arguments.forks,
            verbosity=arguments.verbosity,
            cmdline=inputs.split_words("cmdline", arguments.cmdline or ""),
            extravars_texts=texts,
            extravars=extravars,
            envvars=inputs.check_envvars("envvars", arguments.envvars),
            passwords=check_passwords("passwords", arguments.passwords),
            ssh_key=inputs.check_ssh_key("ssh_key", arguments.ssh_key),
            settings=inputs.check_json("settings", arguments.settings, paths=True),
            timeout=arguments.timeout,
            env_files_win=arguments.env_files_win,
            omit_event_data=arguments.omit_event_data,
            only_failed_event_data=arguments.only_failed_event_data,
        ),
        files,
    )
    check_role(job, lookup.base, delivery, os.environ)
    # Only a directory that this job meets elsewhere has further files to be merged.
    return job if delivery is Delivery.ARGUMENTS else replace(job, timeout=None, env_files_win=False)


def check_job(job: Job) -> Job:
    """Check that a job can be run, and return it: the other side may have made it without `make_job`.

    Raises:
        ConfigurationError: it names what cannot be a directory, or a value is of the wrong kind or cannot be told to
            Ansible.
    """
    check_ident(job.ident)
    written = {
        "passwords": (*job.passwords, *job.passwords.values()),
        "inventory_contents": job.inventory_contents,
        "ssh_key": (job.ssh_key or "",),
        "extravars": job.extravars_texts,
    }
    for name, given in written.items():
        if not all(map(inputs.is_utf8, given)):
            raise ConfigurationError(f"{name}: a string contains a NUL or a lone surrogate (U+D800 to U+DFFF)")
    _check_what(job, job.command)
    _check_numbers(job)
    inputs.check_envvars("envvars", job.envvars)
    check_passwords("passwords", job.passwords)
    inputs.check_settings("settings", job.settings)
    read_isolation("settings", job.settings)
    inputs.check_ssh_key("ssh_key", job.ssh_key)
    inputs.check_json("extravars", job.extravars)
    inputs.check_json("role_vars", job.role_vars)
    for play in job.plays:
        inputs.check_json("plays", play)
    for item in fields(job):
        value = getattr(job, item.name)
        texts = [value] if isinstance(value, str) else value if isinstance(value, tuple) else ()
        if not all(is_text(text) for text in texts if isinstance(text, str)):
            raise ConfigurationError(f"{item.name}: a string contains a NUL or a lone surrogate (U+D800 to U+DFFF)")
    return job


def add_env_files(job: Job, files: inputs.EnvFiles) -> Job:
    """Return the job with what `env/` adds, here or where the job is run.

    What the job says already wins, name by name; with `env_files_win`, the names in envvars, passwords and settings do.
    Empty words and an empty key are the same as none. Of extra variables both are kept, the job's behind the file's.

    Raises:
        ConfigurationError: what they make together cannot be run, as with `check_job`.
    """

    def merge(ours: Mapping[str, _T], theirs: Mapping[str, _T]) -> dict[str, _T]:
        return {**ours, **theirs} if job.env_files_win else {**theirs, **ours}

    settings = merge(job.settings, files.settings)
    limits = {} if job.timeout is None else {"job_timeout": job.timeout, "subprocess_timeout": job.timeout}
    return check_job(
        replace(
            job,
            cmdline=job.cmdline or files.cmdline,
            extravars_texts=(*([files.extravars] if files.extravars else []), *job.extravars_texts),
            envvars=merge(job.envvars, files.envvars),
            passwords=merge(job.passwords, files.passwords),
            settings=_set_process_isolation({**settings, **limits}),
            ssh_key=job.ssh_key or files.ssh_key,
        )
    )


def _set_process_isolation(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with `process_isolation` set to True if an image requests a container."""
    inputs.check_settings("settings", settings)
    isolated = read_isolation("settings", settings) is not None
    return {**settings, "process_isolation": True} if isolated else settings


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


def _check_what(arguments: Arguments | Job, command: tuple[str, ...]) -> None:
    """One thing to run; a command line stands above the rest, as the file `args` does in ansible-runner."""
    given = {
        "playbook": arguments.playbook or arguments.plays,
        "module": arguments.module,
        "role": arguments.role,
    }
    names = [name for name, value in given.items() if value]
    if len(names) > 1 or not (names or command):
        raise ConfigurationError(
            f"expected one of playbook (-p), module (-m) and role (-r), got {' and '.join(names) or 'none'}"
        )


def _check_numbers(arguments: Arguments | Job) -> None:
    if arguments.forks is not None and arguments.forks < 1:
        raise ConfigurationError(f"forks: expected an integer of 1 or more, got {arguments.forks}")
    if not 0 <= arguments.verbosity <= 7:
        raise ConfigurationError(f"verbosity: expected 0 to 7, got {arguments.verbosity}")
