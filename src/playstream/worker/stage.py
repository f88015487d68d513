"""The worker stage from the first byte read to the End record written."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, PlaystreamError, as_error, name_of
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation
from playstream.pipeline.io.liveness import DEFAULT_KEEPALIVE_SECONDS, DEFAULT_LIVENESS_SECONDS
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.io.stdio import Connection
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.outbox import Outbox
from playstream.pipeline.protocol import Failure, Job, Log, LogLevel, Record, StatusName
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.meter import Meter
from playstream.pipeline.verdict import exit_status
from playstream.worker.cache.defaults import DEFAULT_CACHE_BYTES, OWN_USER
from playstream.worker.execution import Execution, put_status
from playstream.worker.hello import make_hello
from playstream.worker.intake import Intake, detect_dialect
from playstream.worker.killing import lives_on
from playstream.worker.poller import Poller
from playstream.worker.spool import Spool, remove_leftovers
from playstream.worker.watch import READER_GONE, JobConnection

if TYPE_CHECKING:
    from playstream.worker.cache.store import Store

START, WAIT = b"s", b"w"
"""What a listener says to its workers, by `start_on`."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The options of the worker's own side."""

    private_data_dir: Path | None = None
    """Unpack here instead of in the spool."""
    delete: bool = False
    """Empty `private_data_dir` before the job and remove it afterwards."""
    keepalive_seconds: float = DEFAULT_KEEPALIVE_SECONDS
    """Silence after which a heartbeat is sent; 0 for never."""
    liveness_seconds: float = DEFAULT_LIVENESS_SECONDS
    """Silence of the other side after which it counts as lost; 0 for never."""
    limits: Limits = DEFAULT_LIMITS
    """Limits of the job's stream."""
    max_job_seconds: float | None = None
    """Time after which a job is stopped, whatever its own limits; None for no limit."""
    cache: Path | None = None
    """The directory of the cache of trees; None for none."""
    cache_size: int = DEFAULT_CACHE_BYTES
    """The size to which the cache is reduced after the job, in bytes."""
    sender: str = OWN_USER
    """Who sends: the division of the cache to use."""
    meter: Meter | None = None
    """Counts the job's tree while it is unpacked; None for nothing."""
    start_on: int | None = None
    """A descriptor that tells when the job may start (START), or that it has to wait (WAIT); None to start it at
    once."""
    dialect: Dialect = Dialect.PLAYSTREAM
    """The dialect of the results if the dialect of the job is unknown."""
    explain: Callable[[PlaystreamError], str | None] = lambda _error: None
    """Returns the explanation of an error for a status, whose traceback is then the error's message; None to use the
    message as the explanation."""


@dataclass(frozen=True, slots=True)
class WorkResult:
    """How a served job ended."""

    status: StatusName
    exit_status: int
    """Ansible's exit status; 254 if the job was canceled or timed out. 0 means success."""
    explanation: str | None
    """A message, such as why the job was canceled or which limit was exceeded."""


