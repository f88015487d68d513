"""CommandConfig: the configuration of a command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from playstream.interface.config import RunnerConfig
from playstream.interface.describing import quote
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.job.isolation import read_isolation
from playstream.pipeline.job.options import SharedOptions, StrPath
from playstream.pipeline.protocol import Job, Record
from playstream.pipeline.tree.directories import absolute_path, current_directory
from playstream.worker.execution import Execution
from playstream.worker.pipes import Pipes

Descriptors = tuple["int | None", "int | None", "int | None"]
"""Standard input, output and error; None for a stream that playstream handles."""


class CommandConfig(RunnerConfig):
    """The configuration of a command line: any program, but mainly Ansible's own. `set_command` sets it.

    Args:
        private_data_dir: as for RunnerConfig.
        options: as for run_command().
    """

    def __init__(self, private_data_dir: StrPath | None = None, **options: Unpack[SharedOptions]) -> None:
        # A command runs in the caller's current directory, which is mounted in a container.
        self._caller_cwd = absolute_path(options.get("host_cwd") or current_directory())
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        super().__init__(private_data_dir, **{"project_dir": self._caller_cwd, "host_cwd": self._caller_cwd, **given})
        self.text_stays_text = True  # the caller wants the command's own output
        self.link_latest = False
        self._words: list[str] = []
        self._mounts: list[str] = []
        self._descriptors: Descriptors | None = None
        self._pipes: Pipes | None = None

    def set_command(
        self, executable_cmd: str, cmdline_args: Sequence[str] = (), descriptors: Descriptors | None = None
    ) -> None:
        """Set the command line that `prepare()` prepares.

        Args:
            executable_cmd: the program.
            cmdline_args: its arguments.
            descriptors: the descriptors it uses; None for a terminal.
        """
        self._words = [executable_cmd, *cmdline_args]
        self._mounts = find_mounts(cmdline_args, self._caller_cwd)
        self._descriptors = descriptors

    def describe(self) -> str:
        """Return the name of the program, without its arguments, which may be secrets."""
        return f"command {quote(self._words[0])}" if getattr(self, "_words", None) else ""

    @property
    def outputs(self) -> list[str]:
        """The streams among `stdout` and `stderr` that playstream reads, because the caller gave no descriptor."""
        _, stdout, stderr = self._descriptors or (None, None, None)
        return [name for name, given in (("stdout", stdout), ("stderr", stderr)) if given is None]

    def prepare(self) -> None:
        """Check the options, and create a private directory with the files that the command needs.

        Raises:
            ConfigurationError: the job is invalid; the message names the argument, or the file and line.
            ExecutableNotFound: the program is not on the PATH.
            JobError: the private directory cannot be created.
        """
        self.release()
        job = self.make_job(self.job_options, command=self._words)
        job = replace(job, settings=self._settings_of(job))
        self.prepare_job(job, on_terminal=self._descriptors is None, caller=True)

    def _settings_of(self, job: Job) -> dict[str, Any]:
        """Return the settings of the job, with the mounts and the time limit of the command."""
        settings = dict(job.settings)
        if read_isolation("settings", settings) is not None:
            settings["container_volume_mounts"] = [*self._mounts, *(settings.get("container_volume_mounts") or ())]
        limit = settings.get("subprocess_timeout")
        if self._descriptors is not None and limit and not settings.get("job_timeout"):
            settings["job_timeout"] = limit
        return settings

    def make_execution(self, mailbox: Mailbox[Record], cancellation: Cancellation) -> Execution:
        """Return the execution of the command; see RunnerConfig."""
        if self._descriptors is not None:
            self._pipes = Pipes(*self._descriptors)
        return self.prepared_run.make_execution(
            mailbox,
            cancellation,
            argv=self.command,
            env=self.env,
            cwd=self.cwd,
            console=self._pipes,
            facts=self.fact_cache,
        )

    def release(self) -> None:
        """Remove the files that an earlier `prepare()` created, and close the command's pipes."""
        super().release()
        if self._pipes is not None:
            self._pipes.close()
            self._pipes = None


_PATH_OPTIONS = {
    "-i",
    "--inventory",
    "--inventory-file",
    "--vault-password-file",
    "--vault-pass-file",
    "--private-key",
    "--key-file",
    "-M",
    "--module-path",
    "--playbook-dir",
    "-c",
    "--config",
    "--become-password-file",
    "--connection-password-file",
}
"""Options of Ansible's programs whose value is a path on this host."""


def find_mounts(words: Sequence[str], cwd: str) -> list[str]:
    """Return mounts, HOST:CONTAINER, for the paths in a command line that are not below `cwd`.

    Paths below `cwd` need no mount, because `cwd` is mounted under its own name.

    Args:
        words: the arguments of the command.
        cwd: the directory that the command runs in.
    """
    mounts = []
    for path in dict.fromkeys(_named_paths(words)):
        full = os.path.abspath(os.path.join(cwd, os.path.expanduser(path)))
        if os.path.exists(full) and not Path(full).is_relative_to(cwd):
            mounts.append(f"{full}:{full}")
    return mounts


def _named_paths(words: Sequence[str]) -> Iterable[str]:
    previous = ""
    for word in words:
        option, equals, value = word.partition("=")
        if previous in _PATH_OPTIONS and "," not in word:
            yield from word.split(":") if previous in {"-M", "--module-path"} else [word]
        elif equals and option in _PATH_OPTIONS and "," not in value:
            yield value
        elif word.startswith("@") and previous in {"-e", "--extra-vars"}:
            yield word[1:]
        elif not word.startswith("-") and word.endswith((".yml", ".yaml")):
            # Mount the directory of a playbook, which contains its roles and files.
            yield os.path.dirname(word) or "."
        previous = word
