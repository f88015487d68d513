# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that tasks include while they run: each file that an include can name is read.

A name with a template is taken as a pattern, in which each template may be anything, in the directories where Ansible
looks. If no file matches, what is included is not known.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_ENDINGS = (".yml", ".yaml", ".json")
_MAX_FILES = 500
"""More files in one place are not read; what they contain counts as unknown."""


def find_files(name: str, directories: Sequence[str]) -> list[str]:
    """Return the files that an include with this name may read; empty if none is found, or too many are.

    Args:
        name: the name as it is written, perhaps with templates.
        directories: where Ansible looks for it.
    """
    patterns = [name] if "{{" not in name and "{%" not in name else _patterns(name)
    found: dict[str, None] = {}
    for directory in directories:
        for pattern in patterns:
            path = pattern if os.path.isabs(pattern) else os.path.join(glob.escape(directory), pattern)
            found.update(dict.fromkeys(_list(path)))
            if len(found) > _MAX_FILES:
                return []
        if found and pattern == name:
            break  # without a template the first directory that has the file counts
    return sorted(found)


def _patterns(name: str) -> list[str]:
    """Return the patterns of a name with templates."""
    text = _TEMPLATE.sub("*", name)
    text = re.sub(r"\*+", "*", text)
    # `{{ role_path }}/tasks/x.yml`: the directories that are searched are those that the template would name.
    below = text.split("/", 1)[1] if text.startswith("*/") else text
    patterns = [below]
    if below == "*" or not below.endswith(_ENDINGS):
        patterns = [below + ending for ending in _ENDINGS] if below != "*" else [f"*{ending}" for ending in _ENDINGS]
        patterns.append(below)
    return patterns


def _list(pattern: str) -> Iterator[str]:
    for path in glob.iglob(pattern):
        if os.path.isfile(path) and (path.endswith(_ENDINGS) or "*" not in pattern):
            yield os.path.abspath(path)


def search_places(kind: str, role_path: str | None, task_file: str, basedir: str) -> list[str]:
    """Return the directories where Ansible looks for a file that a task includes.

    Args:
        kind: `tasks`, `vars` …: the name of the directory in a role.
        role_path: the directory of the task's role; None outside of roles.
        task_file: the file with the task.
        basedir: the directory of the playbook.
    """
    places = []
    if role_path:
        places += [os.path.join(role_path, kind), role_path]
    here = os.path.dirname(os.path.abspath(task_file))
    places += [here, os.path.join(here, kind), os.path.join(basedir, kind), basedir]
    return [place for place in dict.fromkeys(places) if os.path.isdir(place)]


def is_template(value: Any) -> bool:
    """Return whether a value is text with a template."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)
