"""A run at rest as the records of its results, wherever it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from playstream.captures.artifacts import artifact_records, find_artifacts
from playstream.captures.pieces import LACKS, FileItem, Format, Lack, Piece
from playstream.captures.stream import Stream, open_stream
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import End, Heartbeat, Noise, Record
from playstream.pipeline.protocol.order import Direction


class RunAtRest(Protocol):
    """A run whose results are kept."""

    @property
    def what(self) -> str:
        """What it is, for messages."""

    @property
    def lacks(self) -> frozenset[Lack]:
        """What is not kept of it."""

    def records(self) -> Iterator[Record | Noise]:
        """Yield the records of the results in their order; call it once.

        Raises:
            PlaystreamError: when iterating: the results are damaged or incomplete.
        """


_NAMES: Mapping[Format, str] = {
    Format.NATIVE: "a capture",
    Format.RUNNER: "a capture in ansible-runner's protocol",
    Format.RECORDING: "a recording",
}


class _StreamRun:
    """A run in a file that holds a stream.

    Args:
        stream: the stream.

    Raises:
        ConfigurationError: it is that of a job.
        PlaystreamError: its beginning cannot be read.
    """

    def __init__(self, stream: Stream) -> None:
        self._pieces = stream.pieces()
        self._first = next(self._pieces, None)
        walker = stream.walker
        if walker is not None and walker.direction is Direction.JOB:
            raise ConfigurationError(
                "expected the results of a run, got a job, which has not run yet: run it with playstream worker, or "
                "look at it with playstream inspect"
            )
        self._format = Format.NATIVE if walker is None else walker.format

    @property
    def what(self) -> str:
        return _NAMES[self._format]

    @property
    def lacks(self) -> frozenset[Lack]:
        return LACKS[self._format]

    def records(self) -> Iterator[Record | Noise]:
        pieces: Iterator[Piece] = self._pieces if self._first is None else chain((self._first,), self._pieces)
        for piece in pieces:
            if not isinstance(piece.item, (FileItem, End, Heartbeat)):
                yield piece.item


class _ArtifactRun:
    """A run whose artifacts are in a directory.

    Args:
        path: the directory.
    """

    what = "a directory of artifacts"
    lacks = frozenset({Lack.TIMES_OF_STATUSES, Lack.ARTIFACTS, Lack.MESSAGES})

    def __init__(self, path: Path) -> None:
        self._path = path

    def records(self) -> Iterator[Record | Noise]:
        return artifact_records(self._path)


@contextmanager
def open_run(path: Path, options: Mapping[str, Any], warn: Callable[[str], object]) -> Iterator[RunAtRest]:
    """Open a run at rest.

    Args:
        path: a capture in either dialect, a recording, or a directory: that of the artifacts of a run, or one that has
            those of a single run in it.
        options: flags or keyword arguments; only `identity` and the limits are read.
        warn: called with messages for the user.

    Raises:
        ConfigurationError: it cannot be opened, or has no results of a run.
        PlaystreamError: the beginning of the file cannot be read.
    """
    if path.is_dir():
        yield _ArtifactRun(find_artifacts(path))
        return
    with open_stream(path, options, warn) as stream:
        yield _StreamRun(stream)
