# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of a playbook use: actions, connections, become methods, delegation, and what they include."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.parsing.mod_args import ModuleArgsParser
from ansible.plugins.loader import module_loader

from .facts import Facts
from .hosts import note_scope
from .includes import find_files, is_template, search_places

_BUILTIN = ("ansible.builtin.", "ansible.legacy.")
WITHOUT_PYTHON = ("raw", "script")
"""Actions that a host without Python can run."""
_WATCHED = (*WITHOUT_PYTHON, "reboot", "synchronize", "ansible.posix.synchronize")
_RESPAWN = b"respawn_module"
"""In the source of a module that may start itself again with another Python."""
_PACKAGE_MODULES = ("apt", "dnf", "dnf5", "yum", "zypper", "pacman")
"""What `package` becomes, by the facts of the host."""
_KEYWORDS = ("connection", "become", "become_method", "become_flags", "timeout")
_LOCAL = ("localhost", "127.0.0.1", "::1")
_MAX_DEPTH = 40


class Tasks:
    """Reads tasks, those of Ansible's own objects and those in files that are included while they run.

    Args:
        loader: Ansible's, for files.
        facts: takes what was found.
        basedir: the directory of the playbook.
        known: variables for templates.
    """

    def __init__(self, loader: Any, facts: Facts, basedir: str, known: Mapping[str, Any]) -> None:
        self._loader = loader
        self._facts = facts
        self._basedir = basedir
        self._known = known
        self._seen: set[str] = set()
        self._respawning: dict[str, bool] = {}
        self.becomes = False
        """Whether a task runs as another user."""
        self.delegates = False
        """Whether a task may run on a host that is not in its play."""
        self.included_roles: list[tuple[str, str]] = []
        """Roles that are included at run time, and where."""
        self.has_python = True
        """Whether a task runs only where an earlier one has needed Python."""

    def note_task(self, task: Any) -> None:
        """Note one of Ansible's task objects, with what it inherits from its blocks, roles and play."""
        where = task.get_path() or "a task"
        self._note_keywords({name: getattr(task, name, None) for name in _KEYWORDS}, where)
        note_scope(task.get_vars(), self._loader, self._facts, where, self._known)
        self._note_delegation(task.delegate_to)
        role = getattr(task, "_role", None)
        self.note_action(str(task.action), task.args, where, getattr(role, "_role_path", None))

    def _note_keywords(self, keywords: Mapping[str, Any], where: str) -> None:
        facts = self._facts
        for name, found in (
            ("connection", facts.connections),
            ("become_method", facts.become_methods),
            ("become_flags", facts.become_flags),
        ):
            value = keywords.get(name)
            if not isinstance(value, str) or not value:
                continue
            if is_template(value):
                facts.note(facts.unknown, f"the value of {name}", where)
            else:
                facts.note(found, value, where)
        self.note_timeout(keywords.get("timeout"), where)
        become = keywords.get("become")
        self.becomes = self.becomes or (become is not None and become not in (False, "no", "false", "False"))

    def note_timeout(self, value: Any, where: str) -> None:
        """Note the time limit of a task, in seconds; 0 and None are none."""
        if value not in (None, "", 0, "0"):
            self._facts.note(self._facts.timeouts, value, where)

    def _note_delegation(self, host: Any) -> None:
        self.delegates = self.delegates or (isinstance(host, str) and host not in ("", *_LOCAL))

    def note_action(self, action: str, args: Any, where: str, role_path: str | None) -> None:
        """Note one action, and what it includes.

        Args:
            action: its name.
            args: its arguments.
            where: the place, which begins with the path of the file.
            role_path: the directory of the task's role; None outside of roles.
        """
        facts = self._facts
        name = action
        for prefix in _BUILTIN:
            name = name[len(prefix) :] if name.startswith(prefix) else name
        arguments = args if isinstance(args, Mapping) else {}
        if is_template(action):
            facts.note(facts.unknown, "the name of an action", where)
        elif name in _WATCHED and not (name in WITHOUT_PYTHON and self.has_python):
            facts.note(facts.actions, name, where)
        if name in ("set_fact", "add_host"):
            note_scope(arguments, self._loader, facts, where, self._known)
        elif name == "include_vars":
            self._include_vars(arguments, where, role_path)
        elif name in ("include_tasks", "include"):
            self.include_tasks(arguments, where, role_path)
        elif name == "include_role":
            self.included_roles.append((str(arguments.get("name", arguments.get("role", ""))), where))
        elif name == "package":
            for module in _PACKAGE_MODULES:
                self._note_module(module, "package", where)
        else:
            self._note_module(action, name, where)

    def _note_module(self, module: str, name: str, where: str) -> None:
        """Note a module that may start itself again with another Python, for a library that only that one has."""
        if module not in self._respawning:
            self._respawning[module] = _may_respawn(module)
        if self._respawning[module]:
            self._facts.note(self._facts.actions, f"respawn:{name}", where)

    def include_tasks(self, args: Mapping[str, Any], where: str, role_path: str | None) -> None:
        """Note the tasks in each file that an include may read."""
        name = args.get("_raw_params", args.get("file"))
        for path in self._find(name, "tasks", where, role_path):
            content = self._load(path, where)
            if isinstance(content, list):
                self._note_raw(content, path, role_path, 0)

    def _include_vars(self, args: Mapping[str, Any], where: str, role_path: str | None) -> None:
        name = args.get("_raw_params", args.get("file"))
        if "dir" in args:
            name = os.path.join(str(args["dir"]), "{{ any }}")
        for path in self._find(name, "vars", where, role_path):
            note_scope(self._load(path, where), self._loader, self._facts, path, self._known)

    def note_vars_file(self, name: Any, where: str) -> None:
        """Note a file of the play's vars_files, which may be a list of names of which one is read."""
        for item in name if isinstance(name, (list, tuple)) else [name]:
            for path in self._find(item, "vars", where, None):
                note_scope(self._load(path, where), self._loader, self._facts, path, self._known)

    def _find(self, name: Any, kind: str, where: str, role_path: str | None) -> list[str]:
        task_file = where.rpartition(":")[0] or where
        places = search_places(kind, role_path, task_file, self._basedir)
        found = find_files(name, places) if isinstance(name, str) and name else []
        if not found:
            self._facts.note(self._facts.unknown, f"what {name!r} includes", where)
        return found

    def _load(self, path: str, where: str) -> Any:
        try:
            return self._loader.load_from_file(path)
        except Exception:  # noqa: BLE001 - not YAML, closed by a vault, or with tags of another program
            self._facts.note(self._facts.unknown, f"the content of {path}", where)
            return None

    def _note_raw(self, tasks: Iterable[Any], path: str, role_path: str | None, depth: int) -> None:
        """Note tasks as they are written in a file."""
        if depth == 0:
            if path in self._seen:
                return
            self._seen.add(path)
        for task in tasks:
            if not isinstance(task, Mapping) or "hosts" in task:
                continue  # not a task; a playbook is no file that tasks can include
            self._note_keywords(task, path)
            note_scope(task.get("vars"), self._loader, self._facts, path, self._known)
            self._note_delegation(task.get("delegate_to"))
            parts = [task[name] for name in ("block", "rescue", "always") if isinstance(task.get(name), list)]
            if parts:
                if depth < _MAX_DEPTH:
                    for part in parts:
                        self._note_raw(part, path, role_path, depth + 1)
                continue
            self._note_written(task, path, role_path)

    def _note_written(self, task: Mapping[str, Any], path: str, role_path: str | None) -> None:
        try:
            action, args, delegate = ModuleArgsParser(task_ds=dict(task)).parse(skip_action_validation=True)
        except Exception:  # noqa: BLE001 - Ansible reports it if the file is included
            self._facts.note(self._facts.unknown, "a task that cannot be read", path)
            return
        self._note_delegation(delegate if isinstance(delegate, str) else None)
        self.note_action(str(action), args, f"{path}:", role_path)


def _may_respawn(module: str) -> bool:
    try:
        path = module_loader.find_plugin(module, mod_type=".py")
        if not path:
            return False
        with open(path, "rb") as file:  # noqa: PTH123 - as everywhere in this program
            return _RESPAWN in file.read()
    except Exception:  # noqa: BLE001 - a module that cannot be found fails in the run itself
        return False
