"""The configuration of a playbook's, a module's or a role's run."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playstream.compat.ansible_runner import defaults
from playstream.compat.executables import lengthen, shorten
from playstream.compat.facts import facts_elsewhere
from playstream.compat.given import Given
from playstream.compat.options import loosen, make_directory, refuse_unknown, with_host_keys_unchecked
from playstream.interface.config import RunnerConfig as _RunnerConfig
from playstream.pipeline.checks import check_options
from playstream.pipeline.options import JobOptions, SharedOptions
from playstream.pipeline.tree.directories import absolute_path, make_private

__all__ = ["ExecutionMode", "RunnerConfig"]


class ExecutionMode:
    """What kind of program is run."""

    NONE = 0
    ANSIBLE = 1
    ANSIBLE_PLAYBOOK = 2
    RAW = 3


class RunnerConfig(_RunnerConfig):
    """What is to be run. `prepare()` makes it ready; `command`, `env` and `cwd` may be changed before it runs.

    The parameters are those of run(). What is None or false is as good as left out. A private data directory that is
    missing is made; None makes a temporary one, which stays.

    Raises:
        TypeError: an argument has an unknown name.
        ConfigurationError: an argument is wrong.
    """

    runner_mode = "pexpect"
    text_stays_text = True
    follow_links = True

    playbook = Given("playbook")
    inventory = Given("inventory")
    roles_path = Given("roles_path")
    limit = Given("limit")
    module = Given("module")
    module_args = Given("module_args")
    host_pattern = Given("host_pattern")
    binary = Given("binary")
    extra_vars = Given("extravars")
    verbosity = Given("verbosity")
    tags = Given("tags")
    skip_tags = Given("skip_tags")
    forks = Given("forks")
    cmdline_args = Given("cmdline")
    envvars = Given("envvars")
    passwords = Given("passwords")
    ssh_key_data = Given("ssh_key")
    timeout = Given("timeout")
    suppress_env_files = Given("suppress_env_files", False)
    omit_event_data = Given("omit_event_data", False)
    only_failed_event_data = Given("only_failed_event_data", False)
    directory_isolation_path = Given("directory_isolation_base_path")
    process_isolation = Given("process_isolation", False)
    process_isolation_executable = Given(
        "process_isolation_executable", defaults.default_process_isolation_executable
    )
    process_isolation_path = Given("process_isolation_path")
    process_isolation_hide_paths = Given("process_isolation_hide_paths")
    process_isolation_show_paths = Given("process_isolation_show_paths")
    process_isolation_ro_paths = Given("process_isolation_ro_paths")
    container_image = Given("container_image", "")
    container_volume_mounts = Given("container_volume_mounts")
    container_options = Given("container_options")
    container_workdir = Given("container_workdir")
    container_auth_data = Given("container_auth_data")
    host_cwd = Given("host_cwd")

    def __init__(  # noqa: PLR0917 - as many as ansible-runner's has
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
        kwargs.pop("keepalive_seconds", None)  # the worker's alone
        refuse_unknown(type(self).__name__, kwargs, SharedOptions)
        named = {
            "playbook": playbook, "inventory": inventory, "roles_path": roles_path, "limit": limit, "module": module,
            "module_args": module_args, "verbosity": verbosity, "host_pattern": host_pattern, "binary": binary,
            "extravars": extravars, "suppress_output_file": suppress_output_file,
            "suppress_ansible_output": suppress_ansible_output, "process_isolation_path": process_isolation_path,
            "process_isolation_hide_paths": process_isolation_hide_paths,
            "process_isolation_show_paths": process_isolation_show_paths,
            "process_isolation_ro_paths": process_isolation_ro_paths, "tags": tags, "skip_tags": skip_tags,
            "directory_isolation_base_path": directory_isolation_base_path, "forks": forks, "cmdline": cmdline,
            "omit_event_data": omit_event_data, "only_failed_event_data": only_failed_event_data,
        }
        make_directory(private_data_dir)
        if not private_data_dir:
            private_data_dir = tempfile.mkdtemp(prefix=defaults.AUTO_CREATE_NAMING, dir=defaults.AUTO_CREATE_DIR)
        self._configure(private_data_dir, {**loosen({**kwargs, **named}), "env_files_win": True})
        make_private(Path(self.artifact_dir))

    def give(self, options: Mapping[str, Any]) -> None:
        """Change options before `prepare()`; None takes one away.

        Args:
            options: by the names that run() has for them.

        Raises:
            ConfigurationError: a value is wrong.
        """
        checked = check_options(loosen(options), JobOptions, type(self).__name__)
        for known in (self.options, self._job_options):
            for name in options:
                known.pop(name, None)
            known.update(checked)

    @property
    def containerized(self) -> bool:
        """True if it runs in a container."""
        return self._isolated and self.process_isolation_executable in {"podman", "docker"}

    @property
    def sandboxed(self) -> bool:
        """True if it runs under bwrap."""
        return self._isolated and not self.containerized

    @property
    def _isolated(self) -> bool:
        said = self.settings.get("process_isolation", self.options.get("process_isolation"))
        return bool(self.container_image) if said is None else bool(said)

    @property
    def fact_cache_type(self) -> str:
        """Which plugin keeps the facts; '' for the one of Ansible's configuration."""
        return str(self.settings.get("fact_cache_type", self.options.get("fact_cache_type", "jsonfile")) or "")

    @property
    def fact_cache(self) -> str | None:
        """The directory of the facts in the artifacts; None when they are not kept as files."""
        name = self.settings.get("fact_cache") or self.options.get("fact_cache") or "fact_cache"
        return os.path.join(self.artifact_dir, name) if self.fact_cache_type == "jsonfile" else None

    def prepare(self) -> None:
        """Check everything, and make a private place with what the run needs.

        Raises:
            ConfigurationError: the job could not run as asked; names the argument, or the file and line.
            JobError: Ansible is not on the PATH, or the private place cannot be made.
        """
        self._job_options["settings"] = dict(self.settings or {})  # a program may have added some
        self._job_options["envvars"] = with_host_keys_unchecked(self.envvars)
        self._find_project()
        self._find_inventory()
        with facts_elsewhere(self, self._job_options, containerized=self.containerized):
            super().prepare()
        self._name_playbook_once()
        self.command[0] = shorten(self.command[0], self.binary, self._places, self.cwd)
        self.suppress_ansible_output = bool(self.settings.get("suppress_ansible_output", self.quiet))

    def _words_to_run(self) -> list[str]:
        """The command; a program that is a bare name is looked for where prepare() found it."""
        return [lengthen(word, self._places, self.cwd) for word in self.command[:1]] + self.command[1:]

    @property
    def _places(self) -> Mapping[str, str]:
        """The variables that say where programs are: `env` is the job's, and an engine is this host's."""
        return os.environ if self.containerized else self.env

    def _name_playbook_once(self) -> None:
        """A program of the caller's own may have the playbook in its command line already."""
        if self.binary and self.playbook == self.command[-1] and self.playbook in shlex.split(self.cmdline_args or ""):
            del self.command[-1]

    def _find_project(self) -> None:
        """Where Ansible is started: a module in the private data directory, all else in the project."""
        if self.module and not self.binary:
            self._job_options["project_dir"] = self.private_data_dir
        elif "project_dir" in self.options:
            self._job_options["project_dir"] = absolute_path(self.options["project_dir"])

    def _find_inventory(self) -> None:
        given = self.options.get("inventory")
        if isinstance(given, (list, tuple)):
            self._job_options["inventory"] = [_find_path(item) for item in given]
        elif given is not None:
            self._job_options["inventory"] = _find_path(given)

    def _command_words(self) -> Sequence[str]:
        """A program of the caller's own, when it is not to run a playbook, a module or a role."""
        if not self.binary or self.playbook or self.module or "role" in self.options:
            return ()
        return (self.binary, *shlex.split(self.cmdline_args or ""))


def _find_path(inventory: Any) -> Any:
    """An inventory's path as this process sees it; what is no path as it is."""
    if isinstance(inventory, (str, os.PathLike)) and "\n" not in os.fspath(inventory) and os.path.exists(inventory):
        return absolute_path(inventory)
    return inventory
