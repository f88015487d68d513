"""Looking up the playbook, role and inventory of a job, once, before anything is sent or run."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import ConfigurationError, did_you_mean
from playstream.pipeline.job.plain import copy_plain
from playstream.pipeline.tree.directories import absolute_path, current_directory

COLLECTION_NAME = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*\.[A-Za-z_][\w.]*")
"""namespace.collection.name: a playbook or role that Ansible finds in a collection."""
_INVENTORY_TEXT = re.compile(r"[\n=\[]|\S\s+\S")
"""Characters that the text of an inventory has, but not the name of one: for lines, variables and groups."""


class Delivery(Enum):
    """How the private data directory gets to where the job runs."""

    TREE = "tree"
    """It is sent with the job, so everything that the job needs must be in it."""
    ARGUMENTS = "arguments"
    """It is not sent: the worker has its own directory, and paths are not looked up here."""
    IN_PLACE = "in place"
    """The job runs here and may use files outside of the directory."""
    UNCHECKED = "unchecked"
    """Like IN_PLACE, but missing files are not an error: Ansible reports them."""


class Lookup:
    """Finds things relative to a private data directory.

    Args:
        private_data_dir: the directory; None for a job that has none, whose paths are relative to the current
            directory.
        project_dir: the directory of playbooks, instead of `project`.
        delivery: how the directory gets to where the job runs.

    Raises:
        ConfigurationError: `project_dir` is not a directory, or would not reach the worker.
    """

    def __init__(self, private_data_dir: Path | None, project_dir: str | None, delivery: Delivery) -> None:
        self._directory = private_data_dir
        self.base = Path(current_directory() if private_data_dir is None else absolute_path(private_data_dir))
        """The directory that relative paths start from."""
        self._anywhere = delivery in {Delivery.IN_PLACE, Delivery.UNCHECKED}
        self._strict = delivery is not Delivery.UNCHECKED
        self._look = delivery is not Delivery.ARGUMENTS
        self._has_project = private_data_dir is not None or bool(project_dir) or not self._look
        self.project_dir = self.relative("project_dir", project_dir) if project_dir else "project"
        """Relative to the private data directory, or absolute."""
        if project_dir and self._look and self._strict:
            self._check_project(project_dir)

    def relative(self, name: str, path: str) -> str:
        """Return `path` relative to the private data directory; absolute if the job runs in place and it is outside.

        Raises:
            ConfigurationError: it would not reach the worker.
        """
        full = os.path.join(self.base, os.path.expanduser(path))
        if self._directory is None and self._anywhere:
            return full
        relative = _below(self.base, full)
        if relative is not None:
            return relative
        if self._anywhere:
            return os.path.abspath(full)
        raise ConfigurationError(
            f"{name} {path!r} is outside the private data directory {str(self._directory)!r}, so it would not reach "
            "the worker. Move it into the directory"
        )

    def _check_project(self, named: str) -> None:
        project = self.base / self.project_dir
        if is_closed(project):
            raise closed_error("the project directory", project)
        if os.path.isdir(project):
            return
        wrong = "is not a directory" if os.path.exists(project) else "does not exist"
        raise ConfigurationError(
            f"the project directory {named!r} {wrong}: expected an absolute path, or one relative to {str(self.base)!r}"
        )

    def playbook(self, playbook: str | None) -> str | None:
        """Return the playbook relative to the project; absolute if the job runs in place and it is outside.

        Raises:
            ConfigurationError: there is none, or it would not reach the worker.
        """
        if playbook is None:
            return None
        if not self._has_project:
            raise ConfigurationError(
                f"playbook {playbook!r}: a private_data_dir or a project_dir is required to find it in. Pass plays "
                "that are not in a file as a list"
            )
        project = self.base / self.project_dir
        if self._anywhere and self._directory is not None and not os.path.isdir(project):
            project = self.base  # where Ansible starts in that case
        relative = _below(project, os.path.join(project, playbook))
        if relative is None and self._anywhere:
            relative = os.path.abspath(project / playbook)
        if relative is None:
            raise ConfigurationError(f"playbook {playbook!r} is outside the project {str(project)!r}; move it there")
        if not self._look:
            return relative
        path = project / relative
        if not os.path.exists(path) and COLLECTION_NAME.fullmatch(playbook):
            return playbook
        if not self._strict:
            return relative
        if is_closed(path) or (os.path.isfile(path) and not os.access(path, os.R_OK)):
            raise closed_error("playbook", path)
        if not os.path.exists(path):
            raise ConfigurationError(
                f"playbook {playbook!r} was not found in {str(project)!r}{_list_playbooks(project, playbook)}"
            )
        if not os.path.isfile(path):
            raise ConfigurationError(f"playbook {playbook!r} in {str(project)!r} is not a file")
        return relative

    def roles_path(self, items: Sequence[str]) -> tuple[str, ...]:
        """Return directories of roles, relative to the private data directory or absolute.

        A path that exists in the project refers to it, as in ansible-runner, which passes the path unchanged and starts
        Ansible in the project.

        Raises:
            ConfigurationError: one would not reach the worker.
        """
        found = []
        for item in items:
            inside = os.path.join(self.project_dir, item)
            in_project = self._look and not item.startswith("~") and os.path.isdir(self.base / inside)
            found.append(self.relative("roles_path", inside if in_project else item))
        return tuple(found)

    def inventory(
        self, items: Sequence[str | Mapping[str, Any]] | None
    ) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
        """Return the paths and host lists in `items`, and the texts of inventories that are not files.

        Raises:
            ConfigurationError: there is no such inventory, or it would not reach the worker.
        """
        if items is None:
            return None, ()
        named: list[str] = []
        contents: list[str] = []
        for item in items:
            if isinstance(item, str) and not self._is_content(item):
                named.append(item if "," in item else self._find_inventory(item))
            else:
                contents.append(convert_text(item) if isinstance(item, str) else write_inventory(item))
        return tuple(named), tuple(contents)

    def _is_content(self, item: str) -> bool:
        if _INVENTORY_TEXT.search(item):
            return "\n" in item or not os.path.exists(self.base / item)
        return item == "localhost" or _is_address(item)

    def check_inventory(self, path: str) -> None:
        """Check that this user can read an inventory that the job uses in its place, if it exists.

        Ansible calls a directory that it cannot list a bug of its own.

        Raises:
            ConfigurationError: this user cannot read it.
        """
        full = self.base / path
        mode = os.R_OK | os.X_OK if os.path.isdir(full) else os.R_OK
        if self._anywhere and self._strict and os.path.exists(full) and not os.access(full, mode):
            raise closed_error("inventory", full)

    def _find_inventory(self, item: str) -> str:
        if not item:
            raise ConfigurationError(
                "inventory: expected a path, a list of hosts or the content of an inventory, got an empty string"
            )
        relative = self.relative("inventory", item)
        if self._look and not os.path.exists(self.base / relative):
            in_inventory = f"inventory/{item}"
            if os.path.exists(self.base / in_inventory):
                self.check_inventory(in_inventory)
                return self.relative("inventory", in_inventory)
            if not self._strict:
                return relative
            for name in (relative, in_inventory):
                if is_closed(self.base / name):
                    raise closed_error("inventory", self.base / name)
            raise ConfigurationError(
                f"inventory {item!r} was not found in {str(self.base)!r}. A list of hosts requires a comma: "
                f"{item + ','!r}"
            )
        self.check_inventory(relative)
        return relative


def is_closed(path: str | os.PathLike[str]) -> bool:
    """Return whether this user has no permission to check whether the path exists."""
    try:
        os.stat(path)
    except PermissionError:
        return True
    except (OSError, ValueError):  # ValueError: a NUL, so no such path exists
        return False
    return False


def closed_error(what: str, path: Path) -> ConfigurationError:
    """Return the error for a path that this user cannot read, or cannot look up; it names the directory at fault."""
    parents = (parent for parent in reversed(path.parents) if not os.access(parent, os.X_OK))
    cause = next(parents, None)
    return ConfigurationError(
        f"{what} {str(path)!r} cannot be read by this user: check "
        + ("its owner and mode" if cause is None else f"the owner and mode of {str(cause)!r}")
    )


def _below(directory: Path, path: str) -> str | None:
    """Return `path` relative to `directory`; None if it is outside. Links are not resolved."""
    relative = os.path.relpath(path, directory)
    return None if relative.split(os.sep)[0] == os.pardir else relative


def find_in_project(project: Path, playbook: str) -> str | None:
    """Return the end of a path that is a file of the project, as `a.yml` of `demo/project/a.yml`; None if none is."""
    parts = Path(playbook).parts
    ends = (os.path.join(*parts[start:]) for start in range(1, len(parts)))
    return next((end for end in ends if os.path.isfile(project / end)), None)


_LIKENESS = 0.75
"""How much a name must have in common with that of a playbook to be taken for it: all have `.yml` in common."""


def _list_playbooks(project: Path, playbook: str) -> str:
    if not os.path.isdir(project):
        return ", which does not exist: playbooks belong in project/ of the private data directory"
    try:
        names = sorted(item.name for item in project.iterdir() if item.suffix in {".yml", ".yaml"})
    except OSError as error:
        return f", which cannot be listed by this user ({error.strerror}): check its owner and mode"
    inside = find_in_project(project, playbook) or next((name for name in names if Path(name).stem == playbook), None)
    guess = f"; did you mean {inside!r}?" if inside else did_you_mean(playbook, names, likeness=_LIKENESS)
    if not names:
        return guess or ", which contains no playbooks"
    return f"; available: {', '.join(names[:10])}{guess}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_META = "_meta"


def write_inventory(value: Mapping[str, Any]) -> str:
    """Return an inventory as text. `value` may have the form of Ansible's files or of inventory scripts.

    Raises:
        ConfigurationError: a value cannot be represented in JSON, or a group is not valid; names the value or group.
    """
    values, _ = copy_plain("inventory", value)
    return json.dumps(_as_file(values) if _META in values else values)


def convert_text(text: str) -> str:
    """Return the text of an inventory; the output of an inventory script is converted to the form of a file.

    Raises:
        ConfigurationError: as with `write_inventory`.
    """
    if not text.lstrip().startswith("{") or f'"{_META}"' not in text:
        return text
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return text  # Ansible reports what is wrong with it
    return write_inventory(values) if _META in values else text


def _as_file(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert groups to dicts of hosts and children, with the variables of each host under its name."""
    meta = values[_META] or {}
    variables = meta.get("hostvars") if isinstance(meta, dict) else meta
    if variables is not None and not isinstance(variables, dict):
        got = type(variables).__name__
        raise ConfigurationError(f"inventory: {_META}: expected hostvars, a dict of hosts, got {got}")
    left = dict(variables or {})
    groups: dict[str, Any] = {}
    for name, group in values.items():
        if name == _META:
            continue
        given = {"hosts": group} if isinstance(group, list) else group or {}
        if not isinstance(given, dict):
            raise ConfigurationError(f"inventory: {name}: expected a group, got {type(group).__name__}")
        made = dict(given)
        for part in ("hosts", "children"):
            if isinstance(made.get(part), list):
                made[part] = {member: {} for member in _names(f"{name}.{part}", made[part])}
        hosts = made.get("hosts")
        if isinstance(hosts, dict):
            made["hosts"] = {host: {**(own or {}), **(left.pop(host, None) or {})} for host, own in hosts.items()}
        groups[name] = made
    return groups


def _names(place: str, members: list[Any]) -> list[str]:
    for member in members:
        if not isinstance(member, str):
            raise ConfigurationError(f"inventory: {place}: expected names, got {member!r}")
    return members
