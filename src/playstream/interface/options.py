"""The keyword arguments of run() and its relatives: a job's, the caller's functions, a stage's files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any, Literal, Protocol, TypedDict

from playstream.interface.event_handler import EventHandler
from playstream.pipeline.job.options import JobOptions, Name, SharedOptions, StrPath

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
    store: Name | None
    """URL of a store that the run is written to at its end: `sqlite:///runs.db`, `postgresql://…`."""
    debug: bool
    """Log details of playstream's own work to standard error."""
    logfile: StrPath | None
    """Log to this file."""
    ignore_logging: bool
    """Leave logging alone: `debug` and `logfile` have no effect."""


class RunOptions(JobOptions, HandlerOptions, total=False):
    """What run() takes."""

    streamer: Literal["transmit", "worker", "process"] | None
    """Do one stage only."""
    _input: IO[bytes] | None
    """Where the worker or process stage reads; standard input when None."""
    _output: IO[bytes] | None
    """Where the transmit or worker stage writes; standard output when None."""
    only_transmit_kwargs: bool
    """Of the transmit stage: send no tree; the worker has the directory."""
    dialect: Literal["playstream", "runner"] | None
    """Of the transmit stage: `runner` for a worker that may be ansible-runner's. The others take what comes."""
    keepalive_seconds: float | None
    """Of the transmit and worker stages: silence after which a heartbeat is sent, 0 for never; 15 when None."""
    liveness_seconds: float | None
    """Silence of the other side after which it counts as lost, 0 for never; 60 when None."""
    max_tree_bytes: int | None
    """Of the worker and process stages: bytes of file content that a tree may have; 64 GiB when None."""
    max_tree_entries: int | None
    """Of the worker and process stages: entries that a tree may have; 1,000,000 when None."""
    max_record_bytes: int | None
    """Of the worker and process stages: bytes that one record may have; 64 MiB when None."""
    max_job_seconds: float | None
    """Of the worker stage: seconds after which any job is ended; no limit when None."""
    encrypt_to: str | Sequence[str] | None
    """Of the transmit and worker stages: those who can read the stream; public keys of age or ssh, or `@FILE`."""
    identity: StrPath | Sequence[StrPath] | None
    """Of the worker and process stages: files with secret keys of age or ssh, for a stream that is encrypted."""
    hold: bool
    """Of the transmit stage: stay until the worker has ended; `cancel_callback` cancels the job."""


class CommandOptions(SharedOptions, HandlerOptions, total=False):
    """What run_command() takes besides the command."""

    input_fd: IO[Any] | int | None
    output_fd: IO[Any] | int | None
    error_fd: IO[Any] | int | None
    runner_mode: Literal["pexpect", "subprocess"] | None
    """`pexpect` on a terminal, `subprocess` with pipes. `subprocess` by default for ansible-config, ansible-doc,
    ansible-galaxy, and when one of the descriptors is given; else `pexpect`."""
