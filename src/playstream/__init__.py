"""Run Ansible anywhere a byte pipe reaches, and return the results as if it had run locally.

    >>> import playstream
    >>> r = playstream.run(private_data_dir="demo", playbook="site.yml")  # doctest: +SKIP
    >>> r.status, r.rc  # doctest: +SKIP
    ('successful', 0)

docs/python.md describes the public names. Each is loaded when it is first used, so that a program loads only what it
needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from playstream._version import __version__

if TYPE_CHECKING:
    from playstream import interface as interface
    from playstream.interface.aio import EventStream as EventStream
    from playstream.interface.aio import arun as arun
    from playstream.interface.aio import stream as stream
    from playstream.interface.ansible_doc import get_plugin_docs as get_plugin_docs
    from playstream.interface.ansible_doc import get_plugin_docs_async as get_plugin_docs_async
    from playstream.interface.ansible_doc import get_plugin_list as get_plugin_list
    from playstream.interface.ansible_doc import get_role_argspec as get_role_argspec
    from playstream.interface.ansible_doc import get_role_list as get_role_list
    from playstream.interface.ansible_queries import get_ansible_config as get_ansible_config
    from playstream.interface.ansible_queries import get_inventory as get_inventory
    from playstream.interface.commands import run_command as run_command
    from playstream.interface.commands import run_command_async as run_command_async
    from playstream.interface.config import RunnerConfig as RunnerConfig
    from playstream.interface.event_handler import EventHandler as EventHandler
    from playstream.interface.run_code import RunCode as RunCode
    from playstream.interface.runner import Runner as Runner
    from playstream.interface.running import init_runner as init_runner
    from playstream.interface.running import run as run
    from playstream.interface.running import run_async as run_async
    from playstream.pipeline.errors import CallbackError as CallbackError
    from playstream.pipeline.errors import ConfigurationError as ConfigurationError
    from playstream.pipeline.errors import PlaystreamError as PlaystreamError

_PLACES = {
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
    "playstream.interface.runner": ("Runner",),
    "playstream.interface.run_code": ("RunCode",),
    "playstream.interface.running": ("init_runner", "run", "run_async"),
    "playstream.pipeline.errors": ("CallbackError", "ConfigurationError", "PlaystreamError"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [  # noqa: PLE0604 - the names of _PLACES
    "__version__",
    "interface",
    *_PLACE_OF,
]


if not TYPE_CHECKING:  # a type checker must only see the names above

    def __getattr__(name: str) -> Any:
        if name == "interface":
            return import_module("playstream.interface")
        place = _PLACE_OF.get(name)
        if place is None:
            raise AttributeError(f"module 'playstream' has no attribute {name!r}")
        value = getattr(import_module(place), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
