"""A job and its tree as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.job.inputs import ENV_FILES
from playstream.pipeline.job.job import make_job
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.protocol import Failure, Record
from playstream.pipeline.tree.ignore import Ignore
from playstream.pipeline.tree.pack import pack
from playstream.pipeline.tree.readable import check_readable
from playstream.transmit.sent import check_sent


class Transmitter:
    """One job on its way to a worker.

    Args:
        options: what to run, as for `make_job`. Without `private_data_dir` there is no tree to send.
        exclude: patterns in gitignore syntax of what is not sent, besides `.playstreamignore` and `artifacts/`.
        only_arguments: send no tree; the worker has a private data directory of its own.

    Raises:
        ConfigurationError: the job could not run as asked. Nothing has been sent.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        exclude: Sequence[str] = (),
        only_arguments: bool = False,
    ) -> None:
        given = None if only_arguments else options.get("private_data_dir")
        self.job = make_job(options, Delivery.ARGUMENTS if given is None else Delivery.TREE)
        self._tree: tuple[Path, Ignore] | None = None
        if given is not None:
            directory = Path(given)
            # The files in env/ that playstream reads are sent in the job, never as files on the worker's disk.
            own = [f"/env/{name}" for name in ENV_FILES] if (directory / "env").exists() else []
            ignore = Ignore.for_directory(directory, [*exclude, *own])
            check_readable(directory, ignore)
            check_sent(self.job, directory, ignore)
            self._tree = directory, ignore

    def records(self) -> Iterator[Record]:
        """Yield the job, then its tree.

        Raises:
            PlaystreamError: the directory could not be packed to its end; a Failure record was sent before.
        """
        yield self.job
        if self._tree is None:
            return
        directory, ignore = self._tree
        try:
            yield from pack(directory, ignore=ignore)
        except PlaystreamError as error:
            yield Failure(type(error).__name__, str(error))
            raise
