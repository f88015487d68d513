"""Keyword arguments of run() and run_command(): the job, the caller's functions, the files of a stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any, Literal, Protocol, TypedDict

from playstream.interface.event_handler import EventHandler
from playstream.pipeline.job.options import JobOptions, Name, SharedOptions, StrPath

EventFunction = Callable[[dict[str, Any]], object]
"""Called with an event; returns true to keep the event on disk."""
CancelCallback = Callable[[], object]
"""Called at least once a second; returns true to cancel the job."""
ArtifactsHandler = Callable[[str], object]
"""Called with the path of the artifact directory when it is complete."""
FinishedCallback = Callable[[Any], object]
"""Called with the Runner at the end."""


class StatusHandler(Protocol):
    """Called with each new status, a dict with `status` and `runner_ident`.

    For the status `starting` it also contains `command`, `env` and `cwd`, and `tree` if the worker keeps it.
    """

    def __call__(self, data: dict[str, Any], /, *, runner_config: Any) -> object:
        """Handle a status, in the thread of the run."""


class HandlerOptions(TypedDict, total=False):
    """Options of the functions that are not part of the configuration."""

    private_data_dir: StrPath | None
    """Directory with `project/`, `inventory/` and `env/`. None for a job from memory."""
    event_handler: EventFunction | None
    handler: EventHandler | None
    """A handler with a method for each kind of event."""
    status_handler: StatusHandler | None
    cancel_callback: CancelCallback | None
    artifacts_handler: ArtifactsHandler | None
    finished_callback: FinishedCallback | None
    store: Name | None
    """URL of a store to write the run to when it ends: `sqlite:///runs.db`, `postgresql://…`."""
    label: Name | None
    """What you call this kind of run in the store, for `diff --against last-success`."""
    store_events: bool
    """Keep the events in the store too, so that the run can be replayed from it alone."""
    capture: StrPath | None
    """A new file for a capture of the results, which are encoded in playstream's own protocol."""
    force: bool
    """Replace the file of `capture` or `tee` if it exists."""
    debug: bool
    """Write debug messages to standard error."""
    logfile: StrPath | None
    """Write log messages to this file."""
    ignore_logging: bool
    """Do not configure logging: `debug` and `logfile` have no effect."""


class RunOptions(JobOptions, HandlerOptions, total=False):
    """Options of run()."""

    on: Name | None
    """URL of a link to another host to run the job on: `ssh://host`, `exec:COMMAND`. This host when None."""
    galaxy: bool | Literal["refresh"] | None
    """Install the collections and roles that the `requirements.yml` files of the project name into a cache of this
    user, and let them travel with the job. `refresh` installs them again, for newer versions."""
    bootstrap: bool | Literal["ansible"] | None
    """With `on=ssh://…`: send playstream to the host first, which needs nothing but Python; `ansible` sends Ansible
    too."""
    wheels: StrPath | None
    """With `bootstrap`: a directory with the wheels to send, instead of this side's cache and pip."""
    start_within: float | None
    """With `on=nats://…`: seconds after which the job is not started any more, if it still waits for a node."""
    need: Sequence[str] | None
    """With `on=nats://…`: what the node must have, such as `podman` or `ansible-core>=2.16`."""
    no_encryption: bool
    """With `on=nats://…`: do not encrypt the job and its results, so that the server and its disk have all of both."""
    exclude: Sequence[str] | None
    """With `on`, or in the transmit stage: patterns, in gitignore syntax, of files that are not sent."""
    streamer: Literal["transmit", "worker", "process"] | None
    """Run only this stage."""
    _input: IO[bytes] | None
    """Input of the worker or process stage; None for standard input."""
    _output: IO[bytes] | None
    """Output of the transmit or worker stage; None for standard output."""
    only_transmit_kwargs: bool
    """Transmit stage: send no tree, because the worker has the directory."""
    dialect: Literal["playstream", "runner"] | None
    """Transmit stage: `runner` for a worker that may be ansible-runner. The other stages accept both protocols."""
    keepalive_seconds: float | None
    """Transmit and worker stages: seconds without output after which a heartbeat is sent, 0 for never (default: 15)."""
    liveness_seconds: float | None
    """Seconds of silence after which the other side counts as lost, 0 for never (default: 60)."""
    max_tree_bytes: int | None
    """Worker and process stages: maximum bytes of file content in a tree (default: 64 GiB)."""
    max_tree_entries: int | None
    """Worker and process stages: maximum number of entries in a tree (default: 1,000,000)."""
    max_record_bytes: int | None
    """Worker and process stages: maximum bytes in one record (default: 64 MiB)."""
    max_job_seconds: float | None
    """Worker stage: seconds after which any job is stopped (default: no limit)."""
    cache: StrPath | None
    """Worker stage: a directory that keeps what jobs bring, so that a sender need not send it again (default: none)."""
    cache_size: int | None
    """Worker stage: the size of that cache, in bytes (default: 2 GiB)."""
    sender: str | None
    """Worker stage: who has sent the job. Each sender has a division of the cache (default: `user`)."""
    encrypt_to: str | Sequence[str] | None
    """Transmit and worker stages: recipients of the stream: public keys of age or SSH, or `@FILE`."""
    identity: StrPath | Sequence[StrPath] | None
    """Worker and process stages: files with secret keys of age or SSH, for an encrypted stream."""
    tee: StrPath | None
    """Process stage: a new file for a copy of the stream as it is read."""
    since: Name | None
    """Transmit stage, for a worker with a cache: send only what has changed since an earlier job. The name of its tree
    (`tree` of its status `starting`), `last` for that of the last run in the private data directory, or `none` to send
    everything."""
    hold: bool
    """Transmit stage: keep running until the worker ends; `cancel_callback` then cancels the job."""


class CommandOptions(SharedOptions, HandlerOptions, total=False):
    """Options of run_command(), in addition to the command."""

    input_fd: IO[Any] | int | None
    output_fd: IO[Any] | int | None
    error_fd: IO[Any] | int | None
    runner_mode: Literal["pexpect", "subprocess"] | None
    """`pexpect` for a terminal, `subprocess` for pipes. The default is `subprocess` for ansible-config, ansible-doc and
    ansible-galaxy, and if a descriptor is given; otherwise `pexpect`."""
