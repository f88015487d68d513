"""The process stage on a connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from playstream.pipeline.dialect import Dialect, FirstBytes
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io import system
from playstream.pipeline.io.cancellation import DELIVERY_SECONDS, LOOK_SECONDS, Cancellation
from playstream.pipeline.io.liveness import DEFAULT_LIVENESS_SECONDS, Liveness
from playstream.pipeline.io.stdio import Connection, InputLayer, as_milliseconds, read_some
from playstream.pipeline.limits import DEFAULT_LIMITS, Limits
from playstream.pipeline.protocol import NEED_DATA, Incoming, Noise, Receiver, Record
from playstream.pipeline.protocol.order import Direction
from playstream.process import Observer, Output, Processor, Result

if TYPE_CHECKING:
    from playstream.pipeline.tree.meter import Meter

STOP_SECONDS = 2.2
"""How long `process` continues to read after a request to stop. In a shell's pipeline the worker gets the same signal
and reports the end of the job within 2 seconds. Otherwise the worker ends the job when its reader exits, within 2 more
seconds: 5 seconds in total. After the worker's report, its artifacts may be delivered for DELIVERY_SECONDS."""
_RECORDING_START = b'{"uuid":'
"""The beginning of each line of a recording; see RecordingReceiver."""


def process(
    connection: Connection,
    artifact_dir: Path,
    observer: Observer,
    *,
    among_runs: bool = False,
    link_latest: bool = False,
    cancellation: Cancellation | None = None,
    output: Output = Output.TEXT,
    keep_stdout: bool = True,
    write_behind: bool = False,
    liveness_seconds: float = DEFAULT_LIVENESS_SECONDS,
    limits: Limits = DEFAULT_LIMITS,
    meter: Meter | None = None,
) -> Result:
    """Rebuild a run from the stream of `work`.

    Args:
        connection: its reader receives the stream.
        artifact_dir: the directory for the artifacts; created if it is missing.
        observer: receives events, statuses and output.
        among_runs: the directory is shared: it may contain those of other runs.
        link_latest: make `latest`, beside the directory, a link to it.
        cancellation: requests to stop reading.
        output: what to show, and to keep as `stdout`.
        keep_stdout: False for no artifact `stdout`.
        write_behind: another process may write the events' files; all of them exist when this function returns.
        liveness_seconds: silence after which the worker counts as lost; 0 for never. It is ignored for ansible-runner's
            worker if it sends no keepalive.
        limits: limits of the stream.
        meter: counts the artifacts while they are unpacked; None for nothing.

    Returns:
        How the run ended. If the stream is cut off, the status is `error`, and everything received before is kept.

    Raises:
        JobError: the artifacts cannot be written.
    """
    processor = Processor(
        artifact_dir,
        observer,
        among_runs=among_runs,
        link_latest=link_latest,
        output=output,
        keep_stdout=keep_stdout,
        write_behind=write_behind,
        limits=limits,
    )
    with ExitStack() as ours:
        cancellation = cancellation or ours.enter_context(closing(Cancellation()))
        taker: RecordTaker = processor if meter is None else _Metered(processor, meter)
        try:
            feed(taker, connection, cancellation, liveness_seconds=liveness_seconds, limits=limits)
        except PlaystreamError as error:
            return processor.finish(error, interrupted=cancellation.reason)
        return processor.finish(interrupted=cancellation.reason)


class RecordTaker(Protocol):
    """Takes the records of a run, such as a Processor."""

    @property
    def has_ended(self) -> bool:
        """Whether a terminal status was taken."""

    def receive(self, record: Record | Noise) -> None:
        """Take one record."""

    def flush(self) -> None:
        """Do what can wait until there is nothing more to receive at the moment."""


