"""Collections and roles that were installed for a job: where they are, and where Ansible looks for them.

What is in the private data directory comes first in Ansible's search, then what was installed for the job, and what the
host has comes last.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.ansible_config import AnsibleConfig, find_ansible_config, is_elsewhere
from playstream.pipeline.job.isolation import INSIDE, read_isolation
from playstream.pipeline.protocol import Job

PLACE = ".playstream-galaxy"
"""Name of the directory that travels at the top of the private data directory."""
COLLECTIONS, ROLES = "collections", "roles"
_SENT = re.compile(rf"{re.escape(PLACE)}/[0-9a-f]{{32}}")


@dataclass(frozen=True, slots=True)
class Installed:
    """A directory with `collections/`, `roles/` or both."""

    directory: Path
    name: str
    """The digest of its content, in hexadecimal digits."""
    lock: object = None
    """Keeps the directory from being removed."""

    @property
    def place(self) -> str:
        """Where it travels, relative to the private data directory."""
        return f"{PLACE}/{self.name}"

    def has(self, kind: str) -> bool:
        """Return whether it has collections, or roles."""
        return os.path.isdir(self.directory / kind)


@dataclass(frozen=True, slots=True)
class SearchPath:
    """Where Ansible looks for collections, or for roles."""

    kind: str
    variables: tuple[str, ...]
    """The variable that sets it, and older ones."""
    settings: tuple[str, ...]
    """The same in ansible.cfg."""
    of_host: tuple[str, ...]
    """The directories of the host in Ansible's default."""

    def of_variable(self, env: Mapping[str, str]) -> list[str] | None:
        """Return the directories that a variable names; None if none does."""
        found = next(filter(None, map(env.get, self.variables)), None)
        return None if found is None else found.split(":")

    def of_config(self, config: AnsibleConfig) -> list[str] | None:
        """Return the directories that ansible.cfg names; None if it names none."""
        return next((found for name in self.settings if (found := config.get_paths(name)) is not None), None)

    def default(self, env: Mapping[str, str], config: AnsibleConfig) -> list[str]:
        """Return the directories of Ansible's default."""
        home = env.get("ANSIBLE_HOME") or config.get("home") or "~/.ansible"
        return [f"{home}/{self.kind}", *self.of_host]

    def directories(self, env: Mapping[str, str], config: AnsibleConfig) -> list[str]:
        """Return the directories of a variable, or else of ansible.cfg, or else of Ansible's default."""
        named = self.of_variable(env)
        named = self.of_config(config) if named is None else named
        return self.default(env, config) if named is None else named


COLLECTION_PATH = SearchPath(
    COLLECTIONS,
    ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_COLLECTIONS_PATHS"),
    ("collections_path", "collections_paths"),
    ("/usr/share/ansible/collections",),
)
ROLE_PATH = SearchPath(
    ROLES, ("ANSIBLE_ROLES_PATH",), ("roles_path",), ("/usr/share/ansible/roles", "/etc/ansible/roles")
)


def add_directory(directories: Sequence[str], added: str, comes_first: Callable[[str], bool]) -> list[str]:
    """Return a search path with one more directory, after those that come first and before the others."""
    first = [directory for directory in directories if comes_first(directory)]
    return [*first, added, *(directory for directory in directories if directory not in first)]


def check_place(place: str | None) -> None:
    """Check the place that a job from another side names.

    Raises:
        ConfigurationError: it is another one than the sender's own.
    """
    if place is not None and not _SENT.fullmatch(place):
        raise ConfigurationError(f"galaxy: expected {PLACE}/ and a digest, got {place!r}")


def find_variables(job: Job, installed: Installed, project: Path, base: Path | None) -> dict[str, str]:
    """Return the variables by which Ansible finds what was installed, for a worker that does not know of it.

    Their directories are relative to where that worker starts Ansible.

    Args:
        job: the job.
        installed: what travels with it.
        project: the directory of its playbooks on this host.
        base: its private data directory on this host; None if the project travels alone.

    Raises:
        ConfigurationError: the job runs in a copy of its project, from which it cannot be found.
    """
    if job.settings.get("directory_isolation_base_path"):
        raise ConfigurationError(
            "directory_isolation_base_path: cannot be combined with galaxy in ansible-runner's protocol. Use "
            "playstream's own protocol"
        )
    isolation = read_isolation("settings", job.settings)
    project = Path(os.path.realpath(project))
    below = job.project_dir if base is None else os.path.relpath(project, os.path.realpath(base))

    def there(path: str) -> str:
        """Return a path relative to the private data directory as Ansible finds it there."""
        if isolation is not None and isolation.containerized:
            return str(INSIDE / os.path.normpath(path))
        return os.path.relpath(path, "." if job.module else below)

    def is_inside(directory: str) -> bool:
        return not is_elsewhere(directory) or Path(directory).is_relative_to(INSIDE)

    config = find_ansible_config(job.envvars, project, only_project=True)
    found = {}
    for path in (COLLECTION_PATH, ROLE_PATH):
        if not installed.has(path.kind):
            continue
        named = path.of_variable(job.envvars)
        if named is None and config.path is not None:
            text = next(filter(None, map(config.get, path.settings)), "")
            place = os.path.join(below, os.path.relpath(os.path.realpath(config.path.parent), project))
            items = [item.strip() for item in text.split(":") if item.strip()]
            named = [item if is_elsewhere(item) else there(os.path.join(place, item)) for item in items] or None
        named = path.default(job.envvars, config) if named is None else named
        found[path.variables[0]] = ":".join(add_directory(named, there(f"{installed.place}/{path.kind}"), is_inside))
    return found
