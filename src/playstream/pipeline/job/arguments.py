"""Keyword arguments as a job's Arguments: one form for what may be given in several."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.extravars import read_extravars
from playstream.pipeline.job.job import Arguments
from playstream.pipeline.job.options import SETTING_OPTIONS

_AS_THEY_ARE = (
    "binary",
    "module",
    "module_args",
    "role",
    "role_vars",
    "role_skip_facts",
    "limit",
    "forks",
    "verbosity",
    "cmdline",
    "envvars",
    "passwords",
    "ssh_key",
    "omit_event_data",
    "only_failed_event_data",
    "env_files_win",
    "timeout",
)


def make_arguments(options: Mapping[str, Any], *, command: Sequence[str] = ()) -> Arguments:
    """Convert checked keyword arguments to Arguments.

    Args:
        options: options of run() or run_command() that are not None.
        command: a whole command line.

    Raises:
        ConfigurationError: two options say different things, or the file of extra variables cannot be read.
    """
    values: dict[str, Any] = {name: options[name] for name in _AS_THEY_ARE if name in options}
    ident = str(options.get("ident", ""))
    return Arguments(
        ident=ident or None,
        command=tuple(command),
        hosts=_hosts(options),
        project_dir=os.fspath(options["project_dir"]) if "project_dir" in options else None,
        inventory=_inventory(options),
        roles_path=_paths(options.get("roles_path")),
        tags=_words(options.get("tags")),
        skip_tags=_words(options.get("skip_tags")),
        extravars=read_extravars(options.get("extravars", ()), options.get("private_data_dir", ".")),
        settings=_settings(options),
        **_playbook(options),
        **values,
    )


def _playbook(options: Mapping[str, Any]) -> dict[str, Any]:
    playbook = options.get("playbook")
    if "tasks" in options:
        if playbook is not None:
            raise ConfigurationError("expected one of playbook and tasks, got both")
        return {"plays": (_play_of_tasks(options),)}
    if "gather_facts" in options:
        raise ConfigurationError("gather_facts: can only be used with tasks; set it in the play instead")
    if playbook is None:
        return {}
    if isinstance(playbook, (str, os.PathLike)):
        return {"playbook": os.fspath(playbook)} if os.fspath(playbook) else {}
    plays = [playbook] if isinstance(playbook, Mapping) else list(playbook)
    if not plays:
        raise ConfigurationError("playbook: expected at least one play, got an empty list")
    return {"plays": tuple(plays)}


def _play_of_tasks(options: Mapping[str, Any]) -> dict[str, Any]:
    given = options["tasks"]
    tasks = [given] if isinstance(given, Mapping) else list(given)
    if not tasks:
        raise ConfigurationError("tasks: expected at least one task, got an empty list")
    facts = {"gather_facts": options["gather_facts"]} if "gather_facts" in options else {}
    return {"hosts": _hosts(options) or "all", **facts, "tasks": tasks}


def _hosts(options: Mapping[str, Any]) -> str | None:
    given = {name: options[name] for name in ("hosts", "host_pattern") if options.get(name)}
    if len(set(given.values())) > 1:
        raise ConfigurationError(f"expected one of hosts and host_pattern, got both: {given}")
    return next(iter(given.values()), None)


def _inventory(options: Mapping[str, Any]) -> tuple[str | Mapping[str, Any], ...] | None:
    given = options.get("inventory")
    if given is None or given == "":
        return None
    items = [given] if isinstance(given, (str, os.PathLike, Mapping)) else list(given)
    return tuple(item if isinstance(item, Mapping) else os.fspath(item) for item in items)


def _paths(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if isinstance(given, (str, os.PathLike)):
        return tuple(path for path in os.fspath(given).split(":") if path)
    return tuple(os.fspath(path) for path in given)


def _words(given: str | Sequence[str] | None) -> str | None:
    if given is None or isinstance(given, str):
        return given or None
    return ",".join(given) or None


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, overridden by the options that are settings too."""
    settings = dict(options.get("settings", {}))
    for name in SETTING_OPTIONS:
        if name in options:
            settings[name] = _plain(options[name])
    return settings


def _plain(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value