class Worker:
    """Serves one job.

    Args:
        connection: the connection for the job and its results.
        options: see WorkerOptions.
        cancellation: requests the end of the job.
        poll: called every LOOK_SECONDS; may request the cancellation, or raise. None for nothing.
    """

    def __init__(
        self,
        connection: Connection,
        options: WorkerOptions,
        cancellation: Cancellation,
        poll: Callable[[], None] | None = None,
    ) -> None:
        self._poll = poll
        self._input = connection.reader
        self._output = output = connection.writer
        self._options = options
        self._cancellation = cancellation
        self._store: Store | None = None
        self._mailbox = Mailbox[Record](cancellation.wake)
        self._outbox = Outbox(
            self._mailbox,
            output,
            Direction.RESULT,
            keepalive_seconds=options.keepalive_seconds,
            liveness_seconds=options.liveness_seconds,
            cancellation=cancellation,
            dialect=options.dialect,
            greeting=lambda: make_hello(options.limits, options.max_job_seconds, has_cache=options.cache is not None),
            layer=connection.output_layer,
        )

    def run(self) -> WorkResult:
        """Serve the job.

        Raises:
            PlaystreamError: the job could not be served. A Failure record was sent to the other side.
        """
        try:
            return self._run()
        finally:
            if self._store is not None:
                self._store.close()  # which may evict, so the results are delivered first

    def _run(self) -> WorkResult:
        try:
            served = self._serve(self._make_spool())
        except (PlaystreamError, OSError) as caught:
            error = as_error(caught, "the worker's host")
            explanation = self._options.explain(error)
            if explanation is not None:
                put_status(self._mailbox, StatusName.ERROR, explanation=explanation, traceback=str(error))
            self._mailbox.put(Failure(name_of(error), str(error)))
            self._outbox.close()
            raise error from None
        self._outbox.close()
        if self._mailbox.error is not None:
            raise self._mailbox.error
        return served

    def _make_spool(self) -> Spool:
        """Create a spool. If that fails, the error is reported in the dialect of the other side."""
        try:
            self._check_cache()
            remove_leftovers()
            return Spool(self._options.private_data_dir, delete=self._options.delete)
        except (PlaystreamError, OSError):
            dialect = detect_dialect(self._input, self._output, self._stops)
            if dialect is not None:
                self._outbox.start(dialect)
            raise

    def _serve(self, spool: Spool) -> WorkResult:
        try:
            ours = self._options.private_data_dir is None
            intake = Intake(
                self._input,
                spool.private_data_dir,
                self._mailbox.put,
                self._outbox.start,
                liveness_seconds=self._options.liveness_seconds,
                limits=self._options.limits,
                stop=self._stops,
                replace=not ours,
                meter=self._options.meter,
                fallback=self._options.dialect,
                open_store=self._open_store if self._options.cache is not None else None,
            )
            try:
                try:
                    job = self._receive(intake)
                finally:
                    self._release_store()
                if job is None and self._cancellation.error is not None:
                    raise self._cancellation.error
                if job is None:
                    put_status(self._mailbox, StatusName.CANCELED, explanation=self._cancellation.reason)
                    return WorkResult(StatusName.CANCELED, CANCELED_EXIT_STATUS, self._cancellation.reason)
                return self._run_job(job, spool, intake)
            finally:
                intake.close()
                if self._store is not None and not lives_on(spool.root):
                    intake.keep_ready()
        finally:
            spool.remove()

    def _check_cache(self) -> None:
        if self._options.cache is not None:
            from playstream.worker.cache.place import check_place  # noqa: PLC0415 - only with a cache

            check_place(self._options.cache)

    def _open_store(self, algorithm: str) -> Store:
        from playstream.worker.cache.store import Store  # noqa: PLC0415 - only with a cache

        options = self._options
        self._store = Store(options.cache or Path(), options.sender, algorithm, options.cache_size)
        return self._store

    def _release_store(self) -> None:
        """Let others evict what is in the cache: the tree is complete, and the job works on a copy of it."""
        if self._store is not None:
            self._store.release()
            if self._store.trouble is not None:
                self._mailbox.put(Log(LogLevel.WARNING, f"not all of the tree is kept: {self._store.trouble}"))

    def _receive(self, intake: Intake) -> Job | None:
        """Receive the whole job, and wait until it may start. Return None if it was canceled before that."""
        poller = Poller()
        turn = _Turn(self._options.start_on, poller, self._mailbox.put)
        poller.watch(intake, intake.read)
        poller.watch(self._cancellation, self._cancellation.acknowledge)
        poller.watch_hangup(self._output, lambda: self._cancellation.request(READER_GONE), self._outbox.probe)
        while not (intake.ready and turn.has_come):
            try:
                poller.wait(_sooner(intake.time_left, self._look_seconds))
                intake.check()
                self._stops()
                if not turn.has_come and intake.cancel_reason is not None:
                    self._cancellation.request(intake.cancel_reason)
            except PlaystreamError:
                if self._cancellation.reason is None:
                    raise
            if self._cancellation.reason is not None:
                return None
            if self._mailbox.error is not None:
                raise self._mailbox.error
        return intake.job

    @property
    def _look_seconds(self) -> float | None:
        return None if self._poll is None else LOOK_SECONDS

    def _look(self) -> None:
        """Check whether a stop was requested, and whether the reader reads."""
        if self._poll is not None:
            self._poll()
        self._outbox.check()

    def _stops(self) -> bool:
        """Return whether a stop was requested."""
        if self._poll is not None:
            self._poll()
        return self._cancellation.reason is not None

    def _run_job(self, job: Job, spool: Spool, intake: Intake) -> WorkResult:
        self._outbox.name(job.ident)
        patience = self._options.liveness_seconds / 2 or None
        look_seconds = _sooner(patience, self._look_seconds)
        link = JobConnection(intake, self._output, self._look, self._outbox.probe, look_seconds)
        outcome = Execution(
            job,
            spool,
            self._mailbox,
            self._cancellation,
            link=link,
            user=intake.user,
            max_seconds=self._options.max_job_seconds,
            tree=intake.tree if self._store is not None and self._store.trouble is None else None,
        ).run()
        if outcome.error is not None:
            raise outcome.error
        return WorkResult(outcome.status, exit_status(outcome.status, outcome.rc), outcome.explanation)


class _Turn:
    """Waits until the job may start.

    Args:
        fd: readable when it may; None if it may at once.
        poller: waits for it.
        emit: takes Log records for the other side.
    """

    def __init__(self, fd: int | None, poller: Poller, emit: Callable[[Record], None]) -> None:
        self._fd = -1 if fd is None else fd
        self._poller = poller
        self._emit = emit
        self.has_come = fd is None
        if fd is not None:
            os.set_inheritable(fd, False)
            poller.watch(self, self._note)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._fd

    def _note(self) -> None:
        """Note what the listener says. At the end of the file it has ended, and so will the input."""
        word = os.read(self._fd, 1)
        if word == WAIT:
            self._emit(Log(LogLevel.INFO, "the job waits for a free slot of the worker"))
            return
        self._poller.unwatch(self)
        self.has_come = word == START


def _sooner(first: float | None, second: float | None) -> float | None:
    """Return the shorter of two times, where None is unlimited."""
    return min((seconds for seconds in (first, second) if seconds is not None), default=None)
