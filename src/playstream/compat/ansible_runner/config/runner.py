"""The configuration of a run of a playbook, a module or a role."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from playstream.compat.ansible_runner import defaults
from playstream.compat.ansible_runner.loader import ArtifactLoader
from playstream.compat.option_attribute import Option, Setting
from playstream.compat.options import convert_options, make_directory, refuse_unknown, with_host_keys_unchecked
from playstream.compat.preparation import (
    compile_prompts,
    facts_elsewhere,
    find_path,
    report_missing,
    short_name,
    with_prompts,
)
from playstream.interface.config import RunnerConfig as _RunnerConfig
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.job.checks import check_options
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.job.options import JobOptions, SharedOptions
from playstream.pipeline.protocol import Job, Record
from playstream.pipeline.tree.directories import absolute_path, make_private
from playstream.worker.execution import Execution

__all__ = ["ExecutionMode", "RunnerConfig"]

_LIMITS = ("job_timeout", "idle_timeout", "pexpect_timeout")
_OURS = "PLAYSTREAM_"
_TAKEN = ("PLAYSTREAM_EVENTS", "PLAYSTREAM_ORIGIN")
"""Variables that Ansible removes from its environment before it starts a task."""


class ExecutionMode:
    """Kinds of programs to run."""

    NONE = 0
    ANSIBLE = 1
    ANSIBLE_PLAYBOOK = 2
    RAW = 3


class RunnerConfig(_RunnerConfig):
    """The configuration of a run. After `prepare()`, `command`, `env` and `cwd` may be changed before the run.

    If `command` is set without `prepare()`, it runs unchanged, in `cwd` and with `env` if these are set too.

    The parameters are those of run(). None and false mean the default. A missing private data directory is created;
    None creates a temporary one, which is not removed.

    Raises:
        TypeError: an argument is unknown.
        ConfigurationError: an argument is invalid.
    """

    runner_mode = "pexpect"

    playbook = Option("playbook")
    inventory = Option("inventory")
    roles_path = Option("roles_path")
    limit = Option("limit")
    module = Option("module")
    module_args = Option("module_args")
    host_pattern = Option("host_pattern")
    binary = Option("binary")
    extra_vars = Option("extravars")
    verbosity = Option("verbosity")
    tags = Option("tags")
    skip_tags = Option("skip_tags")
    forks = Option("forks")
    cmdline_args = Option("cmdline")
    envvars = Option("envvars")
    passwords = Option("passwords")
    ssh_key_data = Option("ssh_key")
    timeout = Option("timeout")
    suppress_env_files = Option("suppress_env_files", False)
    omit_event_data = Option("omit_event_data", False)
    only_failed_event_data = Option("only_failed_event_data", False)
    directory_isolation_path = Option("directory_isolation_base_path")
    process_isolation = Option("process_isolation", False)
    process_isolation_executable = Option("process_isolation_executable", defaults.default_process_isolation_executable)
    process_isolation_path = Option("process_isolation_path")
    process_isolation_hide_paths = Option("process_isolation_hide_paths")
    process_isolation_show_paths = Option("process_isolation_show_paths")
    process_isolation_ro_paths = Option("process_isolation_ro_paths")
    container_image = Option("container_image", "")
    container_volume_mounts = Option("container_volume_mounts")
    container_options = Option("container_options")
    container_workdir = Option("container_workdir")
    container_auth_data = Option("container_auth_data")
    host_cwd = Option("host_cwd")
    job_timeout = Setting()
    idle_timeout = Setting()
    pexpect_timeout = Setting(5)
    pexpect_use_poll = Setting(True)
    directory_isolation_cleanup = Setting(True)

    def __init__(  # noqa: PLR0917 - the parameters are ansible-runner's
        self,
        private_data_dir: str | os.PathLike[str] | None = None,
        playbook: Any = None,
        inventory: Any = None,
        roles_path: Any = None,
        limit: str | None = None,
        module: str | None = None,
        module_args: str | None = None,
        verbosity: int | None = None,
        host_pattern: str | None = None,
        binary: str | None = None,
        extravars: Any = None,
        suppress_output_file: bool = False,
        suppress_ansible_output: bool = False,
        process_isolation_path: str | None = None,
        process_isolation_hide_paths: str | Sequence[str] | None = None,
        process_isolation_show_paths: str | Sequence[str] | None = None,
        process_isolation_ro_paths: str | Sequence[str] | None = None,
        tags: str | None = None,
        skip_tags: str | None = None,
        directory_isolation_base_path: str | None = None,
        forks: int | None = None,
        cmdline: str | None = None,
        omit_event_data: bool = False,
        only_failed_event_data: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("keepalive_seconds", None)  # only used by the worker
        refuse_unknown(type(self).__name__, kwargs, SharedOptions)
        named = {
            "playbook": playbook,
            "inventory": inventory,
            "roles_path": roles_path,
            "limit": limit,
            "module": module,
            "module_args": module_args,
            "verbosity": verbosity,
            "host_pattern": host_pattern,
            "binary": binary,
            "extravars": extravars,
            "suppress_output_file": suppress_output_file,
            "suppress_ansible_output": suppress_ansible_output,
            "process_isolation_path": process_isolation_path,
            "process_isolation_hide_paths": process_isolation_hide_paths,
            "process_isolation_show_paths": process_isolation_show_paths,
            "process_isolation_ro_paths": process_isolation_ro_paths,
            "tags": tags,
            "skip_tags": skip_tags,
            "directory_isolation_base_path": directory_isolation_base_path,
            "forks": forks,
            "cmdline": cmdline,
            "omit_event_data": omit_event_data,
            "only_failed_event_data": only_failed_event_data,
        }
        make_directory(private_data_dir)
        if not private_data_dir:
            private_data_dir = tempfile.mkdtemp(prefix=defaults.AUTO_CREATE_NAMING, dir=defaults.AUTO_CREATE_DIR)
        super().__init__(private_data_dir, **{**convert_options({**kwargs, **named}), "env_files_win": True})
        self.text_stays_text = True
        self.follow_links = True
        self.link_latest = False
        self.loader = ArtifactLoader(self.private_data_dir or "")
        self.expect_passwords: dict[Any, Any] = {}
        """Compiled expressions of prompts and their answers; after `prepare()` including those of the passwords."""
        self._no_env = self.env
        self._ours: dict[str, str] = {}
        self._generated = False
        make_private(Path(self.artifact_dir))

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Change options before `prepare()`; None removes an option.

        Args:
            options: options of run().

        Raises:
            ConfigurationError: a value is invalid.
        """
        checked = check_options(convert_options(options), JobOptions, type(self).__name__)
        for name in options:
            self.options.pop(name, None)
        self.options.update(checked)

    @property
    def project_dir(self) -> str:
        """The directory of the playbooks."""
        return absolute_path(self.options["project_dir"]) if "project_dir" in self.options else super().project_dir

    @project_dir.setter
    def project_dir(self, path: str | os.PathLike[str]) -> None:
        self.set_options({"project_dir": path})

    @property
    def execution_mode(self) -> int:
        """The kind of program that is run."""
        if self.binary or self.loader.isfile("args"):
            return ExecutionMode.RAW
        if self.module:
            return ExecutionMode.ANSIBLE
        return ExecutionMode.ANSIBLE_PLAYBOOK if self.playbook or "role" in self.options else ExecutionMode.NONE

    @property
    def containerized(self) -> bool:
        """True if the job runs in a container."""
        return self._isolated and self.process_isolation_executable in {"podman", "docker"}

    @property
    def sandboxed(self) -> bool:
        """True if the job runs under bwrap."""
        return self._isolated and not self.containerized

    @property
    def _isolated(self) -> bool:
        said = self.settings.get("process_isolation", self.options.get("process_isolation"))
        return bool(self.container_image) if said is None else bool(said)

    @property
    def fact_cache_type(self) -> str:
        """The cache plugin for facts; '' for the one in Ansible's configuration."""
        return str(self.settings.get("fact_cache_type", self.options.get("fact_cache_type", "jsonfile")) or "")

    @fact_cache_type.setter
    def fact_cache_type(self, kind: str) -> None:
        self.set_options({"fact_cache_type": kind})

    @property
    def fact_cache(self) -> str | None:
        """The directory of facts in the artifacts; None if facts are not kept as files."""
        name = self.settings.get("fact_cache") or self.options.get("fact_cache") or "fact_cache"
        return os.path.join(self.artifact_dir, name) if self.fact_cache_type == "jsonfile" else None

    @fact_cache.setter
    def fact_cache(self, path: str | None) -> None:
        self.set_options({"fact_cache": path})

    def make_ready(self) -> None:
        """Prepare the configuration for a run, unless it is prepared. A `command` that was set is kept."""
        if self.prepared or not self.command or self._generated:
            super().make_ready()
            return
        env, cwd, prompts = self.env, self.cwd, self.expect_passwords
        self.prepare_env()
        self.expect_passwords = {**self.expect_passwords, **prompts}
        if not self._isolated:
            self.env = self.env if env is self._no_env and not env else env
            self.cwd = cwd or self.cwd

    def prepare_env(self) -> None:
        """Prepare `env`, `cwd` and `settings`, as `prepare()` does. A `command` that was set is kept.

        Raises:
            ConfigurationError: an argument, or a file of `env/`, is invalid.
            JobError: the private directory cannot be created.
        """
        command = self.command
        # Use a program that exists instead. The run itself reports if the command's program does not.
        self._prepare((sys.executable,))
        if self._isolated and command:
            self._prepare(command)
        if not self._isolated:
            self.command = command
        self._generated = False

    def prepare(self) -> None:
        """Check the options, and create a private directory with the files that the run needs.

        Raises:
            ConfigurationError: the job is invalid; the message names the argument, or the file and line.
            JobError: Ansible is not on the PATH, or the private directory cannot be created.
        """
        self._prepare(self._find_own_command())
        self._generated = True
        self._name_playbook_once()
        self.command[0] = short_name(self.command[0], self.binary, self._places, self.cwd)

    def _prepare(self, command: Sequence[str]) -> None:
        """Prepare a whole command line, or if it is empty, that of the options."""
        self.release()
        self.ident = str(self.ident)
        options = {
            **self.job_options,
            "settings": dict(self.settings or {}),  # a program may have added some
            "envvars": with_host_keys_unchecked(self.envvars),
            **self._find_project(),
            **self._find_inventory(),
        }
        with facts_elsewhere(self, options, containerized=self.containerized):
            self.prepare_job(self.make_job(options, command=command, delivery=Delivery.UNCHECKED))
        self._ours = {name: value for name, value in self.env.items() if name.startswith(_OURS)}
        self.env = {name: value for name, value in self.env.items() if name not in _TAKEN}
        self.expect_passwords = compile_prompts(self.prepared_run.job.passwords)
        self.suppress_ansible_output = bool(self.settings.get("suppress_ansible_output", self.quiet))

    def make_execution(self, mailbox: Mailbox[Record], cancellation: Cancellation) -> Execution:
        """Return the execution of the job, with the changes made since `prepare()`; see playstream.RunnerConfig."""
        prepared = self.prepared_run
        return prepared.make_execution(
            mailbox,
            cancellation,
            argv=self._find_command(),
            shown=self.command,
            env={**self._ours, **self.env},  # with the variables needed for events and for the end of the run
            cwd=self.cwd,
            job=self._change_job(prepared.job),
            facts=self.fact_cache,
        )

    def _find_command(self) -> list[str]:
        """Return the command; a program without a path is searched where prepare() found it."""
        words = [str(word) for word in self.command]
        if not words:
            return []
        program = find_path(words[0], self._places, self.cwd)
        return report_missing(words[0]) if program is None else [program, *words[1:]]

    def _change_job(self, job: Job) -> Job:
        """Return the prepared job with the limits and the prompts as they are set now."""
        limits = {name: self.settings[name] for name in _LIMITS if name in self.settings}
        for name, value in limits.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                raise ConfigurationError(f"{name}: expected a number of seconds, got {value!r}")
        others = {name: value for name, value in job.settings.items() if name not in _LIMITS}
        return replace(job, settings={**others, **limits}, passwords=with_prompts(job.passwords, self.expect_passwords))

    @property
    def _places(self) -> Mapping[str, str]:
        """The environment to search programs in: the job's, or this host's for a container engine."""
        return os.environ if self.containerized else self.env

    def _name_playbook_once(self) -> None:
        """Remove the playbook from the command if the caller's own `cmdline` contains it already."""
        if self.binary and self.playbook == self.command[-1] and self.playbook in shlex.split(self.cmdline_args or ""):
            del self.command[-1]

    def _find_project(self) -> dict[str, Any]:
        """Return the working directory: the private data directory for a module, otherwise the project."""
        if self.module and not self.binary:
            return {"project_dir": self.private_data_dir}
        return {"project_dir": self.project_dir} if "project_dir" in self.options else {}

    def _find_inventory(self) -> dict[str, Any]:
        given = self.options.get("inventory")
        if given is None:
            return {}
        return {"inventory": [_find_path(x) for x in given] if isinstance(given, (list, tuple)) else _find_path(given)}

    def _find_own_command(self) -> Sequence[str]:
        """Return the caller's own program with its arguments, if it runs no playbook, module or role."""
        if not self.binary or self.playbook or self.module or "role" in self.options:
            return ()
        return (self.binary, *shlex.split(self.cmdline_args or ""))


def _find_path(inventory: Any) -> Any:
    """Return an inventory's path as an absolute path; return other inventories unchanged."""
    if isinstance(inventory, (str, os.PathLike)) and "\n" not in os.fspath(inventory) and os.path.exists(inventory):
        return absolute_path(inventory)
    return inventory
