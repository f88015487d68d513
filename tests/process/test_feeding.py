"""Reading a stream of results waits for news only."""

from __future__ import annotations

import os
import threading

from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.stdio import Connection, has_input
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.pipeline.protocol import Noise, Record
from playstream.process.receiving import feed
from tests.process.test_processing import WHOLE, encode
from tests.processes import wait_until


class Taker:
    has_ended = False

    def __init__(self) -> None:
        self.records: list[Record | Noise] = []

    def receive(self, record: Record | Noise) -> None:
        self.records.append(record)

    def flush(self) -> None:
        pass


def test_a_wake_up_without_a_request_is_over() -> None:
    """As by a change of the terminal's size: waiting does not keep a processor busy after it."""
    reader, writer = os.pipe()
    cancellation, taker = Cancellation(), Taker()
    reading = threading.Thread(
        target=feed,
        args=(taker, Connection(reader=reader), cancellation),
        kwargs={"liveness_seconds": 0.0, "limits": DEFAULT_LIMITS},
    )
    reading.start()
    for _ in range(3):
        cancellation.wake()
        wait_until(lambda: not has_input(cancellation.fileno()))
    os.write(writer, encode(WHOLE))
    reading.join()
    assert len(taker.records) > len(WHOLE) // 2
    for fd in (reader, writer):
        os.close(fd)
    cancellation.close()
