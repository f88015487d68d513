"""The ends of a stream: End, end of file, the sequence of frames, what a receiver counts."""

from __future__ import annotations

import hashlib
from itertools import permutations

import pytest

from playstream.pipeline.errors import IncompleteStream, LocalProtocolError, RemoteProtocolError
from playstream.pipeline.protocol import (
    NEED_DATA,
    End,
    Event,
    Failure,
    Heartbeat,
    Job,
    Log,
    LogLevel,
    Receiver,
    Record,
    Sender,
    Status,
    StatusName,
    codec,
    frames,
)
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.wire import BYTE_BY_BYTE, RawStream, encode, record_bytes, take

RECORDS: list[Record] = [
    Status(StatusName.RUNNING, ""),
    Event(1, b'{"event":"a"}'),
    Log(LogLevel.INFO, "hello"),
    Event(2, b'{"event":"b"}'),
    Status(StatusName.SUCCESSFUL, "", rc=0),
]


def _frames(records: list[Record], direction: Direction) -> list[bytes]:
    """The preamble, one frame a record, and End's."""
    sender = Sender(direction)
    return [sender.flush(), *(sender.send(record) for record in records), sender.end()]


def test_end_says_what_came_before_it() -> None:
    _preamble, *sent, _end = stream = _frames(RECORDS, Direction.RESULT)
    end = take(b"".join(stream), Direction.RESULT).records[-1]
    payloads = b"".join(frame[frames.HEADER_SIZE :] for frame in sent)
    assert end == End(5, 2, hashlib.sha256(payloads).digest())


@pytest.mark.parametrize(
    "changes",
    [{"records": 4}, {"records": 6}, {"events": 1}, {"events": 3}, {"digest": bytes(32)}, {"records": -1}],
    ids=str,
)
@pytest.mark.parametrize("sizes", [(4096,), BYTE_BY_BYTE])
def test_an_end_that_does_not_agree(changes: dict[str, int | bytes], sizes: tuple[int, ...]) -> None:
    taken = take(RawStream().records(*RECORDS).end(**changes).data, Direction.RESULT, sizes)
    assert taken.records == RECORDS
    assert not taken.receiver.closed
    assert taken.message.startswith("the End record says")
    assert "but 5, 2 and" in taken.message
    assert "Part of the stream was lost or altered" in taken.message


def test_end_must_be_alone_in_its_frame() -> None:
    end = codec.encode(RawStream().records(*RECORDS).end_record())
    log = codec.encode(Log(LogLevel.INFO, ""))
    together = [log + end, end + log, end + b"\0", end[:-1]]
    for content in together:
        stream = RawStream().records(*RECORDS).content(content)
        taken = take(stream.data, Direction.RESULT)
        assert not taken.receiver.closed
        assert isinstance(taken.error, RemoteProtocolError)
    split = RawStream().records(*RECORDS).content(end[:20]).content(end[20:])
    assert "the End record says" in take(split.data, Direction.RESULT).message


def test_a_sender_makes_the_end_itself() -> None:
    sender = Sender(Direction.JOB)
    sender.send(Job("a"), flush=False)
    with pytest.raises(LocalProtocolError, match=r"end\(\)"):
        sender.send(End(1, 0, bytes(32)))
    assert take(sender.end(), Direction.JOB).error is None


def test_a_refused_end_loses_nothing_that_is_pending() -> None:
    sender = Sender(Direction.RESULT)
    assert sender.send(RECORDS[0], flush=False) == b""
    with pytest.raises(LocalProtocolError, match="End is not valid in state 'running'"):
        sender.end()
    failure = Failure("JobError", "")
    taken = take(sender.send(failure) + sender.end(), Direction.RESULT)
    assert taken.error is None
    assert taken.records[:-1] == [RECORDS[0], failure]


