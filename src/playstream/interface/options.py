"""The keyword arguments of run() and its relatives: their names, their types, and what they become.

The names and meanings are ansible-runner's; where its documents are silent, docs/python.md says what happens.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Literal, Protocol, TypedDict, Union
from uuid import UUID

from playstream.interface.event_handler import EventHandler

StrPath = Union[str, "os.PathLike[str]"]
EventFunction = Callable[[dict[str, Any]], object]
"""Takes an event; what it returns is true to keep the event on disk."""
CancelCallback = Callable[[], object]
"""Asked at least once a second; what it returns is true to cancel the job."""
ArtifactsHandler = Callable[[str], object]
"""Takes the path of the artifact directory when everything is in it."""
FinishedCallback = Callable[[Any], object]
"""Takes the Runner when all is done."""


class StatusHandler(Protocol):
    """Takes each new status: a dict with `status`, `runner_ident`, and with `starting` `command`, `env` and `cwd`."""

    def __call__(self, data: dict[str, Any], /, *, runner_config: Any) -> object:
        """Called in the thread of the run."""


class SharedOptions(TypedDict, total=False):
    """What is the same for a job and a command. None is the same as left out."""

    ident: str | int | UUID | None
    """Name of the run and of its artifact directory; a new uuid when None. '' for no directory of its own."""
    project_dir: StrPath | None
    """Directory of the playbooks; `project` of the private data directory when None."""
    artifact_dir: StrPath | None
    """Where the run's directory is made; `artifacts` of the private data directory when None."""
    rotate_artifacts: int
    """Keep at most this many artifact directories; 0, the default, keeps all."""
    envvars: Mapping[str, Any] | None
    """Environment variables for Ansible."""
    passwords: Mapping[str, Any] | None
    """`ssh`, `become`, `vault`, `vault:ID`, `ssh_key`, or the regular expression of a prompt, to the password."""
    settings: Mapping[str, Any] | None
    """As in `env/settings`."""
    ssh_key: str | None
    """Text of a private key, for an ssh-agent of the run's own."""
    timeout: float | None
    """Seconds after which the job is ended; 0 or None for no limit."""
    quiet: bool
    """Do not print Ansible's output."""
    json_mode: bool
    """Print the events as JSON lines in place of Ansible's output, and keep them as the artifact `stdout`."""
    check_job_event_data: bool
    """Raise IncompleteStream when events are missing at the end."""
    suppress_env_files: bool
    """Leave `env/` unread."""
    suppress_output_file: bool
    """Keep no artifact `stdout`."""
    suppress_ansible_output: bool
    """As `quiet`."""
    fact_cache: str | None
    """Name of the directory of facts in the artifacts; `fact_cache` when None."""
    fact_cache_type: str | None
    """`jsonfile`, the default; another cache plugin; '' for leaving the cache to Ansible's configuration."""
    process_isolation: bool
    """Run in a container or under bwrap."""
    process_isolation_executable: str | None
    """`podman`, the default, `docker` or `bwrap`."""
    process_isolation_path: StrPath | None
    process_isolation_hide_paths: str | Sequence[str] | None
    process_isolation_show_paths: str | Sequence[str] | None
    process_isolation_ro_paths: str | Sequence[str] | None
    container_image: str | None
    container_volume_mounts: Sequence[str] | None
    container_options: Sequence[str] | None
    container_auth_data: Mapping[str, Any] | None
    container_workdir: str | None
    host_cwd: StrPath | None


class HandlerOptions(TypedDict, total=False):
    """What the functions take and the configuration does not."""

    private_data_dir: StrPath | None
    """Directory with `project/`, `inventory/` and `env/`. None for a job from memory."""
    event_handler: EventFunction | None
    handler: EventHandler | None
    """A handler with a method for each kind of event."""
    status_handler: StatusHandler | None
    cancel_callback: CancelCallback | None
    artifacts_handler: ArtifactsHandler | None
    finished_callback: FinishedCallback | None
    store: str | None
    """URL of a store that the run is written to at its end: `sqlite:///runs.db`, `postgresql://…`."""
    debug: bool
    """Log details of playstream's own work to standard error."""
    logfile: StrPath | None
    """Log to this file."""
    ignore_logging: bool
    """Leave logging alone: `debug` and `logfile` have no effect."""


class JobOptions(SharedOptions, total=False):
    """What is run: exactly one of `playbook`, `tasks`, `module` and `role`, and how."""

    playbook: StrPath | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    """Path relative to the project, a play, or a list of plays."""
    tasks: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    """A task or a list of tasks, as in a playbook, in place of one; for the hosts of `hosts`."""
    gather_facts: bool | None
    """With `tasks`: whether facts are gathered first. Ansible's default, which is to gather them, when None."""
    inventory: StrPath | Mapping[str, Any] | Sequence[StrPath | Mapping[str, Any]] | None
    """Path, host list with a comma, text of an inventory, its data as a dict, or a list of these. `inventory` of the
    private data directory when None; an empty list for none."""
    module: str | None
    module_args: str | None
    host_pattern: str | None
    """Hosts of a module; all when None."""
    role: str | None
    role_vars: Mapping[str, Any] | None
    role_skip_facts: bool
    hosts: str | None
    """Hosts of a role or of tasks; all when None."""
    roles_path: StrPath | Sequence[StrPath] | None
    binary: str | None
    """Program to run in place of ansible-playbook or ansible."""
    extravars: Mapping[str, Any] | StrPath | None
    """Extra variables, or the path of a file with them."""
    limit: str | None
    tags: str | Sequence[str] | None
    skip_tags: str | Sequence[str] | None
    forks: int | None
    verbosity: int | None
    """Number of -v, 0 to 7."""
    cmdline: str | None
    """Further words for Ansible's command line."""
    omit_event_data: bool
    only_failed_event_data: bool
    directory_isolation_base_path: StrPath | None
    """Run in a private copy of the project that is made below this directory."""


class RunOptions(JobOptions, HandlerOptions, total=False):
    """What run() takes."""

    streamer: Literal["transmit", "worker", "process"] | None
    """Do one stage only."""
    _input: IO[bytes] | None
    """Where the worker or process stage reads; standard input when None."""
    _output: IO[bytes] | None
    """Where the transmit or worker stage writes; standard output when None."""
    only_transmit_kwargs: bool
    keepalive_seconds: float | None


class CommandOptions(SharedOptions, HandlerOptions, total=False):
    """What run_command() takes besides the command."""

    input_fd: IO[Any] | int | None
    output_fd: IO[Any] | int | None
    error_fd: IO[Any] | int | None
    runner_mode: Literal["pexpect", "subprocess"] | None
    """`pexpect` on a terminal, `subprocess` with pipes. `subprocess` by default for ansible-config, ansible-doc,
    ansible-galaxy, and when one of the descriptors is given; else `pexpect`."""


SETTING_OPTIONS = (
    "suppress_output_file", "suppress_ansible_output", "fact_cache", "fact_cache_type", "process_isolation",
    "process_isolation_executable", "process_isolation_path", "process_isolation_hide_paths",
    "process_isolation_show_paths", "process_isolation_ro_paths", "container_image", "container_volume_mounts",
    "container_options", "container_auth_data", "container_workdir", "host_cwd", "directory_isolation_base_path",
)
"""Options that are settings too; as arguments they win."""
