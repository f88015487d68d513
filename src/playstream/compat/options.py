"""Keyword arguments as programs give them to ansible-runner, as playstream takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from playstream.interface.options import CommandOptions, RunOptions
from playstream.pipeline.tree.directories import make_private

HANDLERS = ("event_handler", "status_handler", "cancel_callback", "artifacts_handler", "finished_callback")
_WHOLE_NUMBERS = ("forks", "verbosity", "rotate_artifacts", "timeout")
_EMPTY_IS_NONE = ("container_image", "forks", "timeout", "role", "tags", "skip_tags")
"""Options whose 0 or '' is the same as left out."""
_HOST_KEYS = "ANSIBLE_HOST_KEY_CHECKING"


def _find_switches() -> frozenset[str]:
    hints = {**get_type_hints(RunOptions), **get_type_hints(CommandOptions)}
    return frozenset(name for name, hint in hints.items() if hint is bool)


_SWITCHES = _find_switches()


def loosen(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with what ansible-runner would make of a value of another type.

    What is None, or false as it is by default, is left out: it is not to stand above a setting. `process_isolation`
    that is false says that a `container_image` is not to be used.
    """
    loose = {name: value for name, value in ((name, _loosen(name, value)) for name, value in given.items())
             if value is not None and value is not False}
    if given.get("process_isolation") is False and "process_isolation" not in (given.get("settings") or {}):
        loose["process_isolation"] = False
    return loose


def refuse_unknown(caller: str, names: Iterable[str], options: type) -> None:
    """As Python does for a parameter that a function does not have.

    Raises:
        TypeError: one of the names is not among the options.
    """
    for name in names:
        if name not in options.__annotations__:
            raise TypeError(f"{caller}.__init__() got an unexpected keyword argument {name!r}")


def _loosen(name: str, value: Any) -> Any:
    if name in _EMPTY_IS_NONE and not value:
        return None
    if name in _SWITCHES:
        return bool(value)
    if value is None:
        return None
    if name == "passwords" and not isinstance(value, Mapping):
        return None  # a list of them has nothing to know a prompt by
    if name in _WHOLE_NUMBERS:
        return int(value)
    return str(value) if name == "ident" else value


def make_directory(private_data_dir: str | os.PathLike[str] | None) -> None:
    """Make the private data directory if it is missing, as a configuration of ansible-runner's does."""
    if private_data_dir:
        make_private(Path(private_data_dir).absolute())


def with_host_keys_unchecked(envvars: Mapping[str, Any] | None) -> dict[str, Any]:
    """The variables, with the one that keeps ssh from asking about hosts it does not know, unless it is set."""
    unchecked = {} if _HOST_KEYS in os.environ else {_HOST_KEYS: "False"}
    return {**unchecked, **(envvars or {})}


def below_env_files(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a command, above which the files of `env/` stand."""
    options = loosen(given)
    make_directory(options.get("private_data_dir"))
    options["envvars"] = with_host_keys_unchecked(options.get("envvars"))
    return {**options, "env_files_win": True}
