"""Convert keyword arguments for ansible-runner to those for playstream."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from playstream.interface.options import CommandOptions, RunOptions
from playstream.pipeline.job.checks import paths_and_names
from playstream.pipeline.tree.directories import make_private

HANDLERS = ("event_handler", "status_handler", "cancel_callback", "artifacts_handler", "finished_callback")
_WHOLE_NUMBERS = ("forks", "verbosity", "rotate_artifacts", "timeout")
_FALSE_IS_NONE = ("container_image", "forks", "timeout", "role", "tags", "skip_tags")
"""Options for which 0, '' or an empty list means the default."""
_EMPTY_IS_NONE = paths_and_names(RunOptions)
"""Options for which '' means the default."""
_HOST_KEYS = "ANSIBLE_HOST_KEY_CHECKING"


def _find_switches() -> frozenset[str]:
    hints = {**get_type_hints(RunOptions), **get_type_hints(CommandOptions)}
    return frozenset(name for name, hint in hints.items() if hint is bool)


_SWITCHES = _find_switches()


def convert_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Convert arguments of other types in the same way as ansible-runner.

    Values that are None, or false by default, are omitted, so that they do not override a setting. If
    `process_isolation` is false, a `container_image` is not used.
    """
    converted = {
        name: value
        for name, value in ((name, _convert_option(name, value)) for name, value in given.items())
        if value is not None and value is not False
    }
    if given.get("process_isolation") is False and "process_isolation" not in (given.get("settings") or {}):
        converted["process_isolation"] = False
    return converted


def refuse_unknown(caller: str, names: Iterable[str], options: type) -> None:
    """Refuse unknown parameters in the same way as Python.

    Raises:
        TypeError: one of the names is not an option.
    """
    for name in names:
        if name not in options.__annotations__:
            raise TypeError(f"{caller}.__init__() got an unexpected keyword argument {name!r}")


def _convert_option(name: str, value: Any) -> Any:
    if name == "artifact_dir" and value == "":
        return os.curdir  # as in ansible-runner
    if (name in _FALSE_IS_NONE and not value) or (name in _EMPTY_IS_NONE and value == ""):
        return None
    if name in _SWITCHES:
        return bool(value)
    if value is None:
        return None
    if name == "passwords" and not isinstance(value, Mapping):
        return None  # a list of passwords has no prompts
    if name in _WHOLE_NUMBERS:
        return int(value)
    return str(value) if name == "ident" else value


def make_directory(private_data_dir: str | os.PathLike[str] | None) -> None:
    """Create the private data directory if it is missing, as ansible-runner's configuration does."""
    if private_data_dir:
        make_private(Path(private_data_dir).absolute())


def with_host_keys_unchecked(envvars: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the variables with host key checking turned off, unless it is set."""
    unchecked = {} if _HOST_KEYS in os.environ else {_HOST_KEYS: "False"}
    return {**unchecked, **(envvars or {})}


def prefer_env_files(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a command, with the files of `env/` taking precedence."""
    options = convert_options(given)
    make_directory(options.get("private_data_dir"))
    options["envvars"] = with_host_keys_unchecked(options.get("envvars"))
    return {**options, "env_files_win": True}
