"""Whatever comes in, what comes out is records, Noise and at most one RemoteProtocolError.

`take` catches nothing else, so any other exception fails the test that meets it.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import End, FileData, Job, Receiver, Record, Status, StatusName, codec, frames
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.strategies import (
    CHUNK_SIZES,
    DIRECTIONS,
    FLUSHES,
    directed_streams,
    hostile_contents,
    mutations,
)
from tests.pipeline.protocol.wire import RawStream, encode, take


@given(st.data(), directed_streams(), FLUSHES, CHUNK_SIZES)
def test_damage_invents_nothing(
    data: st.DataObject, stream: tuple[Direction, list[Record]], flushes: list[bool], sizes: list[int]
) -> None:
    direction, records = stream
    whole = encode(records, direction, flushes)
    sent = take(whole, direction).records
    taken = take(data.draw(mutations(whole)), direction, sizes)
    assert taken.records == sent[: len(taken.records)]
    assert taken.receiver.closed is (len(taken.records) == len(sent))
    assert (taken.error is None) is taken.receiver.closed


@given(st.data(), directed_streams(), FLUSHES)
def test_a_stream_cut_short_is_incomplete(
    data: st.DataObject, stream: tuple[Direction, list[Record]], flushes: list[bool]
) -> None:
    direction, records = stream
    whole = encode(records, direction, flushes)
    taken = take(whole[: data.draw(st.integers(0, len(whole) - 1))], direction)
    assert type(taken.error) is IncompleteStream
    assert taken.items == records[: len(taken.items)]


@given(st.binary(max_size=2000), DIRECTIONS, CHUNK_SIZES, st.booleans())
def test_any_bytes_at_all(data: bytes, direction: Direction, sizes: list[int], with_preamble: bool) -> None:
    start = frames.encode_preamble() if with_preamble else b""
    taken = take(start + data, direction, sizes)
    assert isinstance(taken.error, RemoteProtocolError)
    assert taken.records == []


@given(st.binary(max_size=300), st.integers(0, 5), st.integers(0, frames.MAX_CONTENT), DIRECTIONS)
def test_any_payload_in_a_valid_frame(payload: bytes, sequence: int, content_size: int, direction: Direction) -> None:
    data = frames.encode_preamble() + frames.encode_frame(sequence, payload, content_size)
    assert isinstance(take(data, direction).error, RemoteProtocolError)


@given(hostile_contents(), st.lists(st.integers(0, 400), max_size=3), DIRECTIONS, CHUNK_SIZES)
def test_any_content_in_valid_frames(content: bytes, cuts: list[int], direction: Direction, sizes: list[int]) -> None:
    stream = RawStream()
    edges = [0, *sorted(cuts), len(content)]
    for start, end in pairwise(edges):
        stream.content(content[start:end])
    taken = take(stream.data, direction, sizes if len(content) < 2000 else (4096,))
    assert taken.error is not None, "a stream without End was taken for a whole one"
    for record in taken.records:
        kind, flags, size = codec.RECORD.unpack_from(codec.encode(record))
        payload = codec.encode(record)[codec.RECORD.size :]
        assert len(payload) == size
        assert codec.decode(kind, flags, payload) == record, "what one side takes, the other must be able to send"


@given(st.sampled_from(list(codec.Kind)), st.binary(max_size=200))
def test_any_payload_of_a_record(kind: codec.Kind, payload: bytes) -> None:
    try:
        record = codec.decode(kind, 0, payload)
    except RemoteProtocolError:
        return
    assert record is not None
    assert isinstance(record, FileData) or codec.decode(kind, 0, codec.encode(record)[codec.RECORD.size :]) == record


def test_an_error_is_raised_again_by_every_later_call() -> None:
    receiver = Receiver(Direction.JOB)
    receiver.receive_data(RawStream().content(b"\xff\x00\x00\x00\x00\x00").data)
    with pytest.raises(RemoteProtocolError) as first:
        receiver.next_record()
    receiver.receive_data(encode([Job("a")], Direction.JOB))
    with pytest.raises(RemoteProtocolError) as second:
        receiver.next_record()
    assert second.value is first.value
    assert not receiver.closed


def test_what_came_before_the_damage_is_kept() -> None:
    stream = RawStream().records(Status(StatusName.RUNNING, "")).records(Status(StatusName.FAILED, "", rc=2)).end()
    taken = take(stream.data[:-1] + bytes([stream.data[-1] ^ 1]), Direction.RESULT)
    assert len(taken.records) == 2
    assert not any(isinstance(record, End) for record in taken.records)
    assert "damaged" in taken.message