class _Metered:
    """Takes records and counts those of a tree.

    Args:
        inner: takes them then.
        meter: counts.
    """

    def __init__(self, inner: RecordTaker, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter
        self.flush = inner.flush

    @property
    def has_ended(self) -> bool:
        return self._inner.has_ended

    def receive(self, record: Record | Noise) -> None:
        self._inner.receive(record)
        self._meter.take(record)


def feed(
    taker: RecordTaker,
    connection: Connection,
    cancellation: Cancellation,
    look: Callable[[], None] | None = None,
    *,
    liveness_seconds: float,
    limits: Limits,
) -> bool:
    """Pass every record on, until End or a request to stop.

    Args:
        taker: takes the records.
        connection: its reader receives the stream.
        cancellation: requests to stop reading.
        look: called every LOOK_SECONDS.
        liveness_seconds: silence after which the worker counts as lost; 0 for never.
        limits: limits of the stream.

    Returns:
        Whether the stream is complete; False after a request to stop.

    Raises:
        PlaystreamError: the stream is not valid or ended early, the worker is silent, or the artifacts cannot be
            written.
    """
    reader = connection.reader
    liveness = Liveness("the worker", liveness_seconds, reader)
    news = reader if isinstance(reader, int) else reader.fileno()
    deadline = _Deadline(cancellation)
    poll = system.poll()  # importing selectors takes 0.6 ms
    poll.register(news, system.POLLIN)
    poll.register(woken := cancellation.fileno(), system.POLLIN)
    with closing(_Input(reader, limits)) as source:

        def reported() -> bool:
            return taker.has_ended or source.keeps_status

        stop = _Stop(deadline, reported, look)
        while not source.closed:
            ready = poll.poll(_patience(deadline.at, liveness.time_left, looking=look is not None))
            if look is not None:
                look()
            if any(fd == woken for fd, _ in ready):
                cancellation.acknowledge()
            if stop.passed or deadline.has_passed(reported=reported()):
                source.release_status(taker)
                return False
            if any(fd == news for fd, _ in ready):
                try:
                    source.feed(taker, stop)
                finally:
                    taker.flush()
                liveness.mark_alive(expected=source.has_heartbeats)
            else:
                liveness.check()
    return True


class _Deadline:
    """The deadline for reading after a request to stop."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self.at: float | None = None
        """The deadline on the monotonic clock; None while there is no request."""

    def has_passed(self, *, reported: bool) -> bool:
        """Return whether to stop now; `reported` is True if the worker has reported how the job ended."""
        asked_at = self._cancellation.requested_at
        if asked_at is None:
            return False
        self._cancellation.acknowledge()
        self.at = asked_at + (DELIVERY_SECONDS if reported else STOP_SECONDS)
        return time.monotonic() >= self.at


class _Stop:
    """Checks, between two records of one read, whether to stop: one read may contain minutes of work.

    Args:
        deadline: when reading stops.
        reported: whether the worker has reported how the job ended.
        look: called meanwhile.
    """

    def __init__(self, deadline: _Deadline, reported: Callable[[], bool], look: Callable[[], None] | None) -> None:
        self._deadline = deadline
        self._reported = reported
        self._look = look
        self._next = 0.0
        self.passed = False
        """True after a call has returned True."""

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + LOOK_SECONDS
        if self._look is not None:
            self._look()
        self.passed = self._deadline.has_passed(reported=self._reported())
        return self.passed


def _patience(stop_at: float | None, silence_left: float | None, *, looking: bool) -> float | None:
    """Return how many milliseconds to wait for input; None for no limit."""
    waits = [LOOK_SECONDS] if looking else []
    if silence_left is not None:
        waits.append(silence_left)
    if stop_at is not None:
        waits.append(max(0.0, stop_at - time.monotonic()))
    return as_milliseconds(min(waits, default=None))


def is_recording(head: bytes) -> bool | None:
    """Return whether a stream that begins with `head` is a recording; None if more data is needed."""
    if len(head) < len(_RECORDING_START) and _RECORDING_START.startswith(head):
        return None
    return head.startswith(_RECORDING_START)


class _Input:
    """The input of a descriptor, detected by its first bytes: a worker's stream in either dialect, or a recording."""

    def __init__(self, fd: int | InputLayer, limits: Limits) -> None:
        self._fd = fd
        self._limits = limits
        self._head = b""
        self._first: FirstBytes | None = None
        self._incoming: Incoming | None = None
        """The incoming end; None while the first bytes are not conclusive."""

    @property
    def closed(self) -> bool:
        """True when the stream has ended."""
        return self._incoming is not None and self._incoming.closed

    @property
    def has_heartbeats(self) -> bool:
        """Whether the other side sends heartbeats while it has nothing else to send."""
        return self._incoming is None or self._incoming.has_heartbeats

    @property
    def keeps_status(self) -> bool:
        """Whether a terminal status has arrived and waits for the artifacts."""
        return self._incoming is not None and self._incoming.keeps_status

    def release_status(self, taker: RecordTaker) -> None:
        """Pass the waiting status on, without waiting longer for the artifacts."""
        if self._incoming is not None and self._incoming.keeps_status:
            self._incoming.release_status()
            _give(self._incoming, taker)

    def close(self) -> None:
        """Drop incomplete data."""
        if self._incoming is not None:
            self._incoming.close()

    def feed(self, taker: RecordTaker, stop: Callable[[], bool]) -> None:
        """Read once and pass complete records on, until `stop` returns True."""
        data = read_some(self._fd)
        at_end = not data
        if self._incoming is None:
            data = self._choose(data)
        incoming = self._incoming
        if incoming is None:
            return
        incoming.receive_data(data)
        _give(incoming, taker, stop)
        if at_end:
            incoming.receive_eof()
            _give(incoming, taker, stop)

    def _choose(self, data: bytes) -> bytes:
        """Choose the incoming end, and return all data so far once it is known."""
        if self._first is None:
            self._head += data
            recording = is_recording(self._head)
            if recording is None and data:
                return b""
            if recording:
                from playstream.process.recording import RecordingReceiver  # noqa: PLC0415 - most streams are none

                self._incoming = RecordingReceiver(max_record=self._limits.max_record_bytes)
                return self._head
            self._first, data = FirstBytes(), self._head
        detected = self._first.receive_data(data)
        if detected is None:
            return b""
        dialect, data = detected
        self._incoming = _incoming_in(dialect, self._limits)
        return data


def _incoming_in(dialect: Dialect, limits: Limits) -> Incoming:
    """Create the incoming end of a worker's results."""
    if dialect is Dialect.PLAYSTREAM:
        return Receiver(Direction.RESULT, max_record=limits.max_record_bytes)
    from playstream.pipeline.runner_dialect.receiver import RunnerReceiver  # noqa: PLC0415 - zipfile costs 10 ms

    return RunnerReceiver(
        Direction.RESULT,
        max_record=limits.max_record_bytes,
        max_archive=limits.max_tree_bytes,
        max_entries=limits.max_tree_entries,
    )


def _give(incoming: Incoming, taker: RecordTaker, stop: Callable[[], bool] = lambda: False) -> None:
    """Pass each complete record on, until `stop` returns True."""
    next_record, take = incoming.next_record, taker.receive
    while (record := next_record()) is not NEED_DATA:
        take(record)
        if stop():
            return
