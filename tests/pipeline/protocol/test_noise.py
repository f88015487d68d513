"""Foreign bytes before the preamble and between frames are skipped and reported."""

from __future__ import annotations

import pytest
from hypothesis import assume, given

from playstream.pipeline.protocol import Job, Noise, Record, Sender, Status, StatusName, frames
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.strategies import CHUNK_SIZES, NOISE, streams
from tests.pipeline.protocol.wire import BYTE_BY_BYTE, WHOLE, encode, take

BANNER = b"\x1b[1mWelcome to host\x1b[0m\r\nLast login: today\r\n"
RUNNING = Status(StatusName.RUNNING, "")
DONE = Status(StatusName.SUCCESSFUL, "", rc=0)


def _harmless(noise: bytes, token: bytes) -> bool:
    """True if the token first occurs where it belongs, right after the noise."""
    return (noise + token).find(token) == len(noise)


@given(NOISE, streams(Direction.RESULT), CHUNK_SIZES)
def test_noise_before_the_preamble(noise: bytes, records: list[Record], sizes: list[int]) -> None:
    assume(_harmless(noise, frames.MAGIC_START))
    for cut in (sizes, WHOLE, BYTE_BY_BYTE):
        taken = take(noise + encode(records, Direction.RESULT), Direction.RESULT, cut)
        assert taken.error is None
        assert taken.items[0] == Noise(noise[: frames.SHOWN], len(noise), 0)
        assert taken.items[1:-1] == records


@given(NOISE, NOISE, streams(Direction.RESULT, max_size=5), CHUNK_SIZES)
def test_noise_around_frames(first: bytes, noise: bytes, records: list[Record], sizes: list[int]) -> None:
    assume(_harmless(first, frames.MAGIC_START) and _harmless(noise, frames.MARKER))
    sender = Sender(Direction.RESULT)
    pieces = [first + sender.flush(), *(sender.send(record) for record in records), sender.end()]
    expected = [Noise(first[: frames.SHOWN], len(first), 0)]
    data = b""
    for piece in pieces:
        if data:
            expected.append(Noise(noise[: frames.SHOWN], len(noise), len(data)))
            data += noise
        data += piece
    for cut in (sizes, WHOLE, BYTE_BY_BYTE):
        taken = take(data, Direction.RESULT, cut)
        assert taken.error is None
        assert taken.records[:-1] == records
        assert taken.noises == expected


@pytest.mark.parametrize("sizes", [WHOLE, BYTE_BY_BYTE, (128,), (100, 1)])
def test_long_noise_is_shown_by_its_beginning(sizes: tuple[int, ...]) -> None:
    noise = bytes(range(128, 240)) * 30
    taken = take(noise + encode([RUNNING, DONE], Direction.RESULT), Direction.RESULT, sizes)
    assert taken.noises == [Noise(noise[:128], len(noise), 0)]
    assert RUNNING in taken.items


@pytest.mark.parametrize("count", [1, 3, 11])
def test_a_false_start_of_the_preamble_is_noise(count: int) -> None:
    noise = frames.MAGIC_START[:count] * 3
    taken = take(noise + encode([Job("a")], Direction.JOB), Direction.JOB, BYTE_BY_BYTE)
    assert taken.noises == [Noise(noise, len(noise), 0)]
    assert taken.records[0] == Job("a")


def test_noise_up_to_the_limit_is_skipped_and_one_byte_more_is_an_error() -> None:
    data = encode([RUNNING, DONE], Direction.RESULT)
    most = b"x" * frames.MAX_NOISE
    assert take(most + data, Direction.RESULT, (65536,)).noises[0].size == frames.MAX_NOISE
    for sizes in (WHOLE, (65536,)):
        message = take(most + b"x" + data, Direction.RESULT, sizes).message
        assert f"{frames.MAX_NOISE + 1} bytes that are not part of a stream" in message
        assert "expected a preamble" in message
        assert "Another program probably writes to the same pipe" in message


def test_too_much_noise_between_frames_names_the_frame() -> None:
    sender = Sender(Direction.RESULT)
    data = sender.send(RUNNING) + b"tick\n" * 300_000
    assert "expected frame 1 within" in take(data, Direction.RESULT, (65536,)).message


def test_a_banner_before_a_job_is_shown_but_what_stands_between_its_frames_is_not() -> None:
    """Between the frames of a job may be the rest of a damaged one, with a password inside."""
    sender = Sender(Direction.JOB)
    start = BANNER + sender.send(Job("a"))
    taken = take(start + BANNER + sender.end(), Direction.JOB)
    assert taken.error is None
    assert taken.noises == [Noise(BANNER, len(BANNER), 0), Noise(b"", len(BANNER), len(start))]
