"""Every record of a native stream, with its place, whatever the bytes are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.captures.native import JOB_KINDS, RESULT_KINDS, direction_of
from playstream.captures.pieces import Format, Skipped
from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import (
    Cancel,
    End,
    Heartbeat,
    Job,
    Log,
    LogLevel,
    Noise,
    Record,
    Status,
    StatusName,
    codec,
    frames,
)
from playstream.pipeline.protocol.order import ALWAYS, TABLE, Direction
from tests.captures.reading import NOW, a_run, an_event, read
from tests.pipeline.protocol.strategies import (
    CHUNK_SIZES,
    DIRECTIONS,
    FLUSHES,
    NOISE,
    directed_streams,
    mutations,
)
from tests.pipeline.protocol.wire import RawStream, encode, record_bytes, take


def types_of(direction: Direction) -> set[type]:
    return set(ALWAYS[direction]).union(*TABLE[direction].values())


def test_kinds_of_one_direction_are_those_of_the_protocol() -> None:
    names = {kind.name.replace("_", "").lower(): kind for kind in codec.Kind}
    of_job, of_result = ({names[each.__name__.lower()] for each in types_of(side)} for side in Direction)
    assert of_job - of_result == JOB_KINDS
    assert of_result - of_job == RESULT_KINDS


@given(directed_streams(), FLUSHES, CHUNK_SIZES)
def test_every_record_has_its_place(
    stream: tuple[Direction, list[Record]], flushes: list[bool], sizes: list[int]
) -> None:
    direction, records = stream
    whole = encode(records, direction, flushes)
    done = read(whole, sizes)
    assert done.error is None
    walker = done.stream.walker
    assert walker is not None
    assert (walker.format, walker.closed) == (Format.NATIVE, True)
    items = [piece.item for piece in done.pieces]
    assert items[:-1] == records
    assert isinstance(items[-1], End)
    decisive = types_of(direction) - types_of(next(side for side in Direction if side is not direction))
    expected = direction if any(type(record) in decisive for record in records) else Direction.RESULT
    assert walker.direction is expected
    # The records lie side by side, and each frame is where it is said to be.
    assert sum(piece.size or 0 for piece in done.pieces) == walker.content_size
    assert done.stream.size == len(whole)
    for piece in done.pieces:
        assert whole.startswith(frames.MARKER, piece.offset)
    places = [(piece.offset, piece.at) for piece in done.pieces]
    assert places == sorted(set(places))


@given(st.data(), directed_streams(), FLUSHES, CHUNK_SIZES)
def test_before_damage_is_what_was_sent(
    data: st.DataObject, stream: tuple[Direction, list[Record]], flushes: list[bool], sizes: list[int]
) -> None:
    direction, records = stream
    whole = encode(records, direction, flushes)
    sent = read(whole).pieces
    done = read(data.draw(mutations(whole)), sizes)
    kept = [piece for piece in done.pieces if not isinstance(piece.item, Noise)]
    assert [piece.item for piece in kept] == [piece.item for piece in sent[: len(kept)]]
    if done.error is not None:
        assert isinstance(done.error, RemoteProtocolError)
        assert 0 <= done.stream.offset <= done.stream.size
    else:
        assert len(kept) == len(sent)


@given(st.data(), directed_streams(), FLUSHES, CHUNK_SIZES)
def test_the_place_of_a_cut(
    data: st.DataObject, stream: tuple[Direction, list[Record]], flushes: list[bool], sizes: list[int]
) -> None:
    direction, records = stream
    whole = encode(records, direction, flushes)
    size = data.draw(st.integers(frames.PREAMBLE_SIZE + 1, len(whole) - 1))
    done = read(whole[:size], sizes)
    assert isinstance(done.error, IncompleteStream)
    assert f"at byte {size}" in str(done.error)
    assert done.stream.offset == size or whole.startswith(frames.MARKER, done.stream.offset)
    assert [piece.item for piece in done.pieces] == records[: len(done.pieces)]


@given(st.data(), directed_streams(), FLUSHES)
def test_the_place_of_a_damaged_frame(
    data: st.DataObject, stream: tuple[Direction, list[Record]], flushes: list[bool]
) -> None:
    direction, records = stream
    whole = encode(records, direction, flushes)
    starts = sorted({piece.offset for piece in read(whole).pieces})
    number = data.draw(st.integers(0, len(starts) - 1))
    end = (*starts, len(whole))[number + 1]
    at = data.draw(st.integers(starts[number] + len(frames.MARKER), end - 1))
    bit = data.draw(st.integers(0, 7))
    done = read(whole[:at] + bytes((whole[at] ^ 1 << bit,)) + whole[at + 1 :])
    assert isinstance(done.error, RemoteProtocolError)
    # A record that spans frames is in the first of them, so a frame without the beginning of one is not in `starts`.
    assert starts[number] <= done.stream.offset <= at


@given(st.binary(max_size=2000), CHUNK_SIZES, st.booleans())
def test_any_bytes_at_all(data: bytes, sizes: list[int], with_preamble: bool) -> None:
    done = read((frames.encode_preamble() if with_preamble else b"") + data, sizes)
    assert isinstance(done.error, RemoteProtocolError)
    assert not [piece for piece in done.pieces if not isinstance(piece.item, Noise)]


@given(NOISE, DIRECTIONS)
def test_noise(noise: bytes, direction: Direction) -> None:
    stream = RawStream().records(Heartbeat(), Log(LogLevel.INFO, "x"))
    data = stream.data + noise
    stream.data = b""
    last = Job("x") if direction is Direction.JOB else Status(StatusName.RUNNING, NOW)
    data += stream.records(last).data
    taken = take(data, direction)
    done = read(data)
    assert [piece.item for piece in done.pieces if not isinstance(piece.item, Noise)] == taken.records
    found = [piece.item for piece in done.pieces if isinstance(piece.item, Noise)]
    assert [(item.offset, item.size) for item in found] == [(item.offset, item.size) for item in taken.noises]


def test_a_record_that_spans_frames_is_where_it_begins() -> None:
    records: list[Record] = [Log(LogLevel.INFO, "x" * size) for size in (10, frames.MAX_CONTENT + 5, 1, 1)]
    whole = encode([*records, Status(StatusName.SUCCESSFUL, NOW, rc=0)], Direction.RESULT, [False])
    first, large, after, last, _status, _end = read(whole).pieces
    assert (first.offset, first.at) == (frames.PREAMBLE_SIZE, 0)
    assert large.offset > first.offset, "a sender begins a frame with what does not fit"
    assert (large.at, large.size) == (0, len(codec.encode(records[1])))
    assert (large.size or 0) > frames.MAX_CONTENT
    assert after.offset > large.offset
    assert (last.offset, last.at) == (after.offset, after.at + (after.size or 0))


def test_records_of_a_newer_version_are_listed() -> None:
    unknown = record_bytes(200, b"12345", flags=codec.IGNORABLE)
    stream = RawStream().content(unknown + unknown + codec.encode(Job("x")) + unknown + codec.encode(Cancel("y")))
    pieces = read(stream.data).pieces
    job, size = len(codec.encode(Job("x"))), len(unknown)
    assert [(piece.item, piece.at, piece.size) for piece in pieces[:3]] == [
        (Skipped(2), 0, 2 * size),
        (Job("x"), 2 * size, job),
        (Skipped(1), 2 * size + job, size),
    ]
    assert (pieces[3].item, pieces[3].at) == (Cancel("y"), 3 * size + job)


def test_an_end_that_differs() -> None:
    stream = RawStream().records(Status(StatusName.SUCCESSFUL, NOW, rc=0))
    done = read(stream.end(records=7).data)
    assert done.stream.walker is not None
    assert done.stream.walker.end_differs
    assert "the End record says 7 records" in str(done.error)


def test_what_is_behind_the_end() -> None:
    whole = a_run(an_event(1))
    done = read(whole + b"Connection closed.\n", [7])
    assert (done.error, done.stream.behind_end) == (None, 19)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "the file is empty"),
        (b"ssh: no route to host\n", "expected a capture or a recording, got 22 bytes of other output"),
        (a_run()[: frames.PREAMBLE_SIZE], "in state 'start'"),
    ],
)
def test_what_is_no_stream(data: bytes, expected: str) -> None:
    assert expected in str(read(data).error)


def test_the_direction_of_a_part_of_a_record() -> None:
    assert direction_of(b"") is None
    assert direction_of(codec.encode(Heartbeat())[:3]) is None
    assert direction_of(codec.encode(Heartbeat()) + codec.encode(Job("x"))) is Direction.JOB
