"""The functions run(), run_async(), run_command() and so on."""

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
from playstream.compat.left_inputs import save_inputs
from playstream.compat.options import HANDLERS, prefer_env_files
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
    """Prepare a run, or one stage of it, without starting it.

    Args:
        kwargs: as for run().

    Raises:
        ConfigurationError: the job is invalid. This is also a ValueError.
        TypeError: an argument is unknown.
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
    config.set_options(role)
    config.prepare()
    save_inputs(config, kwargs.get("inventory"))
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
    """Return the inventory: a name of a file in `inventory/` as its path, and a word that names no file as a host."""
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
    """Return the handlers; without a cancel callback, SIGINT and SIGTERM cancel a run in the main thread."""
    if handlers.get("cancel_callback") is None:
        handlers["cancel_callback"] = SignalWatch()
    return handlers


def run(**kwargs: Any) -> _Runner:
    """Run a playbook, a module or a role, or one stage of a pipeline, and wait for it to end.

    Args:
        kwargs: what to run and how; docs/python.md lists them. `streamer` is `transmit`, `worker` or `process` for
            one stage, on the file objects `_input` and `_output`.

    Returns:
        The run, with `status`, `rc`, `events`, `stats`, `stdout` and more.

    Raises:
        ConfigurationError: the job is invalid. This is also a ValueError.
        TypeError: an argument is unknown.
        CallbackError: a cancel callback, artifacts handler or finished callback raised an exception.
    """
    if kwargs.get("streamer") not in {"transmit", "worker"}:
        kwargs = _with_signals(kwargs)
    with listening(kwargs.get("cancel_callback")):
        runner = init_runner(**kwargs)
        runner.run()
    return runner


def run_async(**kwargs: Any) -> tuple[threading.Thread, _Runner]:
    """Start a run in a new thread.

    Args:
        kwargs: as for run().

    Returns:
        The thread, and the run, which can be inspected while it is active.

    Raises:
        ConfigurationError: the job is invalid. This is also a ValueError.
        TypeError: an argument is unknown.
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
    """Prepare a command without starting it.

    Args:
        executable_cmd: the program.
        cmdline_args: its arguments.
        kwargs: as for run_command().

    Raises:
        ConfigurationError: an argument is invalid.
        TypeError: an argument is unknown.
        JobError: the program does not exist.
    """
    handlers = {name: kwargs.pop(name, None) for name in HANDLERS}
    config = CommandConfig(**kwargs)
    config.prepare_run_command(executable_cmd, cmdline_args)
    return Runner(config, **handlers)


def run_command(
    executable_cmd: str, cmdline_args: Sequence[str] | None = None, **kwargs: Any
) -> tuple[str, str, int | None]:
    """Run a command and wait for it to end.

    Args:
        executable_cmd: the program.
        cmdline_args: its arguments.
        kwargs: `input_fd`, `output_fd`, `error_fd`, `runner_mode`, and as for run(): environment, passwords, isolation
            and handlers.

    Returns:
        Its output, its errors, and its return code; 127 if the program does not exist.

    Raises:
        ConfigurationError: an argument is invalid.
        TypeError: an argument is unknown.
        JobError: the program for the isolation does not exist.
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
    """Start a command in a new thread.

    Args:
        executable_cmd: the program.
        cmdline_args: its arguments.
        kwargs: as for run_command().

    Returns:
        The thread, and the run.

    Raises:
        ConfigurationError: an argument is invalid.
        TypeError: an argument is unknown.
        JobError: the program does not exist.
    """
    runner = init_command_config(executable_cmd, cmdline_args, **kwargs)
    thread, _ = running.start(runner)
    return thread, runner


def get_plugin_docs(
    plugin_names: Sequence[str],
    plugin_type: str | None = None,
    response_format: str | None = None,
    snippet: bool = False,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **kwargs: Any,
) -> ansible_queries.Answer:
    """Return the documentation of plugins; see playstream.get_plugin_docs."""
    return ansible_doc.get_plugin_docs(
        plugin_names, plugin_type, response_format, snippet, playbook_dir, module_path, **prefer_env_files(kwargs)
    )


def get_plugin_docs_async(
    plugin_names: Sequence[str],
    plugin_type: str | None = None,
    response_format: str | None = None,
    snippet: bool = False,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **kwargs: Any,
) -> tuple[threading.Thread, _Runner]:
    """Run get_plugin_docs() in a new thread."""
    return ansible_doc.get_plugin_docs_async(
        plugin_names, plugin_type, response_format, snippet, playbook_dir, module_path, **prefer_env_files(kwargs)
    )


def get_plugin_list(
    list_files: bool | None = None,
    response_format: str | None = None,
    plugin_type: str | None = None,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **kwargs: Any,
) -> ansible_queries.Answer:
    """Return the installed plugins; see playstream.get_plugin_list."""
    return ansible_doc.get_plugin_list(
        list_files, response_format, plugin_type, playbook_dir, module_path, **prefer_env_files(kwargs)
    )


def get_inventory(
    action: str,
    inventories: Sequence[str],
    response_format: str | None = None,
    host: str | None = None,
    playbook_dir: str | None = None,
    vault_ids: str | None = None,
    vault_password_file: str | None = None,
    output_file: str | None = None,
    export: bool | None = None,
    **kwargs: Any,
) -> ansible_queries.Answer:
    """Return the contents of an inventory; see playstream.get_inventory."""
    return ansible_queries.get_inventory(
        action,
        inventories,
        response_format,
        host,
        playbook_dir,
        vault_ids,
        vault_password_file,
        output_file,
        export,
        **prefer_env_files(kwargs),
    )


def get_ansible_config(
    action: str, config_file: str | None = None, only_changed: bool | None = None, **kwargs: Any
) -> tuple[str, str]:
    """Return Ansible's configuration; see playstream.get_ansible_config."""
    return ansible_queries.get_ansible_config(action, config_file, only_changed, **prefer_env_files(kwargs))


def get_role_list(
    collection: str | None = None, playbook_dir: str | None = None, **kwargs: Any
) -> ansible_queries.Answer:
    """Return the roles that have an argument specification; see playstream.get_role_list."""
    return ansible_doc.get_role_list(collection, playbook_dir, **prefer_env_files(kwargs))


def get_role_argspec(
    role: str, collection: str | None = None, playbook_dir: str | None = None, **kwargs: Any
) -> ansible_queries.Answer:
    """Return the argument specification of a role; see playstream.get_role_argspec."""
    return ansible_doc.get_role_argspec(role, collection, playbook_dir, **prefer_env_files(kwargs))
