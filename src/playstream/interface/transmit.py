"""The transmit stage joined to its output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playstream.pipeline.errors import LinkError, PlaystreamError
from playstream.pipeline.job import Arguments
from playstream.pipeline.links.stdio import write_all
from playstream.pipeline.protocol import FileData, FileEntry, Sender
from playstream.pipeline.protocol.order import Direction
from playstream.transmit import Transmitter


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
