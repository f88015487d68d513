"""The incoming direction of a worker: the job, its tree, and the records that arrive while it runs."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from playstream.pipeline.dialect import Dialect, FirstBytes, PieceReader
from playstream.pipeline.errors import PlaystreamError, RemoteProtocolError, WorkerError
from playstream.pipeline.io.cancellation import LOOK_SECONDS
from playstream.pipeline.io.liveness import Liveness
from playstream.pipeline.io.read_ahead import EndOfFile, ReadAhead
from playstream.pipeline.io.stdio import InputLayer, read_some
from playstream.pipeline.job.inputs import read_env_files
from playstream.pipeline.job.job import add_env_files, check_job
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.protocol import (
    NEED_DATA,
    Cancel,
    Content,
    Failure,
    FileData,
    FileEntry,
    Frame,
    FrameReader,
    Input,
    Job,
    Listing,
    Log,
    LogLevel,
    Noise,
    Offer,
    Ping,
    Pong,
    Receiver,
    Record,
    Resize,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.digests import algorithms
from playstream.pipeline.tree.meter import Meter
from playstream.pipeline.tree.unpack import Unpacker
from playstream.worker.remote_terminal import RemoteTerminal

if TYPE_CHECKING:
    from playstream.pipeline.runner_dialect.lines import ArchiveData, Line, LineReader
    from playstream.pipeline.runner_dialect.receiver import RunnerReceiver
    from playstream.worker.cache.assembly import Assembly, Objects

_HEAR_SECONDS = 30.0


def detect_dialect(source: int | InputLayer, output_fd: int, stops: Callable[[], bool]) -> Dialect | None:
    """Read a stream that cannot be served until its dialect, in which to answer, is known.

    Args:
        source: the link.
        output_fd: the descriptor for the answer; waiting ends when its reader exits.
        stops: returns whether a stop was requested; called every LOOK_SECONDS.

    Returns:
        None if it cannot be detected, or nothing was received for 30 seconds.
    """
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(output_fd, 0)
    own = source if isinstance(source, int) else source.fileno()
    first = FirstBytes()
    heard = None
    deadline = time.monotonic() + _HEAR_SECONDS
    try:
        while heard is None and time.monotonic() < deadline and not stops():
            ready = [fd for fd, _events in poll.poll(LOOK_SECONDS * 1000)]
            if ready == [own]:
                heard = first.receive_data(read_some(source))
            elif ready:
                return None
    except PlaystreamError:
        return None  # the link is broken, or encrypted for another recipient
    return None if heard is None else heard[0]


class Intake:
    """Receives the job stream from a descriptor, one piece at a time.

    Args:
        fd: the link.
        target: the directory to unpack the tree into.
        emit: takes Log, Pong and Prompt records for the other side.
        heard: called with the dialect of the other side, in another thread.
        liveness_seconds: silence after which the other side counts as lost; 0 for never.
        limits: limits of the stream.
        stop: called between two records of one piece; if it returns True, the rest is not read.
        replace: whether entries replace existing files.
        meter: counts the tree; None for nothing.
        fallback: the dialect of a stream that is in neither.
        open_store: opens the cache for a hash function; None if there is none.
    """

    def __init__(
        self,
        fd: int | InputLayer,
        target: Path,
        emit: Callable[[Record], None],
        heard: Callable[[Dialect], object],
        *,
        liveness_seconds: float,
        limits: Limits = DEFAULT_LIMITS,
        stop: Callable[[], bool] = lambda: False,
        replace: bool,
        meter: Meter | None = None,
        fallback: Dialect = Dialect.PLAYSTREAM,
        open_store: Callable[[str], Objects] | None = None,
    ) -> None:
        self._stop = stop
        self._replace = replace
        self._open_store = open_store
        self._assembly: Assembly | None = None
        self._meter = meter
        self._target = target
        self._emit = emit
        self._heard = heard
        self._limits = limits
        self._native = Receiver(Direction.JOB, max_record=limits.max_record_bytes)
        self._runner: RunnerReceiver | None = None
        self._unpacker = Unpacker(target, trusted=True, replace=replace, limits=limits)
        liveness = Liveness("the transmit stage", liveness_seconds, fd)
        self._reader = ReadAhead(fd, PieceReader(self._choose, fallback), liveness)
        self.job: Job | None = None
        """The job; complete when `ready` is True."""
        self.ready = False
        """True when the job and its tree were received."""
        self.open = True
        """False when nothing more can arrive."""
        self.cancel_reason: str | None = None
        self.user: RemoteTerminal | None = None
        """The user's terminal at the other end; None if there is none."""

    def fileno(self) -> int:
        """Return a descriptor to wait for input."""
        return self._reader.fileno()

    def _choose(self, dialect: Dialect) -> FrameReader | LineReader:
        """Return the reader of the dialect. Called once, in the reading thread."""
        self._heard(dialect)
        if dialect is Dialect.PLAYSTREAM:
            return self._native.frames
        from playstream.pipeline.runner_dialect.kwargs import read_kwargs  # noqa: PLC0415 - only for this dialect
        from playstream.pipeline.runner_dialect.receiver import RunnerReceiver  # noqa: PLC0415

        self._runner = RunnerReceiver(
            Direction.JOB,
            partial(read_kwargs, directory=self._target),
            max_record=self._limits.max_record_bytes,
            max_archive=self._limits.max_tree_bytes,
            max_entries=self._limits.max_tree_entries,
        )
        return self._runner.lines

    @property
    def time_left(self) -> float | None:
        """Seconds until the other side has been silent for too long; None for no limit."""
        return self._reader.time_left if self.open else None

    def check(self) -> None:
        """Check whether the other side has been silent for too long.

        Raises:
            SilentPeer: it has.
        """
        if self.open:
            self._reader.check()

    @property
    def tree(self) -> str | None:
        """The name of the job's tree; None if it was not offered, or has changed since."""
        return None if self._assembly is None else self._assembly.name

    @property
    def _receiver(self) -> Receiver | RunnerReceiver:
        return self._runner or self._native

    def read(self) -> None:
        """Handle the next piece, waiting for it if necessary.

        Raises:
            PlaystreamError: the stream is not valid or ended early, or its sender failed.
        """
        try:
            piece = self._reader.take()
            if isinstance(piece, EndOfFile):
                self.open = False
                self._receiver.receive_eof()
            elif isinstance(piece, Noise):
                self._report(piece)
            else:
                self._read_piece(piece)
        except PlaystreamError:
            self.open = False
            raise
        if self._receiver.closed:
            self.open = False

    def _read_piece(self, piece: Frame | Line | ArchiveData) -> None:
        if isinstance(piece, Frame):
            self._native.records.receive_frame(piece)
        elif self._runner is not None:
            self._runner.records.receive_piece(piece)
        records = self._receiver.records
        while not self._stop() and (record := records.next_record()) is not NEED_DATA:
            self._take(record)

    def _take(self, record: Record) -> None:
        if isinstance(record, (FileEntry, FileData, TreeEnd, Offer, Listing, Content)):
            self._take_tree(record)
        elif isinstance(record, Job):
            self._take_job(record)
        elif isinstance(record, Cancel):
            self.cancel_reason = record.reason
        elif isinstance(record, Failure):
            raise WorkerError(f"transmit failed, so there is no job to run: {record.message}")
        elif isinstance(record, Ping):
            self._emit(Pong(record.number))
        elif isinstance(record, Resize):
            self.user = self.user or RemoteTerminal(self._emit)
            self.user.change(record)
        elif isinstance(record, Input) and self.user is not None:
            self.user.receive(record)
        elif isinstance(record, Log):
            self._emit(record)

    def _take_tree(self, record: FileEntry | FileData | TreeEnd | Offer | Listing | Content) -> None:
        if isinstance(record, Offer):
            self._take_offer(record)
        elif isinstance(record, (FileEntry, FileData)) or (isinstance(record, TreeEnd) and self._assembly is None):
            self._unpacker.receive(record)
            self._count(record)
            self.ready = isinstance(record, TreeEnd) and self.job is not None
        elif self._assembly is not None:
            self._assembly.receive(record)
            self.ready = self._assembly.complete

    def _count(self, record: FileEntry | FileData | TreeEnd) -> None:
        if self._meter is not None:
            self._meter.take(record)

    def _take_job(self, job: Job) -> None:
        """Store the job. In ansible-runner's protocol it follows its tree: it was made and checked on this side."""
        if self._runner is None:
            job = check_job(job if job.tree else add_env_files(job, read_env_files(self._target)))
        self.ready = not job.tree
        self.job = job

    def _take_offer(self, offer: Offer) -> None:
        if self._open_store is None or offer.algorithm not in algorithms():
            raise RemoteProtocolError(
                f"a tree was offered with the hash function {offer.algorithm!r}, and this worker "
                + ("has no cache" if self._open_store is None else f"has {', '.join(algorithms())}")
                + ", which its Hello says. Send the job whole, without --since, or start the worker with --cache"
            )
        from playstream.worker.cache.assembly import Assembly  # noqa: PLC0415 - only with a cache

        self._assembly = Assembly(
            offer,
            self._target,
            self._open_store(offer.algorithm),
            self._emit,
            limits=self._limits,
            replace=self._replace,
            stop=self._stop,
            watch=self._count,
        )
        self._assembly.begin()

    def _report(self, noise: Noise) -> None:
        shown = f": {noise.data!r}" if noise.data else ""
        message = f"the worker skipped {noise.size} bytes that are not part of the stream{shown}"
        self._emit(Log(LogLevel.WARNING, message))

    def keep_ready(self) -> None:
        """Make the tree ready for the next job that brings it, after this one has ended; nothing without a cache."""
        if self._assembly is not None:
            self._assembly.keep_ready()

    def close(self) -> None:
        """Stop reading, and close the unpacker."""
        self._reader.close()
        self._unpacker.close()
        if self._assembly is not None:
            self._assembly.close()
        if self._runner is not None:
            self._runner.close()
