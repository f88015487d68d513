"""Reading the few settings of the user's ansible.cfg that playstream adds to.

An environment variable replaces the value in ansible.cfg, so additions must be appended to that value. The order of the
files is that of Ansible's documentation ("Ansible Configuration Settings").
"""

from __future__ import annotations

import configparser
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MAX_BYTES = 1 << 20
"""Maximum size of a file: 1 MiB. A file with every setting and its documentation has 30 KB."""


@dataclass(frozen=True, slots=True)
class AnsibleConfig:
    """The settings of one ansible.cfg; empty if there is none."""

    path: Path | None
    values: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """Return the value of `name` in section `[defaults]`."""
        return self.values.get(name)

    def get_paths(self, name: str) -> list[str] | None:
        """Return a list of directories; relative ones are relative to the file's directory, as in Ansible."""
        text = self.get(name)
        if text is None or self.path is None:
            return None
        base = self.path.parent
        return [str(base / os.path.expandvars(os.path.expanduser(item.strip()))) for item in text.split(":") if item]


def find_ansible_config(env: Mapping[str, str], cwd: Path, *, only_project: bool = False) -> AnsibleConfig:
    """Find the ansible.cfg that Ansible will use when it is started with `env` in `cwd`.

    With `only_project`, files that belong to this host and not to the job's container are ignored: all but the
    project's, and one that ANSIBLE_CONFIG names by a path relative to the project.
    """
    # pathlib's functions raise an error for an unknown user, as in a container without an entry for this one.
    home = Path(os.path.expanduser(env.get("HOME") or "~"))
    places = [cwd / "ansible.cfg", home / ".ansible.cfg", Path("/etc/ansible/ansible.cfg")]
    if _world_writable(cwd):
        del places[0]  # Ansible does not read it there either
    named = env.get("ANSIBLE_CONFIG")
    if only_project:
        places = places[:1] if places[0].parent == cwd else []
        named = named if named and not is_elsewhere(named) else None
    if named:
        path = cwd / os.path.expanduser(os.path.expandvars(named))
        places.insert(0, path / "ansible.cfg" if os.path.isdir(path) else path)
    for path in places:
        if os.path.isfile(path) and os.access(path, os.R_OK):
            return AnsibleConfig(path, _read_defaults(path))
    return AnsibleConfig(None, {})


def is_elsewhere(path: str) -> bool:
    """Return whether a path means something else on each host: it is absolute, or begins with a home or a variable."""
    return path.startswith(("/", "~")) or "$" in path


def _world_writable(directory: Path) -> bool:
    try:
        return bool(directory.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False


def _read_defaults(path: Path) -> Mapping[str, str]:
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
    try:
        if path.stat().st_size > _MAX_BYTES:
            return {}  # not an ansible.cfg, and reading it could use up the memory of this host
        parser.read(path, encoding="utf-8")
        return dict(parser["defaults"])
    except (configparser.Error, KeyError, UnicodeDecodeError):
        return {}  # Ansible reads the same file and explains what is wrong with it
