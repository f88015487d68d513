"""The transmit stage joined to its output."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import LinkError, PlaystreamError
from playstream.pipeline.job import Arguments
from playstream.pipeline.links.stdio import write_all
from playstream.pipeline.protocol import Sender
from playstream.pipeline.protocol.order import Direction
from playstream.transmit import Transmitter

_AHEAD = 4
"""Pieces of content, 1 MiB each, that packing may be ahead of compressing."""


def transmit(
    private_data_dir: Path | None,
    arguments: Arguments,
    output_fd: int,
    *,
    exclude: Sequence[str] = (),
    only_arguments: bool = False,
    dialect: Dialect = Dialect.PLAYSTREAM,
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

    Raises:
        ConfigurationError: the job could not run as asked; nothing has been written.
        JobError: there is no room for the archive of the runner dialect.
        LinkError: the reader has gone.
    """
    transmitter = Transmitter(private_data_dir, arguments, exclude=exclude, only_arguments=only_arguments)
    if dialect is Dialect.RUNNER:
        _transmit_to_runner(transmitter, output_fd)
    else:
        _transmit(transmitter, output_fd)


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


def _transmit(transmitter: Transmitter, output_fd: int) -> None:
    sender = Sender(Direction.JOB)
    writer = _Writer(sender, output_fd)
    try:
        for record in transmitter.records():
            for content in sender.collect(record):
                writer.put(content)
    except LinkError:
        raise
    except PlaystreamError:
        writer.finish()
        raise
    writer.finish()


class _Writer:
    """Compresses and writes in a thread, while the caller packs: each is about half of the work."""

    def __init__(self, sender: Sender, output_fd: int) -> None:
        self._sender = sender
        self._output_fd = output_fd
        self._contents: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._error: LinkError | None = None
        self._thread = threading.Thread(target=self._run, name="playstream-writer", daemon=True)
        self._thread.start()

    def put(self, content: bytes) -> None:
        """Send a piece of content.

        Raises:
            LinkError: the reader has gone.
        """
        if self._error is not None:
            raise self._error
        self._contents.put(content)

    def finish(self) -> None:
        """Send the End record when all else is written.

        Raises:
            LinkError: the reader has gone.
        """
        self._contents.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error
        write_all(self._output_fd, self._sender.end())

    def _run(self) -> None:
        while (content := self._contents.get()) is not None:
            if self._error is None:
                try:
                    write_all(self._output_fd, self._sender.frame(content))
                except LinkError as error:
                    self._error = error  # and go on emptying the queue, so that nobody waits for room
