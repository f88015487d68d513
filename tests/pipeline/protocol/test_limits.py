"""A small stream cannot make its receiver use much memory."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zstandard

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.protocol import (
    NEED_DATA,
    FileData,
    FileEntry,
    FileType,
    Job,
    Receiver,
    Sender,
    Status,
    StatusName,
    codec,
    frames,
)
from playstream.pipeline.protocol.compression import MAX_WINDOW
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.wire import RawStream, record_bytes, take

MIB = 1 << 20


@contextmanager
def peak_below(limit: int) -> Iterator[None]:
    """Python's memory, and what zstandard takes from Python, stays below `limit` bytes.

    zstd's own memory is not traced. It is the window, which a header asks for and MAX_WINDOW bounds, and about
    200 KiB.
    """
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak} bytes were held at once"


def _framed(payload: bytes, content_size: int) -> bytes:
    return frames.encode_preamble() + frames.encode_frame(0, payload, content_size)


def _bomb(size: int, level: int = 1) -> bytes:
    stream = zstandard.ZstdCompressor(level=level).compressobj()
    return b"".join(stream.compress(bytes(MIB)) for _ in range(size // MIB)) + stream.flush(
        zstandard.COMPRESSOBJ_FLUSH_BLOCK
    )


@pytest.mark.parametrize("announced", [0, 100, MIB])
def test_a_bomb_is_refused_after_one_frames_worth(announced: int) -> None:
    data = _framed(_bomb(128 * MIB), announced)
    assert len(data) < 5000
    with peak_below(4 * MIB):
        message = take(data, Direction.RESULT).message
    assert f"holds more than the {announced} bytes of content" in message


def test_content_that_fills_a_frame_is_no_bomb() -> None:
    data = _framed(_bomb(MIB), MIB)
    assert "unknown kind 0" in take(data, Direction.RESULT).message


def test_a_frame_that_holds_less_than_it_announced() -> None:
    data = RawStream().content(b"abc", announced=10).data
    assert "7 bytes of content less than the 10" in take(data, Direction.RESULT).message


@pytest.mark.parametrize(
    ("payload_size", "content_size"),
    [(frames.MAX_PAYLOAD + 1, 0), (0, frames.MAX_CONTENT + 1), (2**32 - 1, 2**32 - 1)],
)
def test_a_frame_that_announces_too_much_is_refused_at_its_header(payload_size: int, content_size: int) -> None:
    fields = frames.HEADER.pack(frames.MARKER, 0, payload_size, content_size, 0)
    checksum = frames.CHECKSUM.pack(zlib.crc32(fields))
    message = take(frames.encode_preamble() + fields + checksum, Direction.RESULT).message
    assert f"announces {payload_size} bytes of payload and {content_size} of content" in message


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        (codec.Kind.JOB, codec.MAX_RECORD),
        (codec.Kind.EVENT, codec.MAX_RECORD),
        (200, codec.MAX_RECORD),
        (codec.Kind.FILE_DATA, frames.MAX_CONTENT),
        (codec.Kind.STATUS, codec.MAX_MESSAGE),
        (codec.Kind.LOG, codec.MAX_MESSAGE),
        (codec.Kind.FAILURE, codec.MAX_MESSAGE),
        (codec.Kind.CANCEL, codec.MAX_MESSAGE),
        (codec.Kind.OFFER, codec.MAX_MESSAGE),
        (codec.Kind.WANT, codec.MAX_MESSAGE),
        (codec.Kind.LISTING, codec.MAX_RECORD),
        (codec.Kind.CONTENT, 1 + frames.MAX_CONTENT),
    ],
)
def test_a_record_that_announces_too_much_is_refused_at_its_header(kind: int, limit: int) -> None:
    data = RawStream().content(record_bytes(kind, b"", flags=codec.IGNORABLE, size=limit + 1)).data
    with peak_below(2 * MIB):
        message = take(data, Direction.RESULT).message
    assert f"announces {limit + 1} bytes: at most {limit} are accepted" in message
    data = RawStream().content(record_bytes(kind, b"", flags=codec.IGNORABLE, size=limit)).data
    assert "before its End record" in take(data, Direction.RESULT).message


def test_a_receiver_can_be_told_to_take_less() -> None:
    stream = RawStream().records(Status(StatusName.RUNNING, "x" * 100))
    assert take(stream.data, Direction.RESULT, max_record=200).records
    assert "at most 100 are accepted" in take(stream.data, Direction.RESULT, max_record=100).message


def test_json_of_small_objects_does_not_multiply() -> None:
    """64 MiB of `{},` travel in 7 KiB and take 1.6 GiB when parsed, so only a Job may be that large."""
    size = 64 * MIB
    sender_content = b'{"command":[' + b"{}," * ((size - 20) // 3)
    stream = RawStream().content(record_bytes(codec.Kind.STATUS, b"", size=size))
    for start in range(0, 8 * MIB, MIB):
        stream.content(sender_content[start : start + MIB])
    with peak_below(8 * MIB):
        assert "at most" in take(stream.data, Direction.RESULT, (65536,)).message


@pytest.mark.parametrize("within", ["before the preamble", "between frames"])
def test_endless_noise_is_not_kept(within: str) -> None:
    receiver = Receiver(Direction.RESULT)
    if within == "between frames":
        receiver.receive_data(frames.encode_preamble())
    fed = 0

    def feed_for_ever() -> None:
        nonlocal fed
        while True:
            receiver.receive_data(b"\xf5\x00P" * 20_000)
            fed += 60_000
            assert receiver.next_record() is NEED_DATA

    with peak_below(MIB), pytest.raises(RemoteProtocolError):
        feed_for_ever()
    assert fed <= frames.MAX_NOISE + 60_000


def test_what_comes_after_an_error_is_not_kept() -> None:
    receiver = Receiver(Direction.RESULT)
    receiver.receive_data(RawStream().content(record_bytes(99, b"")).data)
    with pytest.raises(RemoteProtocolError):
        receiver.next_record()
    more = bytes(MIB)
    with peak_below(2 * MIB):
        for _ in range(8):
            receiver.receive_data(more)


def test_a_window_over_the_limit_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=MAX_WINDOW.bit_length())
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    payload = stream.compress(b"abc") + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    message = take(_framed(payload, 3), Direction.RESULT).message
    assert "not valid zstd" in message
    assert "too much memory" in message


def test_a_large_tree_is_received_in_little_memory() -> None:
    sender = Sender(Direction.JOB)
    receiver = Receiver(Direction.JOB)
    receiver.receive_data(sender.send(Job("a", tree=True)))
    receiver.receive_data(sender.send(FileEntry(b"a", FileType.FILE, 0, 0, 64 * MIB)))
    piece = FileData(bytes(256 * 1024))
    received = 0
    with peak_below(8 * MIB):
        for _ in range(256):
            receiver.receive_data(sender.send(piece, flush=False))
            while (record := receiver.next_record()) is not NEED_DATA:
                received += isinstance(record, FileData)
    assert received >= 252


def test_deep_json_is_refused() -> None:
    """How deep is too deep differs between versions of Python; this is too deep for all."""
    depth = 500_000
    text = '{"ident":"a","extravars":{"a":' + "[" * depth + "]" * depth + "}}"
    stream = RawStream().content(record_bytes(codec.Kind.JOB, text.encode()))
    assert "not valid JSON" in take(stream.data, Direction.JOB).message
