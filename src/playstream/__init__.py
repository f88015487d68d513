"""Run Ansible anywhere a byte pipe reaches, and return the results as if it had run locally.

    >>> import playstream
    >>> r = playstream.run(private_data_dir="demo", playbook="site.yml")  # doctest: +SKIP
    >>> r.status, r.rc  # doctest: +SKIP
    ('successful', 0)

docs/python.md describes the public names. Each is loaded when it is first used, so that a program loads only what it
needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from playstream._version import __version__

if TYPE_CHECKING:
    from playstream import interface as interface
    from playstream.interface import *  # noqa: F403 - its names, for type checkers

_PLACES = {
    "playstream": ("interface",),
    "playstream.interface.aio": ("EventStream", "arun", "stream"),
    "playstream.interface.commands": ("run_command", "run_command_async"),
    "playstream.interface.config": ("RunnerConfig",),
    "playstream.interface.ansible_doc": (
        "get_plugin_docs",
        "get_plugin_docs_async",
        "get_plugin_list",
        "get_role_argspec",
        "get_role_list",
    ),
    "playstream.interface.event_handler": ("EventHandler",),
    "playstream.interface.ansible_queries": ("get_ansible_config", "get_inventory"),
    "playstream.interface.replaying": ("replay",),
    "playstream.interface.runner": ("Runner",),
    "playstream.interface.run_code": ("RunCode",),
    "playstream.interface.running": ("init_runner", "run", "run_async"),
    "playstream.pipeline.errors": (
        "AuthenticationFailed",
        "BootstrapError",
        "CallbackError",
        "ConfigurationError",
        "ExecutableNotFound",
        "GalaxyError",
        "HostKeyRejected",
        "IncompleteStream",
        "IncompleteTree",
        "IsolationError",
        "JobError",
        "JobExpired",
        "JobRefused",
        "LimitExceeded",
        "LinkError",
        "LocalProtocolError",
        "NeedsNotMet",
        "NodeLost",
        "OutputError",
        "PlaystreamError",
        "ProtocolError",
        "RemoteProtocolError",
        "SilentPeer",
        "StoreError",
        "UnreachableHost",
        "UnsafePath",
        "WorkerBusy",
        "WorkerError",
        "WorkerNotFound",
    ),
    "playstream.process.task_results": ("ItemResult", "TaskResult", "TaskResults"),
}


def lazy_attributes(package: str, places: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package, which loads each name when it is first used.

    Args:
        package: the package's own name.
        places: modules, and the names that the package has from them. The package itself stands for names of
            subpackages.
    """
    place_of = {name: place for place, names in places.items() for name in names}

    def load(name: str) -> Any:
        place = place_of.get(name)
        if place is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = import_module(f"{package}.{name}") if place == package else getattr(import_module(place), name)
        vars(sys.modules[package])[name] = value
        return value

    return load


__all__ = ["__version__", *(name for names in _PLACES.values() for name in names)]  # noqa: PLE0604 - they are text

if not TYPE_CHECKING:  # a type checker must only see the names above
    __getattr__ = lazy_attributes(__name__, _PLACES)


def __dir__() -> list[str]:
    return sorted(__all__)
