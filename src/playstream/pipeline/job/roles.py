"""The search path for roles, for the check before a run and for Ansible's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from string import Template

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.ansible_config import find_ansible_config, is_elsewhere
from playstream.pipeline.job.galaxy import ROLE_PATH, ROLES, Installed
from playstream.pipeline.job.isolation import read_isolation
from playstream.pipeline.job.lookup import COLLECTION_NAME, Delivery
from playstream.pipeline.protocol import Job


def own_role_directories(job: Job, private_data_dir: Path, project: Path) -> list[Path]:
    """Return the role directories of a job: those of its argument, the project and the private data directory."""
    return [
        *(private_data_dir / os.path.expanduser(path) for path in job.roles_path),
        project / "roles",
        private_data_dir / "roles",
    ]


def check_role(
    job: Job,
    private_data_dir: Path,
    delivery: Delivery,
    here: Mapping[str, str],
    installed: Installed | None = None,
) -> None:
    """Check that the job's role is where Ansible will look for it.

    Ansible itself checks what is only known on the host of the job: roles in a container's image, and directories of a
    variable or ansible.cfg that are not sent.

    Args:
        job: the job, with the content of `env/` added.
        private_data_dir: the private data directory on this host.
        delivery: how the directory gets to where the job runs.
        here: this host's environment.
        installed: what was installed for the job; None for nothing.

    Raises:
        ConfigurationError: the role is in none of the directories.
    """
    role = job.role
    if role is None or COLLECTION_NAME.fullmatch(role) or "{{" in role:
        return
    if delivery in {Delivery.ARGUMENTS, Delivery.UNCHECKED}:
        return
    isolation = read_isolation("settings", job.settings)
    on_this_host = delivery is Delivery.IN_PLACE
    if installed is not None and os.path.exists(installed.directory / ROLES / role):
        return
    if on_this_host and isolation is not None and isolation.containerized:
        return
    project = private_data_dir / job.project_dir
    start = project if os.path.isdir(project) else private_data_dir
    env = {**(here if on_this_host else {}), **job.envvars}
    named = ROLE_PATH.of_variable(env)
    if not on_this_host and named is None and is_elsewhere(env.get("ANSIBLE_CONFIG", "")):
        return  # a file on the worker's host sets the search path
    config = find_ansible_config(env, start, only_project=not on_this_host)
    own = [str(path) for path in own_role_directories(job, private_data_dir, project)]
    if named is None and not on_this_host:
        named = ROLE_PATH.of_config(config) or []
    searched = [*own, *(ROLE_PATH.directories(env, config) if named is None else named)]
    # Ansible also looks next to the playbook and tries the name as a path.
    places = [*(_expand(path, start, env) for path in searched if path), project, start]
    if any(os.path.exists(place / role) for place in places):
        return
    if not on_this_host and any(not _lies_in(place, private_data_dir) for place in (*places, start / role)):
        return
    raise ConfigurationError(
        f"role {role!r} was not found in {', '.join(map(str, dict.fromkeys(places)))}. Move it there, or set "
        "roles_path to its directory"
    )


def _expand(path: str, start: Path, env: Mapping[str, str]) -> Path:
    """Expand a directory as Ansible does when it is started in `start` with the variables `env`."""
    text = Template(path).safe_substitute(env)
    if text.startswith("~/") and env.get("HOME"):
        text = env["HOME"] + text[1:]
    return start / os.path.expanduser(text)


def _lies_in(path: Path, directory: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(directory)
