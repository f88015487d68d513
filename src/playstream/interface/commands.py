"""Run any command line, but mainly Ansible's own programs: run_command()."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import IO, Any, Unpack

from playstream.interface.command_config import CommandConfig, Descriptors
from playstream.interface.event_handler import expand_handler
from playstream.interface.handlers import take_handlers
from playstream.interface.logs import set_up_logging
from playstream.interface.options import CommandOptions
from playstream.interface.runner import Runner
from playstream.interface.running import start
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.checks import check_options, refuse_empty, select_options
from playstream.pipeline.job.options import SharedOptions

_WITHOUT_TERMINAL = {"ansible-config", "ansible-doc", "ansible-galaxy"}
"""Programs that never prompt and whose output is read by programs. A terminal would wrap its lines."""
_DESCRIPTOR_OPTIONS = ("input_fd", "output_fd", "error_fd")


def init_command(
    executable_cmd: str, cmdline_args: Sequence[str] | None = None, **options: Unpack[CommandOptions]
) -> Runner:
    """Prepare a command without starting it.

    Args:
        executable_cmd: the program.
        cmdline_args: its arguments.
        options: as for run_command().

    Raises:
        ConfigurationError: an option is invalid.
        ExecutableNotFound: the program does not exist.
    """
    if not isinstance(executable_cmd, str) or not executable_cmd:
        raise ConfigurationError(f"executable_cmd: expected the name of a program, got {executable_cmd!r}")
    words = list(cmdline_args or ())
    if isinstance(cmdline_args, str) or not all(isinstance(word, str) for word in words):
        raise ConfigurationError("cmdline_args: expected a list of strings")
    refuse_empty(options, CommandOptions)
    shared = select_options(options, SharedOptions)  # CommandConfig checks them
    others = {name: value for name, value in options.items() if name not in shared}
    given = check_options(others, CommandOptions, "run_command")
    expand_handler(given)
    handlers = take_handlers(given)
    descriptors = find_descriptors(executable_cmd, given)
    if shared.get("quiet") is None:
        shared["quiet"] = descriptors is not None
    config = CommandConfig(given.get("private_data_dir"), **shared)
    config.set_command(executable_cmd, words, descriptors)
    set_up_logging(given)
    config.prepare()
    return Runner(config, **handlers)


def find_descriptors(executable: str, given: Mapping[str, Any]) -> Descriptors | None:
    """Return the caller's descriptors for mode `subprocess`; None for a terminal.

    Raises:
        ConfigurationError: the mode does not support one of them, or it is not a file with a descriptor.
    """
    mode = given.get("runner_mode")
    if mode is None:
        asks_nothing = executable.rpartition("/")[2] in _WITHOUT_TERMINAL
        mode = "subprocess" if asks_nothing or given.keys() & set(_DESCRIPTOR_OPTIONS) else "pexpect"
    if mode == "pexpect":
        for name in _DESCRIPTOR_OPTIONS:
            if name in given:
                raise ConfigurationError(
                    f"{name} requires runner_mode='subprocess': with 'pexpect' the command has a terminal for all its "
                    "streams"
                )
        return None
    stdin, stdout, stderr = (_number(name, given.get(name)) for name in _DESCRIPTOR_OPTIONS)
    return stdin, stdout, stderr


def _number(name: str, file: IO[Any] | int | None) -> int | None:
    if file is None or isinstance(file, int):
        return file
    try:
        if name != "input_fd":
            file.flush()  # the caller's output precedes the command's
        return file.fileno()
    except (AttributeError, OSError, ValueError):
        raise ConfigurationError(
            f"{name}: expected a file with a descriptor, got {type(file).__name__}. A process cannot use an object in "
            "memory: omit it and use the output that run_command() returns"
        ) from None


def run_command(
    executable_cmd: str, cmdline_args: Sequence[str] | None = None, **options: Unpack[CommandOptions]
) -> tuple[str, str, int | None]:
    """Run a command, without a shell, and wait for it to end.

    Args:
        executable_cmd: the program, such as `ansible-playbook`.
        cmdline_args: its arguments.
        options: `input_fd`, `output_fd`, `error_fd`: files that the command uses directly; `runner_mode`; and as for
            run(): environment, passwords, isolation and handlers.

    Returns:
        Its output, its errors (included in the output on a terminal, mode `pexpect`), and its return code; if that is
        unknown, the exit status of the error, as in docs/errors.md. Output to `output_fd` or `error_fd` is not
        included.

    Raises:
        ConfigurationError: an option is invalid.
        ExecutableNotFound: the program does not exist.

    Example:
        >>> out, err, rc = run_command("ansible-doc", ["--list", "--json"])  # doctest: +SKIP
    """
    runner = init_command(executable_cmd, cmdline_args, **options)
    runner.run()
    return read_output(runner)


def read_output(runner: Runner) -> tuple[str, str, int | None]:
    """Return the output, errors and return code of a command that has ended; 0 only if it was successful."""
    config = runner.config
    texts = {"stdout": "", "stderr": ""}
    # If the output went to the caller's descriptor, the artifact only contains text from events.
    for name in config.outputs if isinstance(config, CommandConfig) else texts:
        path = runner.artifact_path / name
        texts[name] = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return texts["stdout"], texts["stderr"], runner.rc or runner.exit_status


def run_command_async(
    executable_cmd: str, cmdline_args: Sequence[str] | None = None, **options: Unpack[CommandOptions]
) -> tuple[threading.Thread, Runner]:
    """Start a command in a new thread.

    Args:
        executable_cmd: the program.
        cmdline_args: its arguments.
        options: as for run_command().

    Returns:
        The thread, and the run, whose `stdout` and `stderr` are open files.

    Raises:
        ConfigurationError: an option is invalid.
        ExecutableNotFound: the program does not exist.

    Example:
        >>> thread, runner = run_command_async("ansible", ["--version"])  # doctest: +SKIP
        >>> thread.join()  # doctest: +SKIP
    """
    return start(init_command(executable_cmd, cmdline_args, **options))
