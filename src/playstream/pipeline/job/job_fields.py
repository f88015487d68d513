"""Converting keyword options, which may have several forms, to the fields of a Job, which have one form."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.inputs import check_envvars, check_json, check_ssh_key, split_words
from playstream.pipeline.job.options import ANSIBLE_OPTIONS, SETTING_OPTIONS
from playstream.pipeline.job.passwords import check_passwords


def convert_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the Job that have the name of an option, in the form of the Job.

    Args:
        options: options of run() that are not None; options without such a field are ignored.

    Raises:
        ConfigurationError: a value cannot be converted.
    """
    return {name: convert(name, options[name]) for name, convert in _CONVERT.items() if name in options}


def _keep(_name: str, value: Any) -> Any:
    return value


def _join_words(_name: str, value: str | Sequence[str]) -> str | None:
    return (value if isinstance(value, str) else ",".join(value)) or None


_CONVERT: dict[str, Callable[[str, Any], Any]] = {
    "binary": _keep,
    "module": _keep,
    "module_args": _keep,
    "role": _keep,
    "role_vars": check_json,
    "role_skip_facts": _keep,
    "verbosity": _keep,
    "cmdline": split_words,
    "envvars": check_envvars,
    "passwords": check_passwords,
    "ssh_key": check_ssh_key,
    "timeout": _keep,
    "env_files_win": _keep,
    "omit_event_data": _keep,
    "only_failed_event_data": _keep,
    **{option.name: _join_words if option.is_list else _keep for option in ANSIBLE_OPTIONS},
}
"""The functions that convert single options; each takes the option's name, for errors, and its value."""


def find_playbook(options: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[dict[str, Any], ...]]:
    """Return the paths of the playbooks, and the plays of one that is not a file. One of the two is empty.

    Raises:
        ConfigurationError: two options conflict, or there is no play.
    """
    playbook = options.get("playbook")
    if "tasks" in options:
        if playbook is not None:
            raise ConfigurationError("expected one of playbook and tasks, got both")
        return (), (check_json("playbook", _play_of_tasks(options)),)
    if "gather_facts" in options:
        raise ConfigurationError("gather_facts: can only be used with tasks; set it in the play instead")
    if playbook is None or playbook == "":
        return (), ()
    items: list[Any] = [playbook] if isinstance(playbook, (str, os.PathLike, Mapping)) else list(playbook)
    if not items:
        raise ConfigurationError("playbook: expected at least one play, got an empty list")
    of_plays = sum(isinstance(item, Mapping) for item in items)
    if not of_plays:
        return tuple(map(os.fspath, items)), ()
    if of_plays < len(items):
        raise ConfigurationError("playbook: expected a list of paths or a list of plays, got both in one list")
    return (), tuple(check_json("playbook", play) for play in items)


def _play_of_tasks(options: Mapping[str, Any]) -> dict[str, Any]:
    given = options["tasks"]
    tasks = [given] if isinstance(given, Mapping) else list(given)
    if not tasks:
        raise ConfigurationError("tasks: expected at least one task, got an empty list")
    facts = {"gather_facts": options["gather_facts"]} if "gather_facts" in options else {}
    return {"hosts": find_hosts(options) or "all", **facts, "tasks": tasks}


def find_hosts(options: Mapping[str, Any]) -> str | None:
    """Return the host pattern, an option with two names.

    Raises:
        ConfigurationError: the two have different values.
    """
    given = {name: options[name] for name in ("hosts", "host_pattern") if options.get(name)}
    if len(set(given.values())) > 1:
        raise ConfigurationError(f"expected one of hosts and host_pattern, got both: {given}")
    return next(iter(given.values()), None)


def list_inventory(options: Mapping[str, Any]) -> tuple[str | Mapping[str, Any], ...] | None:
    """Return paths, host lists, texts of inventories and inventories as data; None for the default."""
    given = options.get("inventory")
    if given is None or given == "":
        return None
    items = [given] if isinstance(given, (str, os.PathLike, Mapping)) else list(given)
    return tuple(item if isinstance(item, Mapping) else os.fspath(item) for item in items)


def list_roles_path(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the directories of roles."""
    given = options.get("roles_path")
    if given is None:
        return ()
    if isinstance(given, (str, os.PathLike)):
        return tuple(path for path in os.fspath(given).split(":") if path)
    return tuple(os.fspath(path) for path in given)


def join_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, overridden by the options that are settings too.

    Raises:
        ConfigurationError: a value has a type that no setting has.
    """
    settings = dict(options.get("settings", {}))
    for name in SETTING_OPTIONS:
        if name in options:
            value = options[name]
            settings[name] = os.fspath(value) if isinstance(value, os.PathLike) else value
    return check_json("settings", settings, paths=True)
