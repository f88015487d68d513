"""RunnerConfig: the configuration of a run, which can be changed until the run starts."""

from __future__ import annotations

import os
import uuid
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from playstream.interface.describing import describe_job, quote
from playstream.interface.options import RunOptions
from playstream.interface.prepared_run import PreparedRun
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.io.stdio import fill_standard_streams
from playstream.pipeline.job.checks import check_options, refuse_empty
from playstream.pipeline.job.ident import ARTIFACTS, check_ident
from playstream.pipeline.job.job import make_job
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.job.options import JobOptions, StrPath
from playstream.pipeline.protocol import Job, Record
from playstream.pipeline.tree.directories import absolute_path, current_directory
from playstream.worker.execution import Execution
from playstream.worker.spool import PrivateDirectory
from playstream.worker.user_terminal import UserTerminal

if TYPE_CHECKING:
    from playstream.interface.galaxy import Galaxy
    from playstream.pipeline.tree.meter import Meter


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

    def __init__(self, private_data_dir: StrPath | None = None, **options: Unpack[JobOptions]) -> None:
        refuse_empty({**options, "private_data_dir": private_data_dir}, RunOptions)
        self.options = check_options(options, JobOptions, type(self).__name__)
        """The given options, checked, without those that are None."""
        self.private_data_dir = absolute_path(private_data_dir) if private_data_dir else None
        """Absolute path; None for a job from memory."""
        given = self.options.get("artifact_dir")
        self._given_artifact_base = None if given is None else Path(absolute_path(given))
        self._own_artifact_dir: str | None = None
        self.ident = str(self.options.get("ident", uuid.uuid4()))
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
        self.text_stays_text = False
        """With `json_mode`, keep and show lines that do not belong to an event unchanged."""
        self.user_terminal: UserTerminal | None = None
        """The user's terminal, whose keys go to the job and whose size the job's has; set it before `prepare()`."""
        self.galaxy: Galaxy = None
        """Whether `prepare()` installs the collections and roles that the project requires, as for run()."""
        self.galaxy_cancellation: Cancellation | None = None
        """Requests to stop that; None if it cannot be requested."""
        self.galaxy_meter: Meter | None = None
        """Is active meanwhile; None for none."""
        self._installed: object = None
        """What was installed, which must not be removed during the run."""
        self.follow_links = False
        """If `stdout` or `stderr` in the artifact directory is a link, keep the link and write to its target."""
        self.link_latest = True
        """Whether to make `latest` a link to the newest run, in the directory that contains those of runs."""
        self._temporary: PrivateDirectory | None = None
        self._prepared_run: PreparedRun | None = None
        check_ident(self.ident or "x")

    def __repr__(self) -> str:
        """Say what is run and where. The repr contains no arguments, variables or passwords."""
        where = f"in {quote(self.private_data_dir)}" if getattr(self, "private_data_dir", None) else ""
        what = " ".join(filter(None, (self.describe(), where)))
        return f"<{type(self).__name__} {quote(getattr(self, 'ident', ''))}{what and f': {what}'}>"

    def describe(self) -> str:
        """Return what is run, such as `playbook 'site.yml'`; '' if that is unknown."""
        return describe_job(getattr(self, "options", {}))

    @property
    def artifact_base(self) -> Path | None:
        """The directory that contains the artifact directories of runs; None if `ident` is ''."""
        if self._own_artifact_dir is not None:
            return Path(self._own_artifact_dir).parent
        return self._artifact_base if self.ident else None

    @property
    def links_latest(self) -> bool:
        """Whether this run makes a link to itself: not if its directory was set, or contains those of other runs."""
        return self.link_latest and bool(self.ident) and self._own_artifact_dir is None

    @property
    def _artifact_base(self) -> Path:
        """The directory of artifact directories. For a run from memory it is removed with this object."""
        if self._given_artifact_base is not None:
            return self._given_artifact_base
        if self.private_data_dir is not None:
            return Path(self.private_data_dir) / ARTIFACTS
        return self._make_temporary().root / ARTIFACTS

    def _make_temporary(self) -> PrivateDirectory:
        if self._temporary is None:
            self._temporary = PrivateDirectory()
            weakref.finalize(self, self._temporary.remove)
        return self._temporary

    @property
    def artifact_dir(self) -> str:
        """The directory of this run's artifacts. If it is set, `ident` is not added."""
        if self._own_artifact_dir is not None:
            return self._own_artifact_dir
        return str(self._artifact_base / self.ident) if self.ident else str(self._artifact_base)

    @artifact_dir.setter
    def artifact_dir(self, path: StrPath) -> None:
        self._own_artifact_dir = absolute_path(path)

    @property
    def project_dir(self) -> str:
        """The directory of the playbooks."""
        return os.path.join(self.private_data_dir or current_directory(), self.options.get("project_dir") or "project")

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
        return self._prepared_run is not None

    @property
    def prepared_run(self) -> PreparedRun:
        """What `prepare()` created.

        Raises:
            ConfigurationError: the configuration is not prepared.
        """
        if self._prepared_run is None:
            raise ConfigurationError("the configuration is not prepared: call prepare() before the run")
        return self._prepared_run

    def make_ready(self) -> None:
        """Call prepare(), unless the configuration is prepared."""
        if not self.prepared:
            self.prepare()

    def prepare(self) -> None:
        """Check the options, and create a private directory with the files that the run needs.

        Raises:
            ConfigurationError: the job is invalid; the message names the argument, or the file and line.
            ExecutableNotFound: Ansible is not on the PATH.
            GalaxyError: ansible-galaxy has failed.
            JobError: the private directory cannot be created.
        """
        self.release()
        job = self.make_job(self.job_options)
        if self.galaxy:
            from playstream.interface.galaxy import add_to_job  # noqa: PLC0415 - seldom asked for

            base = self._directory or Path(current_directory())
            job, self._installed = add_to_job(job, base, self.galaxy, self.galaxy_cancellation, self.galaxy_meter)
        self.prepare_job(job)

    @property
    def job_options(self) -> dict[str, Any]:
        """A copy of the options, with the directory and the name of the run."""
        directory = {} if self.private_data_dir is None else {"private_data_dir": self.private_data_dir}
        return {**self.options, **directory, "ident": str(self.ident)}

    def make_job(
        self, options: Mapping[str, Any], *, command: Sequence[str] = (), delivery: Delivery = Delivery.IN_PLACE
    ) -> Job:
        """Return the job of some options, checked against the private data directory.

        Args:
            options: the options of the job, checked.
            command: the whole command line, if it is not built from the options.
            delivery: how to handle named files that do not exist.

        Raises:
            ConfigurationError: the job is invalid; the message names the argument, or the file and line.
        """
        fill_standard_streams()
        return make_job(options, delivery, command=command, awaits_galaxy=bool(self.galaxy))

    def prepare_job(self, job: Job, *, on_terminal: bool = True, caller: bool = False) -> None:
        """Prepare the run of a job, and set the attributes that this determines.

        Args:
            job: what to run.
            on_terminal: as for PreparedRun.
            caller: as for PreparedRun.

        Raises:
            ConfigurationError: the isolation is invalid.
            ExecutableNotFound: Ansible is not on the PATH.
            JobError: the private directory cannot be created.
        """
        if self.private_data_dir is None and self._given_artifact_base is None:
            self._make_temporary()  # now, before more threads are started
        self._prepared_run = PreparedRun(
            job,
            self._directory,
            on_terminal=on_terminal,
            caller=caller,
            user=self.user_terminal,
            artifacts=self._temporary,
        )
        command = self._prepared_run.command
        self.command, self.env, self.cwd = list(command.argv), dict(command.env), str(command.cwd)
        self.take_settings(job.settings)

    def take_settings(self, settings: Mapping[str, Any]) -> None:
        """Set `settings` to those of the job, which include the ones in `env/settings`, and what follows from them."""
        self.settings = dict(settings)
        self.suppress_ansible_output = self.quiet or bool(self.settings.get("suppress_ansible_output"))
        self.suppress_output_file = bool(self.settings.get("suppress_output_file", False))

    @property
    def _directory(self) -> Path | None:
        return None if self.private_data_dir is None else Path(self.private_data_dir)

    def make_execution(self, mailbox: Mailbox[Record], cancellation: Cancellation) -> Execution:
        """Return the execution of the job, with the changes made since `prepare()`.

        Runner calls it, and `release` afterwards.

        Raises:
            ConfigurationError: the configuration is not prepared, the command is empty, or its directory is missing.
        """
        return self.prepared_run.make_execution(
            mailbox, cancellation, argv=self.command, env=self.env, cwd=self.cwd, facts=self.fact_cache
        )

    def release(self) -> None:
        """Remove the files that an earlier `prepare()` created."""
        prepared, self._prepared_run = self._prepared_run, None
        if prepared is not None:
            prepared.remove()
        self._installed = None
