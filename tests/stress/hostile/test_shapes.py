"""Entries of a zip take at most 100 bytes of memory each, in every shape, whoever reads or writes it.

What Python allocates is measured at two numbers of entries: no time, no start of a process and no buffer is in the
difference. `make faults` has stages, a million entries of each shape, and the native dialect.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import chain

import pytest

from playstream.pipeline.protocol import NEED_DATA, FileEntry, Record, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect import sender as sender_module
from playstream.pipeline.runner_dialect import sorted_rows
from playstream.pipeline.runner_dialect.receiver import RunnerReceiver
from playstream.pipeline.runner_dialect.sender import RunnerSender
from tests.stress.hostile.shapes import NATIVE_ONLY, SHAPES, runner_stream
from tests.stress.hostile.streams import ENDED, ROOT, STARTING

FEW, MANY = 1000, 4000
OF_AN_ENTRY = 100
"""Bytes that are promised."""


@pytest.fixture
def _sorted_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows are sorted in memory, within the 64 MiB that any stream may cost: here hardly any are."""
    monkeypatch.setattr(sorted_rows, "_IN_MEMORY", 1 << 16)
    monkeypatch.setattr(sorted_rows, "_BLOCK", 1 << 10)


def read(stream: Iterator[bytes]) -> tuple[int, int]:
    """The entries of a stream, and the most memory that was allocated at once for them."""
    pieces = list(stream)
    receiver = RunnerReceiver(Direction.RESULT)
    entries = 0
    tracemalloc.start()
    try:
        for piece in pieces:
            for start in range(0, len(piece), 1 << 16):
                receiver.receive_data(piece[start : start + (1 << 16)])
                while (record := receiver.next_record()) is not NEED_DATA:
                    entries += isinstance(record, FileEntry)
        assert receiver.closed
        return entries, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("_sorted_in_small_pieces")
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape not in NATIVE_ONLY])
def test_entries_take_100_bytes_each(shape: str) -> None:
    (few, less), (many, more) = (read(runner_stream(SHAPES[shape](count), Direction.RESULT)) for count in (FEW, MANY))
    assert (few, many) == (FEW + 2, MANY + 2), "the root and the return code are entries too"
    assert more - less < (MANY - FEW) * OF_AN_ENTRY


def write(shape: str, count: int) -> tuple[int, int]:
    """The bytes of the results with such a tree, and the most memory that was allocated at once to send them."""
    sender = RunnerSender(Direction.RESULT)
    for record in (STARTING, ENDED):
        list(sender.send(record))
    tracemalloc.start()
    try:
        size = sum(
            len(data)
            for record in chain[Record]([ROOT], SHAPES[shape](count), [TreeEnd(count + 1, 0)])
            for data in sender.send(record)
        )
        return size, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        sender.close()


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "hard links of 100,000 files"])
def test_entries_that_are_sent_take_100_bytes_each(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "_PIECE", 3 << 10)  # the archive that goes at once is no part of the difference
    (less, few), (more, many) = (write(shape, count) for count in (FEW, MANY))
    assert more > less
    assert many - few < (MANY - FEW) * OF_AN_ENTRY
