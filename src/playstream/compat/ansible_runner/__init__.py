"""ansible-runner's public names. Each module has the same path as in ansible-runner."""

from __future__ import annotations

from playstream.compat.ansible_runner import (
    config,
    defaults,
    exceptions,
    interface,
    loader,
    output,
    runner,
    runner_config,
    streaming,
    utils,
)
from playstream.compat.ansible_runner.exceptions import AnsibleRunnerException, CallbackError, ConfigurationError
from playstream.compat.ansible_runner.interface import (
    get_ansible_config,
    get_inventory,
    get_plugin_docs,
    get_plugin_docs_async,
    get_plugin_list,
    get_role_argspec,
    get_role_list,
    run,
    run_async,
    run_command,
    run_command_async,
)
from playstream.compat.ansible_runner.plugins import load, plugins
from playstream.compat.ansible_runner.runner import Runner
from playstream.compat.ansible_runner.runner_config import RunnerConfig

__all__ = [
    "AnsibleRunnerException",
    "CallbackError",
    "ConfigurationError",
    "Runner",
    "RunnerConfig",
    "config",
    "defaults",
    "exceptions",
    "get_ansible_config",
    "get_inventory",
    "get_plugin_docs",
    "get_plugin_docs_async",
    "get_plugin_list",
    "get_role_argspec",
    "get_role_list",
    "interface",
    "loader",
    "output",
    "plugins",
    "run",
    "run_async",
    "run_command",
    "run_command_async",
    "runner",
    "runner_config",
    "streaming",
    "utils",
]

load()  # last, because a plugin may import the names above
