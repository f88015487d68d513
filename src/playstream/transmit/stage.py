"""A job and its tree as records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.job.inputs import ENV_FILES
from playstream.pipeline.job.job import Arguments, make_job
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.protocol import Failure, Record
from playstream.pipeline.tree.ignore import Ignore
from playstream.pipeline.tree.pack import pack
from playstream.pipeline.tree.readable import check_readable
from playstream.transmit.sent import check_sent


class Transmitter:
    """One job on its way to a worker.

    Args:
        private_data_dir: directory with `project/`, `inventory/` and `env/`; None, with `only_arguments`, for a job
            that needs none.
        arguments: what to run.
        exclude: patterns in gitignore syntax of what is not sent, besides `.playstreamignore` and `artifacts/`.
        only_arguments: send no tree; the worker has a private data directory of its own.

    Raises:
        ConfigurationError: the job could not run as asked. Nothing has been sent.
    """

    def __init__(
        self,
        private_data_dir: Path | None,
        arguments: Arguments,
        *,
        exclude: Sequence[str] = (),
        only_arguments: bool = False,
    ) -> None:
        self._directory = private_data_dir
        self.job = make_job(private_data_dir, arguments, Delivery.ARGUMENTS if only_arguments else Delivery.TREE)
        self._ignore: Ignore | None = None
        if private_data_dir is not None and not only_arguments:
            # The files in env/ that playstream reads are sent in the job, never as files on the worker's disk.
            own = [f"/env/{name}" for name in ENV_FILES] if (private_data_dir / "env").exists() else []
            self._ignore = Ignore.for_directory(private_data_dir, [*exclude, *own])
            check_readable(private_data_dir, self._ignore)
            check_sent(self.job, private_data_dir, self._ignore)

    def records(self) -> Iterator[Record]:
        """Yield the job, then its tree.

        Raises:
            PlaystreamError: the directory could not be packed to its end; a Failure record was sent before.
        """
        yield self.job
        if self._ignore is None or self._directory is None:
            return
        try:
            yield from pack(self._directory, ignore=self._ignore)
        except PlaystreamError as error:
            yield Failure(type(error).__name__, str(error))
            raise
