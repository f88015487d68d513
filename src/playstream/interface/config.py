"""RunnerConfig: the configuration of a run, which can be changed until the run starts."""

from __future__ import annotations

import os
import uuid
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from playstream.interface.options import RunOptions
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.io.owned import Owned
from playstream.pipeline.io.removal import discard
from playstream.pipeline.io.stdio import fill_standard_streams
from playstream.pipeline.job.checks import check_options, refuse_empty
from playstream.pipeline.job.ident import check_ident
from playstream.pipeline.job.job import make_job
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.job.options import JobOptions, StrPath
from playstream.pipeline.protocol import Job
from playstream.pipeline.tree.directories import absolute_path, current_directory
from playstream.worker.console import Console
from playstream.worker.environment import fact_cache_dir
from playstream.worker.execution import Execution
from playstream.worker.fact_cache import restore_fact_cache
from playstream.worker.launch import Launch, prepare
from playstream.worker.leftovers import remove_leftovers
from playstream.worker.spool import PrivateDirectory, Spool


class RunnerConfig:
    """The configuration of a run. After `prepare()`, `command`, `env` and `cwd` may be changed before the run.

    Args:
        private_data_dir: directory with `project/`, `inventory/` and `env/`, only read; None for a job from memory.
        options: as for run(), without the handlers.

    Raises:
        ConfigurationError: an option is unknown or has the wrong type.

    Example:
        >>> config = RunnerConfig(private_data_dir="demo", playbook="site.yml")
        >>> config.prepare()  # doctest: +SKIP
        >>> config.env["ANSIBLE_FORCE_COLOR"] = "1"  # doctest: +SKIP
        >>> Runner(config=config).run()  # doctest: +SKIP
        ('successful', 0)
    """

    text_stays_text = False
    """With `json_mode`, keep and show lines that do not belong to an event unchanged."""
    follow_links = False
    """If `stdout` or `stderr` in the artifact directory is a link, keep the link and write to its target."""
    delivery = Delivery.IN_PLACE
    """How to handle named files that do not exist."""
    _is_command = False

    def __init__(self, private_data_dir: StrPath | None = None, **options: Unpack[JobOptions]) -> None:
        refuse_empty({**options, "private_data_dir": private_data_dir}, RunOptions)
        self._configure(private_data_dir, check_options(options, JobOptions, type(self).__name__))

    def _configure(self, private_data_dir: StrPath | None, options: dict[str, Any]) -> None:
        """Set all attributes. The options have been checked by the caller."""
        self.options = options
        """The given options, checked, without those that are None."""
        self.private_data_dir = absolute_path(private_data_dir) if private_data_dir else None
        """Absolute path; None for a job from memory."""
        given = self.options.get("artifact_dir")
        self._given_artifact_dir = None if given is None else Path(absolute_path(given))
        self._job_options = dict(self.options)
        if "ident" not in self.options:
            self._job_options["ident"] = str(uuid.uuid4())
        self.ident = str(self._job_options["ident"])
        """Name of the run."""
        self.command: list[str] = []
        """The command to start; set by `prepare()`."""
        self.env: dict[str, str] = {}
        """The environment of the job, also in a container; set by `prepare()`. Changes do not affect the engine."""
        self.cwd = ""
        """The directory to start the command in; set by `prepare()`."""
        self.settings: dict[str, Any] = dict(self.options.get("settings", {}))
        """Settings; `prepare()` adds those in `env/settings`."""
        self.quiet = bool(self.options.get("quiet", False))
        self.json_mode = bool(self.options.get("json_mode", False))
        self.raw_output = bool(self.options.get("raw_output", False))
        self.rotate_artifacts = int(self.options.get("rotate_artifacts", 0))
        self.check_job_event_data = bool(self.options.get("check_job_event_data", False))
        self.suppress_ansible_output = self.quiet or bool(self.options.get("suppress_ansible_output"))
        self.suppress_output_file = bool(self.options.get("suppress_output_file", False))
        self._temporary: PrivateDirectory | None = None
        check_ident(self.ident or "x")
        self._job: Job | None = None
        self._spool: Spool | None = None
        self._launch: Launch | None = None
        self._finalizers: list[weakref.finalize[..., Any]] = []

    @property
    def artifact_base(self) -> Path | None:
        """The directory that contains the artifact directories of runs; None if `ident` is ''."""
        return self._artifact_base if self.ident else None

    @property
    def _artifact_base(self) -> Path:
        """The directory of artifact directories. For a run from memory it is removed with this object."""
        if self._given_artifact_dir is not None:
            return self._given_artifact_dir
        if self.private_data_dir is not None:
            return Path(self.private_data_dir) / "artifacts"
        return self._make_temporary().root / "artifacts"

    def _make_temporary(self) -> PrivateDirectory:
        if self._temporary is None:
            self._temporary = PrivateDirectory()
            weakref.finalize(self, self._temporary.remove)
        return self._temporary

    @property
    def artifact_dir(self) -> str:
        """The directory of this run's artifacts."""
        return str(self._artifact_base / self.ident) if self.ident else str(self._artifact_base)

    @property
    def project_dir(self) -> str:
        """The directory of the playbooks."""
        project = self._job_options.get("project_dir") or "project"
        return os.path.join(self.private_data_dir or current_directory(), project)

    @property
    def playbook(self) -> Any:
        """The playbook as it was given: a path, or plays."""
        return self.options.get("playbook")

    @property
    def inventory(self) -> Any:
        """The inventory as it was given."""
        return self.options.get("inventory")

    @property
    def fact_cache_type(self) -> str:
        """The cache plugin for facts; '' for the one in Ansible's configuration."""
        kind = self.options.get("fact_cache_type", self.settings.get("fact_cache_type", "jsonfile"))
        return str(kind or "")

    @property
    def fact_cache(self) -> str | None:
        """The directory of facts in the artifacts; None if facts are not kept as files."""
        name = self.options.get("fact_cache") or self.settings.get("fact_cache") or "fact_cache"
        return os.path.join(self.artifact_dir, name) if self.fact_cache_type == "jsonfile" else None

    @property
    def idle_timeout(self) -> float | None:
        """Seconds without output after which the job is stopped; None for never."""
        return self.settings.get("idle_timeout")

    @property
    def job_timeout(self) -> float | None:
        """Seconds after which the job is stopped; None for never."""
        return self.settings.get("job_timeout")

    @property
    def prepared(self) -> bool:
        """True if `prepare()` was called and the command has not run yet."""
        return self._launch is not None

    def make_ready(self) -> None:
        """Call prepare(), unless the configuration is prepared."""
        if not self.prepared:
            self.prepare()

    def prepare(self) -> None:
        """Check the options, and create a private directory with the files that the run needs.

        Raises:
            ConfigurationError: the job is invalid; the message names the argument, or the file and line.
            ExecutableNotFound: Ansible is not on the PATH.
            JobError: the private directory cannot be created.
        """
        self._discard()
        fill_standard_streams()
        directory = None if self.private_data_dir is None else Path(self.private_data_dir)
        options = {**self._job_options, "private_data_dir": directory}
        job = self._adapt(make_job(options, self.delivery, command=self._command_words()))
        if directory is None and self._given_artifact_dir is None:
            self._make_temporary()  # now, before more threads are started
        remove_leftovers()
        self._spool = Spool(directory, in_place=True)
        self._finalizers = [weakref.finalize(self, self._spool.remove)]
        if self._temporary is not None:
            self._spool.guard.own(self._temporary.root)
        self._job = job
        try:
            self._launch = prepare(job, self._spool, tty=self._on_terminal, caller=self._is_command)
        except BaseException:
            self._discard()
            raise
        self._finalizers += [weakref.finalize(self, Owned(discard, path)) for path in self._launch.remove]
        command = self._launch.command
        self.command, self.env, self.cwd = list(command.argv), dict(command.env), str(command.cwd)
        self.settings = dict(job.settings)
        self.suppress_ansible_output = self.quiet or bool(self.settings.get("suppress_ansible_output"))
        self.suppress_output_file = bool(self.settings.get("suppress_output_file", False))

    def _command_words(self) -> Sequence[str]:
        """Return the whole command line, if it is not built from the options."""
        return ()

    def _adapt(self, job: Job) -> Job:
        """Return the job with changes for this kind of configuration."""
        return job

    @property
    def _on_terminal(self) -> bool:
        return True

    def _make_console(self) -> Console | None:
        """Return the console that the command runs on; None for its own terminal."""
        return None

    def _discard(self) -> None:
        """Remove the files that an earlier `prepare()` created."""
        for finalizer in reversed(self._finalizers):
            finalizer()
        self._finalizers = []
        self._launch = self._spool = self._job = None

    def _words_to_run(self) -> list[str]:
        """Return the command to start."""
        return self.command

    def _env_to_run(self) -> Mapping[str, str]:
        """Return the environment to start the command with."""
        return self.env

    def _job_to_run(self, job: Job) -> Job:
        """Return the prepared job with later changes."""
        return job

    def make_execution(self, mailbox: Mailbox, cancellation: Cancellation) -> Execution:
        """Return the execution of the job, with the changes made since `prepare()`.

        Runner calls it, and `release` afterwards.

        Raises:
            ConfigurationError: the configuration is not prepared, the command is empty, or its directory is missing.
        """
        if self._job is None or self._spool is None or self._launch is None:
            raise ConfigurationError("the configuration is not prepared: call prepare() before the run")
        if not self._spool.root.is_dir():
            raise ConfigurationError(
                "the files that prepare() made for this run are gone. It was probably called in another process, which "
                "has ended: call prepare() in the process that runs the job"
            )
        if not self.command:
            raise ConfigurationError("command: expected at least the name of a program, got an empty list")
        if self._launch.sandbox is None and not os.path.isdir(self.cwd):
            raise ConfigurationError(f"cwd: expected a directory to start the command in, got {self.cwd!r}")
        command = replace(
            self._launch.command,
            argv=tuple(map(str, self._words_to_run())),
            shown=tuple(map(str, self.command)),
            env={str(k): str(v) for k, v in self._env_to_run().items()},
            cwd=Path(self.cwd),
        )
        _ = command.start_env  # raises before anything runs if it is invalid
        self._spool.artifact_dir(self._job.ident)  # a run in a forked process may have left its own there
        if self.fact_cache is not None and self._job.settings.get("fact_cache_type", "jsonfile") == "jsonfile":
            # Facts that are already in the artifacts are available to this run.
            restore_fact_cache(Path(self.fact_cache), fact_cache_dir(self._job, self._launch.paths))
        return Execution(
            self._job_to_run(self._job),
            self._spool,
            mailbox,
            cancellation,
            launch=replace(self._launch, command=command),
            console=self._make_console(),
        )

    def release(self) -> None:
        """Remove the files that the run needed."""
        self._discard()