def test_end_flushes_what_is_pending_into_a_frame_before_it() -> None:
    sender = Sender(Direction.JOB)
    assert sender.send(Job("a"), flush=False) == b""
    data = sender.end()
    assert data.count(frames.MARKER) == 2
    assert take(data, Direction.JOB).receiver.closed


@pytest.mark.parametrize("order", [p for p in permutations(range(4)) if p != (0, 1, 2, 3)], ids=str)
def test_frames_out_of_order(order: tuple[int, ...]) -> None:
    preamble, *pieces = _frames(RECORDS, Direction.RESULT)[:5]
    taken = take(preamble + b"".join(pieces[place] for place in order), Direction.RESULT)
    right = next(place for place in range(4) if order[place] != place)
    assert taken.records == RECORDS[:right]
    assert f"expected frame {right} at byte" in taken.message
    assert f"got frame {order[right]}: frames were lost, duplicated or reordered" in taken.message


@pytest.mark.parametrize("place", range(5))
def test_a_lost_and_a_doubled_frame(place: int) -> None:
    preamble, *pieces = _frames(RECORDS, Direction.RESULT)
    lost = take(preamble + b"".join(pieces[:place] + pieces[place + 1 :]), Direction.RESULT)
    assert lost.records == RECORDS[:place]
    assert f"expected frame {place}" in lost.message
    doubled = take(preamble + b"".join(pieces[: place + 1] + pieces[place:]), Direction.RESULT)
    assert doubled.records == RECORDS[: place + 1]
    assert f"got frame {place}" in doubled.message


@pytest.mark.parametrize("kept", range(6))
def test_a_stream_that_ends_at_a_frame_is_incomplete_too(kept: int) -> None:
    pieces = _frames(RECORDS, Direction.RESULT)
    taken = take(b"".join(pieces[: 1 + kept]), Direction.RESULT)
    assert taken.records == RECORDS[:kept]
    assert type(taken.error) is IncompleteStream
    assert f"and {kept} records" in taken.message
    assert "before its End record. The sender was probably killed, or the connection was lost" in taken.message


def test_the_ends_of_file_that_have_explanations_of_their_own() -> None:
    assert "the stream is empty" in take(b"", Direction.RESULT).message
    message = take(b"sh: playstream: not found\n", Direction.RESULT).message
    assert "received no playstream stream, only 26 bytes of other output" in message
    assert r"b'sh: playstream: not found\n'" in message
    for size in range(len(frames.MAGIC_START), frames.PREAMBLE_SIZE):
        message = take(frames.encode_preamble()[:size], Direction.RESULT).message
        assert f"the stream ended after {size} bytes and 0 records, in state 'start'" in message


def test_end_of_file_after_end_is_no_error() -> None:
    receiver = Receiver(Direction.JOB)
    receiver.receive_data(encode([Job("a")], Direction.JOB))
    assert receiver.next_record() == Job("a")
    with pytest.raises(IncompleteStream):
        receiver.receive_eof()
    assert isinstance(receiver.next_record(), End)
    receiver.receive_eof()
    assert receiver.next_record() is NEED_DATA


def test_an_unknown_ignorable_record_is_skipped_and_counted() -> None:
    for payload in (b"", b"whatever \xff", bytes(70_000)):
        unknown = record_bytes(77, payload, flags=codec.IGNORABLE)
        stream = RawStream().content(unknown).records(Job("a")).content(unknown + unknown)
        counted = stream.end_record(records=4)
        data = stream.content(codec.encode(counted)).data
        taken = take(data, Direction.JOB)
        assert taken.error is None
        assert taken.items == [Job("a"), counted]


def test_heartbeats_and_logs_come_in_every_state() -> None:
    quiet: list[Record] = [Heartbeat(), Log(LogLevel.WARNING, "\x1b[2J")]
    records: list[Record] = [*quiet, Failure("JobError", "no such playbook"), *quiet]
    for direction in Direction:
        assert take(encode(records, direction), direction).records[:-1] == records
