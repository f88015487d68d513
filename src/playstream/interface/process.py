"""The process stage joined to its input."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playstream.pipeline.cancellation import Cancellation
from playstream.pipeline.dialect import Dialect, FirstBytes
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.links.stdio import read_some
from playstream.pipeline.protocol import NEED_DATA, Receiver
from playstream.pipeline.protocol.order import Direction
from playstream.process import Observer, Output, Processor, Result
from playstream.process.recording import RecordingReceiver, is_recording

if TYPE_CHECKING:
    from playstream.pipeline.runner.receiver import RunnerReceiver

_LOOK_SECONDS = 0.5
INTERRUPTED_SECONDS = 5.0
"""How long `process` goes on reading after it was asked to stop. In a shell's pipeline the same signal has reached
the worker, which sends how the job ended and its artifacts; those are worth waiting for."""


def process(
    input_fd: int,
    artifact_dir: Path,
    observer: Observer,
    *,
    cancellation: Cancellation | None = None,
    output: Output = Output.TEXT,
    keep_stdout: bool = True,
) -> Result:
    """Rebuild a run from the stream of `work`.

    Args:
        input_fd: where the stream comes from.
        artifact_dir: where the artifacts go; made if it is missing.
        observer: is told what happens.
        cancellation: asks to stop reading.
        output: what is shown, and kept as `stdout`.
        keep_stdout: False for no artifact `stdout`.

    Returns:
        How the run ended. A stream that breaks off gives status `error`, and what came before is kept.

    Raises:
        JobError: the artifacts cannot be written.
    """
    processor = Processor(artifact_dir, observer, output=output, keep_stdout=keep_stdout)
    cancellation = cancellation or Cancellation()
    try:
        feed(processor, input_fd, cancellation)
    except PlaystreamError as error:
        return processor.finish(error, interrupted=cancellation.reason)
    return processor.finish(interrupted=cancellation.reason)


def feed(
    processor: Processor, input_fd: int, cancellation: Cancellation, look: Callable[[], None] | None = None
) -> None:
    """Give the processor every record, until End has come or it is time to stop.

    Args:
        processor: takes the records.
        input_fd: where the stream comes from.
        cancellation: asks to stop reading.
        look: called at least twice a second.

    Raises:
        PlaystreamError: the stream is bad or ended early, or the artifacts cannot be written.
    """
    source = _Source(input_fd)
    stop_at: float | None = None
    poll = select.poll()  # the module selectors costs 0.6 ms of a start
    poll.register(input_fd, select.POLLIN)
    poll.register(cancellation, select.POLLIN)
    while not source.closed:
        ready = poll.poll(_patience(stop_at, look is not None))
        if look is not None:
            look()
        if cancellation.reason is not None:
            cancellation.acknowledge()
            now = time.monotonic()
            stop_at = stop_at or now + INTERRUPTED_SECONDS
            if now >= stop_at:
                return
        if any(fd == input_fd for fd, _ in ready):
            try:
                source.feed(processor)
            finally:
                processor.flush()


def _patience(stop_at: float | None, looking: bool) -> float | None:
    """Milliseconds to wait for input; None for as long as it takes."""
    waits = [_LOOK_SECONDS] if looking else []
    if stop_at is not None:
        waits.append(max(0.0, stop_at - time.monotonic()))
    return min(waits) * 1000 if waits else None


class _Source:
    """What comes on a descriptor, which its first bytes tell: a worker's stream in either dialect, or a recording."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._head = b""
        self._first: FirstBytes | None = None
        self._receiver: Receiver | RunnerReceiver | RecordingReceiver | None = None

    @property
    def closed(self) -> bool:
        """True when nothing more is to come."""
        return self._receiver is not None and self._receiver.closed

    def feed(self, processor: Processor) -> None:
        """Read once and give the processor what is complete."""
        data = read_some(self._fd)
        at_end = not data
        if self._receiver is None:
            data = self._choose(data)
        receiver = self._receiver
        if receiver is None:
            return
        receiver.receive_data(data)
        if at_end:
            receiver.receive_eof()
        next_record, take = receiver.next_record, processor.receive
        while (record := next_record()) is not NEED_DATA:
            take(record)

    def _choose(self, data: bytes) -> bytes:
        """Find whoever can read what has come; all that has come when that is known."""
        if self._first is None:
            self._head += data
            recording = is_recording(self._head)
            if recording is None and data:
                return b""
            if recording:
                self._receiver = RecordingReceiver()
                return self._head
            self._first, data = FirstBytes(), self._head
        told = self._first.receive_data(data)
        if told is None:
            return b""
        dialect, data = told
        self._receiver = Receiver(Direction.RESULT) if dialect is Dialect.PLAYSTREAM else _runner_receiver()
        return data


def _runner_receiver() -> RunnerReceiver:
    from playstream.pipeline.runner.receiver import RunnerReceiver  # noqa: PLC0415 - zipfile costs 10 ms of a start

    return RunnerReceiver(Direction.RESULT)
