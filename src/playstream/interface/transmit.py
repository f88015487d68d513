"""The transmit stage joined to its output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from playstream.interface.transmission import Transmission
from playstream.pipeline.cancellation import Cancellation
from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import ConfigurationError, LinkError, PlaystreamError
from playstream.pipeline.job import Arguments
from playstream.pipeline.links.stdio import write_all
from playstream.pipeline.liveness import DEFAULT_KEEPALIVE_SECONDS, DEFAULT_LIVENESS_SECONDS
from playstream.pipeline.protocol.order import Direction
from playstream.transmit import Transmitter


def transmit(
    private_data_dir: Path | None,
    arguments: Arguments,
    output_fd: int,
    *,
    exclude: Sequence[str] = (),
    only_arguments: bool = False,
    dialect: Dialect = Dialect.PLAYSTREAM,
    keepalive_seconds: float = DEFAULT_KEEPALIVE_SECONDS,
    liveness_seconds: float = DEFAULT_LIVENESS_SECONDS,
    hold: Cancellation | None = None,
    look: Callable[[], None] | None = None,
) -> None:
    """Write a job and its private data directory to a descriptor, as a stream for `work`.

    Args:
        private_data_dir: directory with `project/`, `inventory/` and `env/`; None, with `only_arguments`, for a job
            that needs none.
        arguments: what to run.
        output_fd: where the stream goes; not closed.
        exclude: patterns, in gitignore syntax, of what is not sent.
        only_arguments: send no tree.
        dialect: of the stream; RUNNER for a worker that may be ansible-runner's.
        keepalive_seconds: silence after which a heartbeat is sent; 0 for never.
        liveness_seconds: the worker counts as lost when it takes nothing for PATIENCE times as long; 0 for never.
        hold: stay until the worker has gone; a request of this cancels the job.
        look: called every LOOK_SECONDS while staying.

    Raises:
        ConfigurationError: the job could not run as asked; nothing has been written.
        JobError: there is no room for the archive of the runner dialect.
        LinkError: the reader has gone, or takes nothing.
    """
    transmitter = Transmitter(private_data_dir, arguments, exclude=exclude, only_arguments=only_arguments)
    if dialect is Dialect.RUNNER:
        if hold is not None:
            raise ConfigurationError("hold: the runner dialect has no word to cancel a job with; end the worker")
        _transmit_to_runner(transmitter, output_fd)
        return
    transmission = Transmission(
        output_fd, keepalive_seconds=keepalive_seconds, liveness_seconds=liveness_seconds
    )
    try:
        for record in transmitter.records():
            transmission.send(record)
    except LinkError:
        raise
    except PlaystreamError:
        transmission.end()
        raise
    if hold is None:
        transmission.end()
    else:
        transmission.hold(hold, look)


def _transmit_to_runner(transmitter: Transmitter, output_fd: int) -> None:
    from playstream.pipeline.runner.sender import RunnerSender  # noqa: PLC0415 - only where it is spoken

    sender = RunnerSender(Direction.JOB)
    try:
        for record in transmitter.records():
            for data in sender.send(record):
                write_all(output_fd, data)
        for data in sender.end():
            write_all(output_fd, data)
    finally:
        sender.close()
