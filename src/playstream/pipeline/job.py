"""What is to be run: a caller's arguments and the files of the private data directory, checked once, as a Job.

Everything that can be found wrong is found here, before a byte is sent and before anything runs.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from playstream.pipeline import inputs
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.ident import check_ident
from playstream.pipeline.protocol import Job

_COLLECTION_NAME = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*\.[A-Za-z_][\w.]*")
"""namespace.collection.name: a playbook or role that Ansible finds in a collection."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a caller asks for; the names and meanings are ansible-runner's. None means not given.

    `playbook` is relative to `project_dir`; `inventory` is one or more paths relative to the private data directory,
    or host lists (with a comma); `verbosity` is the number of -v (0 to 7).
    """

    ident: str | None = None
    playbook: str | None = None
    module: str | None = None
    module_args: str | None = None
    role: str | None = None
    role_vars: Mapping[str, Any] = field(default_factory=dict)
    role_skip_facts: bool = False
    hosts: str | None = None
    project_dir: str | None = None
    inventory: Sequence[str] = ()
    roles_path: Sequence[str] = ()
    limit: str | None = None
    tags: str | None = None
    skip_tags: str | None = None
    forks: int | None = None
    verbosity: int = 0
    cmdline: str | None = None
    extravars: Mapping[str, Any] = field(default_factory=dict)
    envvars: Mapping[str, str] = field(default_factory=dict)
    passwords: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    omit_event_data: bool = False
    only_failed_event_data: bool = False
    suppress_env_files: bool = False


def make_job(private_data_dir: Path, arguments: Arguments, *, tree: bool) -> Job:
    """Check `arguments` against the directory they are for.

    Args:
        private_data_dir: directory with `project/`, `inventory/` and `env/`.
        arguments: what to run.
        tree: True if the directory travels with the job. Otherwise the worker has a directory of its own, and paths
            are not looked for here.

    Raises:
        ConfigurationError: the job could not run as asked; the message names the argument, or the file and line.
    """
    if tree:
        _check_directory(private_data_dir)
    what = [name for name in ("playbook", "module", "role") if getattr(arguments, name)]
    if len(what) != 1:
        raise ConfigurationError(
            f"expected one of playbook (-p), module (-m) and role (-r), got {' and '.join(what) or 'none'}"
        )
    _check_numbers(arguments)
    files = inputs.EnvFiles() if arguments.suppress_env_files else inputs.read_env_files(private_data_dir)
    project = _relative("project_dir", arguments.project_dir or "project", private_data_dir)
    return Job(
        ident=check_ident(arguments.ident) if arguments.ident else str(uuid.uuid4()),
        tree=tree,
        playbook=_find_playbook(arguments.playbook, private_data_dir / project, look=tree),
        module=arguments.module,
        module_args=arguments.module_args,
        role=_find_role(arguments, private_data_dir, project, look=tree),
        role_vars=inputs.check_json("role_vars", arguments.role_vars),
        role_skip_facts=arguments.role_skip_facts,
        hosts=None if arguments.playbook else arguments.hosts or "all",
        project_dir=project,
        inventory=tuple(_find_inventory(item, private_data_dir, look=tree) for item in arguments.inventory),
        roles_path=tuple(_relative("roles_path", item, private_data_dir) for item in arguments.roles_path),
        limit=arguments.limit,
        tags=arguments.tags,
        skip_tags=arguments.skip_tags,
        forks=arguments.forks,
        verbosity=arguments.verbosity,
        cmdline=files.cmdline if arguments.cmdline is None else inputs.split_words("cmdline", arguments.cmdline),
        extravars={**files.extravars, **inputs.check_json("extravars", arguments.extravars)},
        envvars=inputs.check_envvars("envvars", {**files.envvars, **arguments.envvars}),
        passwords=inputs.check_passwords("passwords", {**files.passwords, **arguments.passwords}),
        settings=inputs.check_settings("settings", {**files.settings, **arguments.settings}),
        omit_event_data=arguments.omit_event_data,
        only_failed_event_data=arguments.only_failed_event_data,
    )


def add_env_files(job: Job, files: inputs.EnvFiles) -> Job:
    """The job with what `env/` adds where the job is run; what the job already says wins, name by name."""
    return replace(
        job,
        cmdline=job.cmdline or files.cmdline,
        extravars={**files.extravars, **job.extravars},
        envvars={**files.envvars, **job.envvars},
        passwords={**files.passwords, **job.passwords},
        settings={**files.settings, **job.settings},
    )


def _check_directory(directory: Path) -> None:
    if not directory.exists():
        raise ConfigurationError(
            f"the private data directory {str(directory)!r} does not exist. Create it, with the playbooks in its "
            "project/ and the hosts in its inventory/"
        )
    if not directory.is_dir():
        raise ConfigurationError(f"the private data directory {str(directory)!r} is not a directory")
    if not os.access(directory, os.R_OK | os.X_OK):
        raise ConfigurationError(f"the private data directory {str(directory)!r} may not be read by this user")


def _check_numbers(arguments: Arguments) -> None:
    if arguments.forks is not None and arguments.forks < 1:
        raise ConfigurationError(f"forks: expected a whole number from 1, got {arguments.forks}")
    if not 0 <= arguments.verbosity <= 7:
        raise ConfigurationError(f"verbosity: expected 0 to 7, got {arguments.verbosity}")


def _relative(name: str, path: str, directory: Path) -> str:
    """`path` relative to the private data directory, which it must not leave."""
    relative = _below(directory, path)
    if relative is None:
        raise ConfigurationError(
            f"{name} {path!r} is outside the private data directory {str(directory)!r}, so it would not reach the "
            "worker. Move it into the directory"
        )
    return relative


def _below(directory: Path, path: str) -> str | None:
    """`path`, taken from `directory`, relative to it; None when it leaves it. By its text: links are the user's own."""
    base = os.path.abspath(directory)
    relative = os.path.relpath(os.path.join(base, path), base)
    return None if relative.split(os.sep)[0] == os.pardir else relative


