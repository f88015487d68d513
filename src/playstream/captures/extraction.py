"""Unpacking what a stream at rest carries: the tree of a job, or the artifacts of a run.

The sender of the stream is not trusted: nothing is written outside of the target, and what is written is private.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from playstream.captures.offered import OfferedTree, check_algorithm
from playstream.captures.pieces import FileItem, Format, Item
from playstream.captures.stream import Stream
from playstream.pipeline.errors import ConfigurationError, PlaystreamError, WorkerError, remedy
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol import (
    Content,
    Event,
    Failure,
    FileData,
    FileEntry,
    Listing,
    Log,
    Noise,
    Offer,
    Record,
    Status,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.directories import make_private
from playstream.pipeline.tree.unpack import Unpacker
from playstream.process import Observer, Processor


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was unpacked."""

    entries: int
    """Entries of the tree."""
    size: int
    """Bytes of content of its files."""
    status: str | None
    """How the run ended; None for a job."""
    explanation: str | None
    """Why, if there is something to explain."""


def extract(stream: Stream, target: Path, observer: Observer, limits: Limits) -> Extracted:
    """Unpack the tree of a job, or rebuild the artifacts of a run as `process` does.

    Args:
        stream: the stream.
        target: a directory that is empty or does not exist.
        observer: receives what the stream says to people.
        limits: limits of the tree.

    Raises:
        ConfigurationError: the target is not empty, or the stream has nothing to unpack.
        UnsafePath: an entry would leave the target.
        IncompleteTree: the stream does not have the whole tree of its job; what it has was unpacked.
        PlaystreamError: the stream is damaged; what came before was unpacked. Or it cannot be written.
    """
    _check_empty(target)
    extractor = _Extractor(stream, target, observer, limits)
    with ExitStack() as parts:
        parts.callback(extractor.close)
        try:
            for piece in stream.pieces():
                extractor.take(piece.item)
        except PlaystreamError as error:
            extractor.finish(error)
            raise
        except KeyboardInterrupt:
            extractor.finish(None, interrupted="extract was interrupted, so the artifacts are not complete")
            raise
        return extractor.finish(None)


def _check_empty(target: Path) -> None:
    try:
        names = os.listdir(target)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"{str(target)!r} cannot be used: {error.strerror}. Expected a directory that is empty or does not exist"
        ) from None
    if names:
        raise ConfigurationError(
            f"{str(target)!r} is not empty: expected a directory that is empty or does not exist, so that nothing "
            "in it is replaced"
        )


class _Extractor:
    """Takes the pieces of a stream and unpacks them by its direction."""

    def __init__(self, stream: Stream, target: Path, observer: Observer, limits: Limits) -> None:
        self._stream = stream
        self._target = target
        self._observer = observer
        self._limits = limits
        self._unpacker: Unpacker | None = None
        self._offered: OfferedTree | None = None
        self._processor: Processor | None = None
        self._end: TreeEnd | None = None

    @property
    def _is_job(self) -> bool:
        walker = self._stream.walker
        return walker is not None and walker.direction is Direction.JOB

    def take(self, item: Item) -> None:
        """Take the next piece."""
        if isinstance(item, TreeEnd):
            self._end = item
        if self._is_job:
            self._take_of_job(item)
        elif not isinstance(item, FileItem):
            self._take_of_run(item)

    def _take_of_run(self, item: Record | Noise) -> None:
        if self._processor is None and isinstance(item, (Status, Event)):
            self._processor = Processor(self._target, self._observer, write_behind=True, limits=self._limits)
        if self._processor is not None:
            self._processor.receive(item)
        elif isinstance(item, Log):
            self._observer.log(item.level, item.message)

    def _take_of_job(self, item: Item) -> None:
        if isinstance(item, Offer):
            check_algorithm(item)
            self._make_target()
            self._offered = OfferedTree(item, self._target, self._limits)
        elif self._offered is not None and isinstance(item, (Listing, Content, TreeEnd)):
            self._offered.receive(item)
        elif isinstance(item, (FileEntry, FileData, TreeEnd)):
            if self._unpacker is None:
                self._make_target()
                self._unpacker = Unpacker(self._target, trusted=False, limits=self._limits)
            self._unpacker.receive(item)
        elif isinstance(item, Failure):
            raise WorkerError(f"transmit failed, so the job is not whole: {item.message}. What came before is unpacked")
        elif isinstance(item, Log):
            self._observer.log(item.level, item.message)

    def _make_target(self) -> None:
        try:
            make_private(self._target)
        except OSError as error:
            raise ConfigurationError(
                f"{str(self._target)!r} cannot be made: {error.strerror}. {remedy(error)}"
            ) from None
        if not os.access(self._target, os.W_OK | os.X_OK):
            denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            raise ConfigurationError(f"{str(self._target)!r} cannot be written: {denied.strerror}. {remedy(denied)}")

    def finish(self, error: PlaystreamError | None, *, interrupted: str | None = None) -> Extracted:
        """Complete what was unpacked.

        Args:
            error: why the stream could not be read to its end.
            interrupted: why it was not read to its end.

        Raises:
            ConfigurationError: there was nothing to unpack, and the stream is whole.
            IncompleteTree: the stream is whole, but does not have the whole tree.
            PlaystreamError: what came cannot be unpacked.
        """
        status = explanation = None
        if self._offered is not None and interrupted is None:
            written = self._offered.write()
            if error is None:
                self._offered.check(written)
            return Extracted(written.entries, written.size, None, None)
        if self._processor is not None:
            result = self._processor.finish(error, interrupted=interrupted)
            status, explanation = result.status.value, result.explanation
        elif self._unpacker is None and error is None and interrupted is None:
            raise ConfigurationError(self._explain_nothing())
        end = self._end or TreeEnd(0, 0)
        return Extracted(end.entries, end.size, status, explanation)

    def _explain_nothing(self) -> str:
        if self._is_job:
            return (
                "the job has no tree: it was sent without its directory, or it needs none. playstream inspect shows "
                "what the stream has"
            )
        what = "recording" if self._stream.walker and self._stream.walker.format is Format.RECORDING else "stream"
        return f"the {what} has no run: its worker failed before it began. playstream inspect shows what it says"

    def close(self) -> None:
        """Close what is open."""
        if self._unpacker is not None:
            self._unpacker.close()
        if self._offered is not None:
            self._offered.close()
