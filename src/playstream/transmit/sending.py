"""The transmit stage joined to its output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import ConfigurationError, LinkError, PlaystreamError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.liveness import DEFAULT_KEEPALIVE_SECONDS, DEFAULT_LIVENESS_SECONDS, Delivery
from playstream.pipeline.io.stdio import Connection
from playstream.pipeline.protocol import Failure, Record
from playstream.pipeline.protocol.order import Direction
from playstream.transmit import Transmitter
from playstream.transmit.job_writer import JobWriter


def transmit(
    options: Mapping[str, Any],
    connection: Connection,
    *,
    exclude: Sequence[str] = (),
    only_arguments: bool = False,
    dialect: Dialect = Dialect.PLAYSTREAM,
    keepalive_seconds: float = DEFAULT_KEEPALIVE_SECONDS,
    liveness_seconds: float = DEFAULT_LIVENESS_SECONDS,
    cancellation: Cancellation | None = None,
    hold: bool = False,
    look: Callable[[], None] | None = None,
) -> None:
    """Write a job and its private data directory to a connection, as a stream for `work`.

    Args:
        options: what to run, as for `make_job`. Without `private_data_dir` there is no tree to send.
        connection: its writer is where the stream goes.
        exclude: patterns, in gitignore syntax, of what is not sent.
        only_arguments: send no tree.
        dialect: of the stream; RUNNER for a worker that may be ansible-runner's.
        keepalive_seconds: silence after which a heartbeat is sent; 0 for never.
        liveness_seconds: the worker counts as lost when it takes nothing for PATIENCE times as long; 0 for never.
        cancellation: asks to stop; the worker is told, in the native dialect, and runs nothing.
        hold: wait until the worker has exited, so that the cancellation ends the job.
        look: called every LOOK_SECONDS; may request the cancellation, or raise.

    Raises:
        ConfigurationError: the job could not run as asked; nothing has been written.
        JobError: there is no room for the archive of ansible-runner's protocol.
        LinkError: the reader has exited, or reads nothing.
    """
    watch = _Watch(cancellation, look)
    transmitter = Transmitter(options, exclude=exclude, only_arguments=only_arguments)
    if dialect is Dialect.RUNNER:
        if hold:
            raise ConfigurationError("hold: ansible-runner's protocol cannot cancel a job; stop the worker instead")
        _transmit_to_runner(transmitter, Delivery(connection.writer, "the worker", liveness_seconds, None), watch)
    else:
        transmission = JobWriter(
            connection.writer,
            keepalive_seconds=keepalive_seconds,
            liveness_seconds=liveness_seconds,
            cancellation=cancellation,
            look=watch.look,
        )
        with closing(transmission):
            _transmit(transmitter, transmission, watch, hold=hold)
    if watch.error is not None:
        raise watch.error


class _Stopped(Exception):
    """A stop was requested."""


class _Watch:
    """Checks for requests to stop.

    Args:
        cancellation: requests to stop; None if it cannot be requested.
        look: may request the cancellation, or raise, which requests it too.
    """

    def __init__(self, cancellation: Cancellation | None, look: Callable[[], None] | None) -> None:
        self.cancellation = cancellation
        self._look = look
        self.error: PlaystreamError | None = None
        """What `look` has raised."""
        self.stopped = False
        """True when not all records have been given."""

    @property
    def reason(self) -> str | None:
        """Why to stop; None for going on."""
        return None if self.cancellation is None else self.cancellation.reason

    def look(self) -> None:
        """Check once."""
        if self._look is None or self.error is not None:
            return
        try:
            self._look()
        except PlaystreamError as error:
            self.error = error
            if self.cancellation is not None:
                self.cancellation.request(str(error))

    def records(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records; if it is time to stop, a Failure instead of the rest."""
        for record in records:
            self.look()
            if self.reason is not None:
                self.stopped = True
                yield Failure(PlaystreamError.__name__, self.reason)
                return
            yield record

    def check(self) -> None:
        """Check once.

        Raises:
            _Stopped: it is time to stop.
        """
        self.look()
        if self.reason is not None:
            raise _Stopped


def _transmit(transmitter: Transmitter, transmission: JobWriter, watch: _Watch, *, hold: bool) -> None:
    try:
        for record in watch.records(transmitter.records()):
            transmission.send(record)
    except LinkError:
        raise
    except PlaystreamError:
        transmission.end()
        raise
    if watch.cancellation is None or watch.stopped or not (hold or watch.reason):
        transmission.end()
    else:
        transmission.hold(watch.cancellation)


def _transmit_to_runner(transmitter: Transmitter, delivery: Delivery, watch: _Watch) -> None:
    """Write the stream, or break it off when it is time to stop: the dialect has no word for that."""
    from playstream.pipeline.runner_dialect.sender import RunnerSender  # noqa: PLC0415 - only where it is spoken

    sender = RunnerSender(Direction.JOB)

    def look() -> None:
        watch.check()
        delivery.check()

    try:
        for record in transmitter.records():
            watch.check()
            for data in sender.send(record):
                delivery.write(data, look)
        for data in sender.end():
            delivery.write(data, look)
    except _Stopped:
        pass
    finally:
        sender.close()