def _find_playbook(playbook: str | None, project: Path, *, look: bool) -> str | None:
    if playbook is None:
        return None
    relative = _below(project, playbook)
    if relative is None:
        raise ConfigurationError(f"playbook {playbook!r} is outside the project {str(project)!r}; move it there")
    if not look:
        return relative
    path = project / relative
    if not path.exists():
        if _COLLECTION_NAME.fullmatch(playbook):
            return playbook
        raise ConfigurationError(
            f"playbook {playbook!r} was not found in {str(project)!r}{_list_playbooks(project)}"
        )
    if not path.is_file():
        raise ConfigurationError(f"playbook {playbook!r} in {str(project)!r} is not a file")
    if not os.access(path, os.R_OK):
        raise ConfigurationError(f"playbook {str(path)!r} may not be read by this user; see its mode and owner")
    return relative


def _list_playbooks(project: Path) -> str:
    if not project.is_dir():
        return ", which does not exist: playbooks belong into project/ of the private data directory"
    names = sorted(item.name for item in project.iterdir() if item.suffix in {".yml", ".yaml"})
    return f"; there are: {', '.join(names[:10])}" if names else ", which holds no playbook"


def _find_role(arguments: Arguments, directory: Path, project: str, *, look: bool) -> str | None:
    role = arguments.role
    if role is None or not look or _COLLECTION_NAME.fullmatch(role):
        return role
    places = [directory / project / "roles", *(directory / path for path in arguments.roles_path), directory / "roles"]
    if not any((place / role).is_dir() for place in places):
        raise ConfigurationError(
            f"role {role!r} was not found in {', '.join(str(place) for place in places)}; put it there or name "
            "its place with roles_path"
        )
    return role


def _find_inventory(item: str, directory: Path, *, look: bool) -> str:
    if "," in item:
        return item
    relative = _relative("inventory", item, directory)
    if look and not (directory / relative).exists():
        in_inventory = f"inventory/{item}"
        if (directory / in_inventory).exists():
            return in_inventory
        raise ConfigurationError(
            f"inventory {item!r} was not found in {str(directory)!r}. A list of hosts needs a comma: {item + ','!r}"
        )
    return relative
