"""A run at rest as the records of its results, wherever it is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from playstream.captures.artifacts import artifact_records, find_artifacts
from playstream.captures.index import Index
from playstream.captures.pieces import LACKS, FileItem, Format, Lack, Piece
from playstream.captures.stream import Stream, open_stream
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.limits import limits_of
from playstream.pipeline.protocol import End, Event, Heartbeat, Noise, Record
from playstream.pipeline.protocol.order import Direction
from playstream.process.record_blocks import BlockInfo

_logger = logging.getLogger("playstream")


@dataclass(frozen=True, slots=True)
class Blocks:
    """A run whose records can be read from the middle."""

    infos: Sequence[BlockInfo]
    """What each block has."""
    read: Callable[[int], Iterator[Record | Noise]]
    """Yields the statuses, events and messages from the block with a number on, from 0. Raises as `records` does."""


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

    def blocks(self) -> Blocks | None:
        """Return how to read a later part without what comes before it; None if all of it has to be read.

        Raises:
            PlaystreamError: the run cannot be read.
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
        max_record: maximum number of bytes of a record of the index.

    Raises:
        ConfigurationError: it is that of a job.
        PlaystreamError: its beginning cannot be read.
    """

    def __init__(self, stream: Stream, max_record: int) -> None:
        self._stream = stream
        self._max_record = max_record
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

    def blocks(self) -> Blocks | None:
        index = self._stream.find_index()
        return None if index is None else Blocks(index.infos, partial(self._read_blocks, index))

    def _read_blocks(self, index: Index, first: int) -> Iterator[Record | Noise]:
        """Yield what the index has, and from the first damaged block on what the file has."""
        for number in range(first, len(index.infos)):
            try:
                records = index.read(number, self._max_record)
            except (OSError, ValueError) as error:
                _logger.debug("the index of a capture is damaged: %s", error)
                self._stream.discard_index()
                yield from self._records_after(sum(info.events for info in index.infos[:number]))
                return
            yield from records

    def _records_after(self, events: int) -> Iterator[Record | Noise]:
        """Yield the records that follow a number of events."""
        for record in self.records():
            if events:
                events -= isinstance(record, Event)
            else:
                yield record


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

    def blocks(self) -> Blocks | None:
        return None


@contextmanager
def open_run(
    path: Path, options: Mapping[str, Any], warn: Callable[[str], object], *, indexed: bool = False
) -> Iterator[RunAtRest]:
    """Open a run at rest.

    Args:
        path: a capture in either dialect, a recording, or a directory: that of the artifacts of a run, or one that has
            those of a single run in it.
        options: flags or keyword arguments; only `identity` and the limits are read.
        warn: called with messages for the user.
        indexed: whether a capture has an index, or gets one when all of it is read.

    Raises:
        ConfigurationError: it cannot be opened, or has no results of a run.
        PlaystreamError: the beginning of the file cannot be read.
    """
    if path.is_dir():
        yield _ArtifactRun(find_artifacts(path))
        return
    with open_stream(path, options, warn, indexed=indexed) as stream:
        yield _StreamRun(stream, limits_of(options).max_record_bytes)
