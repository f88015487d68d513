"""Looking at a stream and unpacking a tree take no more memory for more records."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from playstream.captures.inspection import Inspection
from playstream.captures.stream import Stream
from playstream.pipeline.limits import DEFAULT_LIMITS
from playstream.pipeline.protocol import Sender, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.captures.reading import NOW, Source, an_event

FEW, MANY = 2_000, 40_000
SLACK = 1 << 20
"""Bytes by which the peaks may differ: a frame is held whole, and the few events do not fill one."""


def native(events: int) -> Iterator[bytes]:
    sender = Sender(Direction.RESULT)
    yield sender.send(Status(StatusName.RUNNING, NOW))
    for number in range(1, events + 1):
        yield sender.send(an_event(number), flush=number % 100 == 0)
    yield sender.send(Status(StatusName.SUCCESSFUL, NOW, rc=0))
    yield sender.end()


def runner(events: int) -> Iterator[bytes]:
    yield b'{"status": "running"}\n'
    for number in range(1, events + 1):
        yield an_event(number).json + b"\n"
    yield b'{"status": "successful"}\n{"eof": true}\n'


def recording(events: int) -> Iterator[bytes]:
    for number in range(1, events):
        yield an_event(number).json + b"\n"
    yield an_event(events, "playbook_on_stats", event_data={"ok": {"a": 1}}).json + b"\n"


def peak(data: Iterator[bytes], events: int) -> int:
    """The most memory that an inspection takes."""
    inspection = Inspection(Stream(Source(filter(None, data)), DEFAULT_LIMITS))
    tracemalloc.start()
    try:
        for _ in inspection.pieces():
            pass
        highest = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert inspection.totals.damage is None
    assert inspection.totals.events == events
    return highest


@pytest.mark.parametrize("make", [native, runner, recording])
def test_memory_does_not_grow_with_events(make: Callable[[int], Iterator[bytes]]) -> None:
    peak(make(1), 1)  # what is loaded once
    assert peak(make(MANY), MANY) < peak(make(FEW), FEW) + SLACK
