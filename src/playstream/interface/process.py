"""The process stage joined to its input."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from pathlib import Path

from playstream.pipeline.cancellation import Cancellation
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.links.stdio import read_some
from playstream.pipeline.protocol import NEED_DATA, LogLevel, Receiver
from playstream.pipeline.protocol.order import Direction
from playstream.process import Processor, Result

INTERRUPTED_SECONDS = 5.0
"""How long `process` goes on reading after it was asked to stop. In a shell's pipeline the same signal has reached
the worker, which sends how the job ended and its artifacts; those are worth waiting for."""


def process(
    input_fd: int,
    artifact_dir: Path,
    *,
    show: Callable[[str], None],
    log: Callable[[LogLevel, str], None],
    idle: Callable[[], None] = lambda: None,
    cancellation: Cancellation | None = None,
) -> Result:
    """Rebuild a run from the stream of `work`.

    Args:
        input_fd: where the stream comes from.
        artifact_dir: where the artifacts go; made if it is missing.
        show: takes Ansible's output, a piece without its last line end at a time.
        log: takes lines for people.
        idle: called when all that has come was taken, for flushing what `show` has buffered.
        cancellation: asks to stop reading.

    Returns:
        How the run ended. A stream that breaks off gives status `error`, and what came before is kept.

    Raises:
        JobError: the artifacts cannot be written.
    """
    processor = Processor(artifact_dir, show=show, log=log)
    cancellation = cancellation or Cancellation()
    try:
        _feed(processor, input_fd, cancellation, idle)
    except PlaystreamError as error:
        return processor.finish(error, interrupted=cancellation.reason)
    return processor.finish(interrupted=cancellation.reason)


def _feed(processor: Processor, input_fd: int, cancellation: Cancellation, idle: Callable[[], None]) -> None:
    """Give the processor every record, until End has come or it is time to stop."""
    receiver = Receiver(Direction.RESULT)
    stop_at: float | None = None
    with selectors.PollSelector() as selector:
        selector.register(input_fd, selectors.EVENT_READ)
        selector.register(cancellation, selectors.EVENT_READ)
        while not receiver.closed:
            ready = selector.select(None if stop_at is None else max(0.0, stop_at - time.monotonic()))
            if cancellation.reason is not None:
                cancellation.acknowledge()
                now = time.monotonic()
                stop_at = stop_at or now + INTERRUPTED_SECONDS
                if now >= stop_at:
                    return
            if any(key.fd == input_fd for key, _ in ready):
                try:
                    _feed_once(processor, receiver, input_fd)
                finally:
                    processor.flush()
                    idle()


def _feed_once(processor: Processor, receiver: Receiver, input_fd: int) -> None:
    data = read_some(input_fd)
    if not data:
        receiver.receive_eof()
    receiver.receive_data(data)
    while (record := receiver.next_record()) is not NEED_DATA:
        processor.receive(record)
