"""What goes into a Sender comes out of a Receiver, however the bytes are cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given

from playstream.pipeline.protocol import (
    NEED_DATA,
    End,
    Event,
    FileData,
    FileEntry,
    FileType,
    Job,
    Receiver,
    Record,
    Sender,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.pipeline.protocol.frames import MAX_CONTENT
from playstream.pipeline.protocol.order import Direction, State
from tests.pipeline.protocol.strategies import CHUNK_SIZES, FLUSHES, directed_streams
from tests.pipeline.protocol.wire import BYTE_BY_BYTE, WHOLE, encode, take

STARTED = Status(StatusName.RUNNING, "")
DONE = Status(StatusName.SUCCESSFUL, "", rc=0)


@given(directed_streams(), FLUSHES, CHUNK_SIZES)
def test_records_come_out_as_they_went_in(
    stream: tuple[Direction, list[Record]], flushes: list[bool], sizes: list[int]
) -> None:
    direction, records = stream
    data = encode(records, direction, flushes)
    for cut in (sizes, WHOLE, BYTE_BY_BYTE):
        taken = take(data, direction, cut)
        assert taken.error is None
        assert taken.items[:-1] == records
        assert isinstance(taken.items[-1], End)
        assert taken.receiver.closed


@given(directed_streams())
def test_a_flushed_record_can_be_read_before_the_next_is_sent(stream: tuple[Direction, list[Record]]) -> None:
    direction, records = stream
    sender, receiver = Sender(direction), Receiver(direction)
    for record in records:
        receiver.receive_data(sender.send(record))
        assert receiver.next_record() == record
        assert receiver.next_record() is NEED_DATA
        assert receiver.state is sender.state


@pytest.mark.parametrize("flushes", [(True,), (False,), (True, False, False)])
@pytest.mark.parametrize(
    "size",
    [0, 1, MAX_CONTENT - 15, MAX_CONTENT - 14, MAX_CONTENT - 13, MAX_CONTENT, 2 * MAX_CONTENT - 14, 3 * MAX_CONTENT],
)
def test_a_record_may_span_frames(size: int, flushes: Sequence[bool]) -> None:
    """14 is the size of an event's headers, so these sizes fill frames to the last byte and one more or less."""
    records: list[Record] = [STARTED, Event(1, b"a"), Event(2, bytes(size)), Event(3, b"b"), DONE]
    taken = take(encode(records, Direction.RESULT, flushes), Direction.RESULT, (65536,))
    assert taken.error is None
    assert taken.items[:-1] == records


def test_file_data_of_the_greatest_size_spans_two_frames() -> None:
    data = FileData(bytes(MAX_CONTENT))
    entry = FileEntry(b"a", FileType.FILE, 0o644, 0, MAX_CONTENT)
    records: list[Record] = [Job("a", tree=True), entry, data, TreeEnd(1, MAX_CONTENT)]
    assert take(encode(records, Direction.JOB), Direction.JOB).items[:-1] == records


def test_records_gather_until_a_flush() -> None:
    sender = Sender(Direction.RESULT)
    assert sender.send(STARTED, flush=False) == b""
    gathered = sender.flush()
    assert take(gathered, Direction.RESULT).items == [STARTED]
    assert sender.flush() == b""
    assert sender.send(DONE) != b""


def test_records_do_not_gather_beyond_a_frame() -> None:
    sender = Sender(Direction.RESULT)
    sender.send(STARTED, flush=False)
    events = [Event(counter, bytes(300_000)) for counter in range(1, 6)]
    written = [sender.send(event, flush=False) for event in events]
    assert [bool(data) for data in written] == [False, False, False, True, False]


def test_the_preamble_goes_out_with_the_first_flush_even_if_nothing_was_sent() -> None:
    sender = Sender(Direction.JOB)
    receiver = Receiver(Direction.JOB)
    receiver.receive_data(sender.flush())
    assert receiver.next_record() is NEED_DATA
    receiver.receive_data(sender.send(Job("a")))
    assert receiver.next_record() == Job("a")


@pytest.mark.parametrize("level", [-5, 1, 3, 9, 19, 20, 22])
def test_every_level_gives_a_stream_that_a_receiver_takes(level: int) -> None:
    sender = Sender(Direction.JOB, level=level)
    assert take(sender.send(Job("a")) + sender.end(), Direction.JOB).error is None


def test_a_stream_is_closed_by_end_and_what_follows_is_dropped() -> None:
    data = encode([Job("a")], Direction.JOB) + b"logout\r\n"
    for sizes in (WHOLE, BYTE_BY_BYTE):
        taken = take(data, Direction.JOB, sizes)
        assert taken.error is None
        assert taken.receiver.state is State.CLOSED
        assert len(taken.items) == 2
