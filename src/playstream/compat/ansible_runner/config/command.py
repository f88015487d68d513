"""The configuration of a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

from playstream.compat.ansible_runner.exceptions import ConfigurationError
from playstream.compat.options import prefer_env_files, refuse_unknown
from playstream.interface.command_config import CommandConfig as _CommandConfig
from playstream.interface.commands import find_descriptors
from playstream.pipeline.job.options import SharedOptions

__all__ = ["CommandConfig"]


class CommandConfig(_CommandConfig):
    """A command line to run. `prepare_run_command()` sets and prepares it.

    Args:
        input_fd: standard input of the command; this and the next two are for mode `subprocess`.
        output_fd: standard output.
        error_fd: standard error.
        runner_mode: `pexpect` for a terminal, `subprocess` for pipes.
        kwargs: as for run_command(): environment, passwords and isolation.

    Raises:
        TypeError: an argument is unknown.
        ConfigurationError: an argument, or a file of `env/`, is invalid.
    """

    def __init__(
        self,
        input_fd: IO[Any] | int | None = None,
        output_fd: IO[Any] | int | None = None,
        error_fd: IO[Any] | int | None = None,
        runner_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("keepalive_seconds", None)  # only used by the worker
        options = prefer_env_files(kwargs)
        private_data_dir = options.pop("private_data_dir", None)
        refuse_unknown("CommandConfig", options, SharedOptions)
        if runner_mode not in (None, "pexpect", "subprocess"):
            raise ConfigurationError(f"runner_mode: expected 'pexpect' or 'subprocess', got {runner_mode!r}")
        super().__init__(private_data_dir, **options)
        self.runner_mode = runner_mode
        files = {"input_fd": input_fd, "output_fd": output_fd, "error_fd": error_fd, "runner_mode": runner_mode}
        self._files = {name: value for name, value in files.items() if value is not None}

    def prepare_run_command(self, executable_cmd: str, cmdline_args: Sequence[str] | None = None) -> None:
        """Prepare the command.

        Args:
            executable_cmd: the program.
            cmdline_args: its arguments.

        Raises:
            ConfigurationError: an argument is invalid.
            JobError: the program does not exist.
        """
        if not executable_cmd:
            raise ConfigurationError(f"executable_cmd: expected the name of a program, got {executable_cmd!r}")
        descriptors = find_descriptors(executable_cmd, self._files)
        self.runner_mode = "pexpect" if descriptors is None else "subprocess"
        self.set_command(executable_cmd, list(cmdline_args or ()), descriptors)
        self.prepare()
