"""Each stage joined to its two ends."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from playstream.pipeline.cancellation import Cancellation
from playstream.pipeline.errors import LinkError, PlaystreamError
from playstream.pipeline.job import Arguments
from playstream.pipeline.links.stdio import READ_SIZE, write_all
from playstream.pipeline.protocol import NEED_DATA, FileData, FileEntry, LogLevel, Receiver, Sender
from playstream.pipeline.protocol.order import Direction
from playstream.process import Processor, Result
from playstream.transmit import Transmitter
from playstream.worker import Worker, WorkerOptions

INTERRUPTED_SECONDS = 5.0
"""How long `process` goes on reading after it was asked to stop. In a shell's pipeline the same signal has reached
the worker, which sends how the job ended and its artifacts; those are worth waiting for."""


def transmit(
    private_data_dir: Path,
    arguments: Arguments,
    output_fd: int,
    *,
    exclude: Sequence[str] = (),
    only_arguments: bool = False,
) -> None:
    """Write a job and its private data directory to a descriptor, as a stream for `work`.

    Args:
        private_data_dir: directory with `project/`, `inventory/` and `env/`.
        arguments: what to run.
        output_fd: where the stream goes; not closed.
        exclude: patterns, in gitignore syntax, of what is not sent.
        only_arguments: send no tree.

    Raises:
        ConfigurationError: the job could not run as asked; nothing has been written.
        LinkError: the reader has gone.
    """
    transmitter = Transmitter(private_data_dir, arguments, exclude=exclude, only_arguments=only_arguments)
    sender = Sender(Direction.JOB)
    try:
        for record in transmitter.records():
            data = sender.send(record, flush=not isinstance(record, (FileEntry, FileData)))
            if data:
                write_all(output_fd, data)
    except LinkError:
        raise
    except PlaystreamError:
        write_all(output_fd, sender.end())
        raise
    write_all(output_fd, sender.end())


def work(
    input_fd: int, output_fd: int, *, options: WorkerOptions | None = None, cancellation: Cancellation | None = None
) -> int:
    """Serve the job that comes on one descriptor, with the results on another.

    Args:
        input_fd: where the stream of `transmit` comes from.
        output_fd: where the stream for `process` goes.
        options: what this side decides; see WorkerOptions.
        cancellation: asks for the end of the job.

    Returns:
        Ansible's exit status, or 254 when the job was canceled or timed out.

    Raises:
        PlaystreamError: the job could not be served; the other side has been told.
    """
    return Worker(input_fd, output_fd, options or WorkerOptions(), cancellation or Cancellation()).run()


def process(
    input_fd: int,
    artifact_dir: Path,
    *,
    show: Callable[[str], None],
    log: Callable[[LogLevel, str], None],
    idle: Callable[[], None] = lambda: None,
    cancellation: Cancellation | None = None,
) -> Result:
    """Rebuild a run from the stream of `work`.

    Args:
        input_fd: where the stream comes from.
        artifact_dir: where the artifacts go; made if it is missing.
        show: takes Ansible's output, a piece without its last line end at a time.
        log: takes lines for people.
        idle: called when all that has come was taken, for flushing what `show` has buffered.
        cancellation: asks to stop reading.

    Returns:
        How the run ended. A stream that breaks off gives status `error`, and what came before is kept.

    Raises:
        JobError: the artifacts cannot be written.
    """
    processor = Processor(artifact_dir, show=show, log=log)
    cancellation = cancellation or Cancellation()
    try:
        _feed(processor, input_fd, cancellation, idle)
    except PlaystreamError as error:
        return processor.finish(error, interrupted=cancellation.reason)
    return processor.finish(interrupted=cancellation.reason)


def _feed(processor: Processor, input_fd: int, cancellation: Cancellation, idle: Callable[[], None]) -> None:
    """Give the processor every record, until End has come or it is time to stop."""
    receiver = Receiver(Direction.RESULT)
    stop_at: float | None = None
    with selectors.PollSelector() as selector:
        selector.register(input_fd, selectors.EVENT_READ)
        selector.register(cancellation, selectors.EVENT_READ)
        while not receiver.closed:
            ready = selector.select(None if stop_at is None else max(0.0, stop_at - time.monotonic()))
            if cancellation.reason is not None:
                cancellation.acknowledge()
                now = time.monotonic()
                stop_at = stop_at or now + INTERRUPTED_SECONDS
                if now >= stop_at:
                    return
            if any(key.fd == input_fd for key, _ in ready):
                _feed_once(processor, receiver, input_fd)
                idle()


def _feed_once(processor: Processor, receiver: Receiver, input_fd: int) -> None:
    try:
        data = os.read(input_fd, READ_SIZE)
    except OSError as error:
        raise LinkError(f"the stream cannot be read: {error.strerror}") from None
    if not data:
        receiver.receive_eof()
    receiver.receive_data(data)
    while (record := receiver.next_record()) is not NEED_DATA:
        processor.receive(record)
