"""Reading the few settings of the user's ansible.cfg that playstream adds to.

An environment variable replaces what ansible.cfg says, so what is added has to be added to that. The order of the
files is the one in Ansible's documentation ("Ansible Configuration Settings").
"""

from __future__ import annotations

import configparser
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MAX_BYTES = 1 << 20
"""Of a file that is read: 1 MiB. One with every setting and its documentation has 30 KB."""


@dataclass(frozen=True, slots=True)
class AnsibleConfig:
    """The settings of one ansible.cfg, or of none."""

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

    With `only_project`, those elsewhere are left out, as they are this host's and not those of the job's container: all
    but the project's, and one that ANSIBLE_CONFIG names by a path relative to the project.
    """
    # Those of pathlib raise an error for a user who is not known here, as in a container without an entry for this one.
    home = Path(os.path.expanduser(env.get("HOME") or "~"))
    places = [cwd / "ansible.cfg", home / ".ansible.cfg", Path("/etc/ansible/ansible.cfg")]
    if _world_writable(cwd):
        del places[0]  # Ansible does not trust it there either
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
    """Return whether a path is another one on each host: it is absolute, or begins at a home or with a variable."""
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
            return {}  # it is no ansible.cfg, and reading it would take the memory of this host
        parser.read(path, encoding="utf-8")
        return dict(parser["defaults"])
    except (configparser.Error, KeyError, UnicodeDecodeError):
        return {}  # Ansible reads the same file and explains what is wrong with it
