"""CommandConfig: the configuration of a command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

from playstream.interface.command_mounts import find_mounts
from playstream.interface.config import RunnerConfig
from playstream.pipeline.job.checks import check_options
from playstream.pipeline.job.isolation import read_isolation
from playstream.pipeline.job.options import SharedOptions, StrPath
from playstream.pipeline.protocol import Job
from playstream.pipeline.tree.directories import absolute_path, current_directory
from playstream.worker.console import Console
from playstream.worker.pipes import Pipes

Descriptors = tuple["int | None", "int | None", "int | None"]
"""Standard input, output and error; None for a stream that playstream handles."""


class CommandConfig(RunnerConfig):
    """A command line to run: any program, but mainly Ansible's own.

    Args:
        executable_cmd: the program.
        cmdline_args: its arguments.
        descriptors: the descriptors it uses; None for a terminal.
        private_data_dir: as for RunnerConfig.
        options: as for run_command().
    """

    text_stays_text = True  # the caller wants the command's own output
    _is_command = True

    def __init__(
        self,
        executable_cmd: str,
        cmdline_args: Sequence[str] = (),
        descriptors: Descriptors | None = None,
        private_data_dir: StrPath | None = None,
        **options: Unpack[SharedOptions],
    ) -> None:
        self._words = [executable_cmd, *cmdline_args]
        self._descriptors = descriptors
        self._pipes: Pipes | None = None
        self._configure(private_data_dir, check_options(options, SharedOptions, type(self).__name__))
        # A command runs in the caller's current directory, which is mounted in a container.
        cwd = absolute_path(options.get("host_cwd") or current_directory())
        self._job_options.setdefault("project_dir", cwd)
        self._job_options.setdefault("host_cwd", cwd)
        self._mounts = find_mounts(cmdline_args, cwd)

    @property
    def outputs(self) -> list[str]:
        """The streams among `stdout` and `stderr` that playstream reads, because the caller gave no descriptor."""
        _, stdout, stderr = self._descriptors or (None, None, None)
        return [name for name, given in (("stdout", stdout), ("stderr", stderr)) if given is None]

    def _command_words(self) -> Sequence[str]:
        return self._words

    def _adapt(self, job: Job) -> Job:
        settings = dict(job.settings)
        if read_isolation("settings", settings) is not None:
            settings["container_volume_mounts"] = [*self._mounts, *(settings.get("container_volume_mounts") or ())]
        limit = settings.get("subprocess_timeout")
        if self._descriptors is not None and limit and not settings.get("job_timeout"):
            settings["job_timeout"] = limit
        return replace(job, settings=settings)

    @property
    def _on_terminal(self) -> bool:
        return self._descriptors is None

    def _make_console(self) -> Console | None:
        if self._descriptors is not None:
            self._pipes = Pipes(*self._descriptors)
        return self._pipes

    def release(self) -> None:
        """Remove the files that the run needed."""
        super().release()
        if self._pipes is not None:
            self._pipes.close()
            self._pipes = None
