# SPDX-License-Identifier: GPL-3.0-or-later
"""How the hosts are reached: connections, become methods, shells and keys, by their variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.template import Templar

from .facts import Facts

CONNECTION = "ansible_connection"
BECOME_METHOD = "ansible_become_method"
WATCHED = (CONNECTION, BECOME_METHOD, "ansible_become_flags", "ansible_sudo_flags", "ansible_shell_type")
"""The variables whose values matter, besides those of ssh."""
SSH_WATCHED = (
    "ansible_ssh_args",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_host_key_checking",
    "ansible_ssh_host_key_checking",
    "ansible_ssh_executable",
)
"""Variables that change how ssh checks keys."""


class Values:
    """The watched values of one host, or of a scope of variables.

    Args:
        variables: all variables there.
        loader: for templates.
        facts: takes what is only known at run time.
        where: the place, for messages.
    """

    def __init__(self, variables: Mapping[str, Any], loader: Any, facts: Facts, where: str) -> None:
        self._variables = variables
        self._templar = Templar(loader=loader, variables=dict(variables))
        self._facts = facts
        self._where = where

    def get(self, *names: str) -> Any:
        """Return the value of the first of these variables that is set; None if none is, or it cannot be known."""
        for name in names:
            if name in self._variables:
                return self._template(name, self._variables[name])
        return None

    def _template(self, name: str, value: Any) -> Any:
        if not isinstance(value, str) or ("{{" not in value and "{%" not in value):
            return value
        try:
            return self._templar.template(value)
        except Exception:  # noqa: BLE001 - whatever a template raises, its value is not known before the run
            self._facts.note(self._facts.unknown, f"the value of {name}", self._where)
            return None


def note_values(values: Values, facts: Facts, where: str) -> None:
    """Note the connection, become method and shell that variables set."""
    for found, names in (
        (facts.connections, (CONNECTION,)),
        (facts.become_methods, (BECOME_METHOD,)),
        (facts.become_flags, ("ansible_become_flags", "ansible_sudo_flags")),
        (facts.shells, ("ansible_shell_type",)),
    ):
        value = values.get(*names)
        if value is not None and value != "":
            facts.note(found, value, where)


def note_scope(variables: Any, loader: Any, facts: Facts, where: str, known: Mapping[str, Any]) -> None:
    """Note the watched variables that a play, a role, a block or a task sets.

    Args:
        variables: the mapping that is set; anything else is ignored, as it has no names.
        loader: for templates.
        facts: takes what was found.
        where: the place.
        known: variables for the templates.
    """
    if not isinstance(variables, Mapping):
        return
    if any(name in variables for name in WATCHED):
        note_values(Values({**known, **variables}, loader, facts, where), facts, where)
    for name in SSH_WATCHED:
        if name in variables:
            facts.note(facts.unknown, f"{name}, which is set in the playbook", where)


def is_set_in(names: Iterable[Any]) -> bool:
    """Return whether one of the watched variables is among these names."""
    return any(name in WATCHED or name in SSH_WATCHED for name in names)
