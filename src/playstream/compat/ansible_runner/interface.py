"""run() and its relatives."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from playstream.compat.ansible_runner import output
from playstream.compat.ansible_runner.config.command import CommandConfig
from playstream.compat.ansible_runner.config.runner import RunnerConfig
from playstream.compat.ansible_runner.exceptions import ConfigurationError
from playstream.compat.ansible_runner.runner import Runner
from playstream.compat.ansible_runner.streaming import Processor, Transmitter, Worker
from playstream.compat.left_inputs import leave_inputs
from playstream.compat.options import HANDLERS, below_env_files
from playstream.compat.signals import SignalWatch, WatchedThread, listening
from playstream.interface import ansible_doc, ansible_queries, commands, running
from playstream.interface.runner import Runner as _Runner
from playstream.pipeline.errors import ExecutableNotFound

__all__ = [
    "get_ansible_config",
    "get_inventory",
    "get_plugin_docs",
    "get_plugin_docs_async",
    "get_plugin_list",
    "get_role_argspec",
    "get_role_list",
    "init_command_config",
    "init_runner",
    "run",
    "run_async",
    "run_command",
    "run_command_async",
]

_ROLE = ("role", "role_vars", "role_skip_facts", "hosts")


def init_runner(**kwargs: Any) -> _Runner:
    """Make everything ready for a run, or for one stage of it, and start nothing.

    Args:
        kwargs: those of run().

    Raises:
        ConfigurationError: the job could not run as asked. It is a ValueError too.
        TypeError: an argument has an unknown name.
    """
    _set_up_logging(kwargs)
    streamer = kwargs.pop("streamer", None)
    if streamer not in {"worker", "process"}:
        kwargs["private_data_dir"] = _find_directory(kwargs.get("private_data_dir"))
    if streamer == "worker":
        return Worker(**kwargs)
    if streamer == "process":
        return Processor(**_with_signals(kwargs))
    if streamer == "transmit":
        return Transmitter(**{name: value for name, value in kwargs.items() if name not in HANDLERS})
    if streamer:
        raise ConfigurationError(f"streamer: expected 'transmit', 'worker' or 'process', got {streamer!r}")
    handlers = {name: kwargs.pop(name, None) for name in HANDLERS}
    role = {name: kwargs.pop(name) for name in _ROLE if name in kwargs}
    for name in ("_input", "_output"):
        kwargs.pop(name, None)
    config = RunnerConfig(**{**kwargs, "inventory": _find_inventory(kwargs)})
    config.give(role)
    config.prepare()
    leave_inputs(config, kwargs.get("inventory"))
    return Runner(config, **_with_signals(handlers))


def _set_up_logging(kwargs: dict[str, Any]) -> None:
    debug, logfile = kwargs.pop("debug", None), kwargs.pop("logfile", None)
    if kwargs.pop("ignore_logging", True):
        return
    output.configure()
    if debug in (True, False):
        output.set_debug("enable" if debug else "disable")
    if logfile:
        output.set_logfile(logfile)


def _find_directory(given: Any) -> Any:
    if not given:
        return tempfile.mkdtemp()
    if not os.path.exists(given):
        raise ConfigurationError(
            f"private_data_dir path is either invalid or does not exist: {str(given)!r}. Create it, with the "
            "playbooks in its project/ and the hosts in its inventory/"
        )
    return given


def _find_inventory(kwargs: dict[str, Any]) -> Any:
    """The inventory: a file of `inventory/` by its name, and a word that names nothing as the name of a host."""
    given = kwargs.get("inventory")
    if not isinstance(given, str) or not given or "\n" in given:
        return given
    path = os.path.join(kwargs["private_data_dir"], "inventory", given)
    if os.path.exists(path):
        return path
    is_word = not any(mark in given for mark in ",/= ")
    below = os.path.join(kwargs["private_data_dir"], given)
    return f"{given}\n" if is_word and not os.path.exists(given) and not os.path.exists(below) else given


def _with_signals(handlers: dict[str, Any]) -> dict[str, Any]:
    """The handlers; without a cancel callback, SIGINT and SIGTERM cancel, while the run goes on in the main thread."""
    if handlers.get("cancel_callback") is None:
        handlers["cancel_callback"] = SignalWatch()
    return handlers


def run(**kwargs: Any) -> _Runner:
    """Run a playbook, a module or a role, or one stage of a pipeline, and wait for its end.

    Args:
        kwargs: what to run and how; docs/python.md lists them. `streamer` is `transmit`, `worker` or `process` for
            one stage, on the file objects `_input` and `_output`.

    Returns:
        The run, with `status`, `rc`, `events`, `stats`, `stdout` and more.

    Raises:
        ConfigurationError: the job could not run as asked. It is a ValueError too.
        TypeError: an argument has an unknown name.
        CallbackError: a cancel callback, artifacts handler or finished callback raised.
    """
    if kwargs.get("streamer") not in {"transmit", "worker"}:
        kwargs = _with_signals(kwargs)
    with listening(kwargs.get("cancel_callback")):
        runner = init_runner(**kwargs)
        runner.run()
    return runner


def run_async(**kwargs: Any) -> tuple[threading.Thread, _Runner]:
    """Start a run in a thread of its own.

    Args:
        kwargs: those of run().

    Returns:
        The thread, and the run, which can be looked at while it goes on.

    Raises:
        ConfigurationError: the job could not run as asked. It is a ValueError too.
        TypeError: an argument has an unknown name.
    """
    if kwargs.get("cancel_callback") is not None or kwargs.get("streamer") in {"transmit", "worker"}:
        return running.start(init_runner(**kwargs))
    kwargs["cancel_callback"] = watch = SignalWatch()
    watch.start()
    try:
        return running.start(init_runner(**kwargs), partial(WatchedThread, watch))
    except BaseException:
        watch.stop()
        raise


def init_command_config(executable_cmd: str, cmdline_args: Sequence[str] | None = None, **kwargs: Any) -> Runner:
    """Make everything ready for a command and start nothing.

    Args:
        executable_cmd: the program.
        cmdline_args: its arguments.
        kwargs: those of run_command().

    Raises:
        ConfigurationError: an argument is wrong.
        TypeError: an argument has an unknown name.
        JobError: there is no such program.
    """
    handlers = {name: kwargs.pop(name, None) for name in HANDLERS}
    config = CommandConfig(**kwargs)
    config.prepare_run_command(executable_cmd, cmdline_args)
    return Runner(config, **handlers)


def run_command(
    executable_cmd: str, cmdline_args: Sequence[str] | None = None, **kwargs: Any
) -> tuple[str, str, int | None]:
    """Run a command and wait for its end.

    Args:
        executable_cmd: the program.
        cmdline_args: its arguments.
        kwargs: `input_fd`, `output_fd`, `error_fd`, `runner_mode`, and those that run() has for environment,
            passwords, isolation and handlers.

    Returns:
        Its output, its errors, and its return code; 127 when there is no such program.

    Raises:
        ConfigurationError: an argument is wrong.
        TypeError: an argument has an unknown name.
        JobError: there is no program for the isolation.
    """
    try:
        runner = init_command_config(executable_cmd, cmdline_args, **kwargs)
    except ExecutableNotFound as error:
        if kwargs.get("process_isolation"):
            raise
        return f"{error}\n", "", error.exit_status
    runner.run()
    return commands.read_output(runner)


def run_command_async(
    executable_cmd: str, cmdline_args: Sequence[str] | None = None, **kwargs: Any
) -> tuple[threading.Thread, Runner]:
    """Start a command in a thread of its own.

    Args:
        executable_cmd: the program.
        cmdline_args: its arguments.
        kwargs: those of run_command().

    Returns:
        The thread, and the run.

    Raises:
        ConfigurationError: an argument is wrong.
        TypeError: an argument has an unknown name.
        JobError: there is no such program.
    """
    runner = init_command_config(executable_cmd, cmdline_args, **kwargs)
    thread, _ = running.start(runner)
    return thread, runner


def get_plugin_docs(
    plugin_names: Sequence[str], plugin_type: str | None = None, response_format: str | None = None,
    snippet: bool = False, playbook_dir: str | None = None, module_path: str | None = None, **kwargs: Any,
) -> ansible_queries.Answer:
    """The documentation of plugins; see playstream.get_plugin_docs."""
    return ansible_doc.get_plugin_docs(
        plugin_names, plugin_type, response_format, snippet, playbook_dir, module_path, **below_env_files(kwargs)
    )


def get_plugin_docs_async(
    plugin_names: Sequence[str], plugin_type: str | None = None, response_format: str | None = None,
    snippet: bool = False, playbook_dir: str | None = None, module_path: str | None = None, **kwargs: Any,
) -> tuple[threading.Thread, _Runner]:
    """As get_plugin_docs(), in a thread of its own."""
    return ansible_doc.get_plugin_docs_async(
        plugin_names, plugin_type, response_format, snippet, playbook_dir, module_path, **below_env_files(kwargs)
    )


def get_plugin_list(
    list_files: bool | None = None, response_format: str | None = None, plugin_type: str | None = None,
    playbook_dir: str | None = None, module_path: str | None = None, **kwargs: Any,
) -> ansible_queries.Answer:
    """The plugins that are installed; see playstream.get_plugin_list."""
    return ansible_doc.get_plugin_list(
        list_files, response_format, plugin_type, playbook_dir, module_path, **below_env_files(kwargs)
    )


def get_inventory(
    action: str, inventories: Sequence[str], response_format: str | None = None, host: str | None = None,
    playbook_dir: str | None = None, vault_ids: str | None = None, vault_password_file: str | None = None,
    output_file: str | None = None, export: bool | None = None, **kwargs: Any,
) -> ansible_queries.Answer:
    """What an inventory holds; see playstream.get_inventory."""
    return ansible_queries.get_inventory(
        action, inventories, response_format, host, playbook_dir, vault_ids, vault_password_file, output_file, export,
        **below_env_files(kwargs),
    )


def get_ansible_config(
    action: str, config_file: str | None = None, only_changed: bool | None = None, **kwargs: Any
) -> tuple[str, str]:
    """Ansible's configuration; see playstream.get_ansible_config."""
    return ansible_queries.get_ansible_config(action, config_file, only_changed, **below_env_files(kwargs))


def get_role_list(
    collection: str | None = None, playbook_dir: str | None = None, **kwargs: Any
) -> ansible_queries.Answer:
    """The roles that have an argument specification; see playstream.get_role_list."""
    return ansible_doc.get_role_list(collection, playbook_dir, **below_env_files(kwargs))


def get_role_argspec(
    role: str, collection: str | None = None, playbook_dir: str | None = None, **kwargs: Any
) -> ansible_queries.Answer:
    """The argument specification of a role; see playstream.get_role_argspec."""
    return ansible_doc.get_role_argspec(role, collection, playbook_dir, **below_env_files(kwargs))
