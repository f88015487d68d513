"""Preamble and frame headers: each byte of them, damaged."""

from __future__ import annotations

import pytest

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import Noise, Sender, Status, StatusName, frames
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.wire import BYTE_BY_BYTE, WHOLE, encode, take

RECORDS = [Status(StatusName.RUNNING, ""), Status(StatusName.FAILED, "", rc=2, explanation="x" * 50)]
DATA = encode(RECORDS, Direction.RESULT)
PREAMBLE = frames.encode_preamble()
START = frames.PREAMBLE_SIZE


def _flip(data: bytes, offset: int, bits: int = 0x04) -> bytes:
    return data[:offset] + bytes([data[offset] ^ bits]) + data[offset + 1 :]


def test_the_sizes_that_other_implementations_rely_on() -> None:
    assert (frames.PREAMBLE_SIZE, frames.HEADER_SIZE) == (20, 24)
    assert bytes.fromhex("f500706c617973747265616d0d0a1a0a01020000") == PREAMBLE


@pytest.mark.parametrize("bits", [0x01, 0x80])
@pytest.mark.parametrize("offset", range(frames.PREAMBLE_SIZE))
def test_every_byte_of_the_preamble(offset: int, bits: int) -> None:
    taken = take(_flip(DATA, offset, bits), Direction.RESULT)
    if offset < 12:
        assert type(taken.error) is IncompleteStream
        assert f"only {len(DATA)} bytes of other output" in taken.message
    elif offset < 16:
        assert "altered in transit: expected b'\\xf5\\x00playstream\\r\\n\\x1a\\n', got" in taken.message
    elif offset == 16:
        assert "of the protocol, this side version 1" in taken.message
    else:
        assert taken.error is None, "minor version and reserved bytes do not matter"
        assert taken.records[:-1] == RECORDS


@pytest.mark.parametrize(("major", "older"), [(0, "the other"), (2, "this"), (255, "this")])
def test_another_major_version_says_which_side_to_update(major: int, older: str) -> None:
    data = PREAMBLE[:16] + bytes([major]) + DATA[17:]
    assert f"version {major} of the protocol" in take(data, Direction.RESULT).message
    assert f"Update playstream on {older} side" in take(data, Direction.RESULT).message


@pytest.mark.parametrize(
    ("old", "new"), [(b"\n", b"\r\n"), (b"\r", b"\n"), (b"\r\n", b"\n"), (b"\x1a", b""), (b"\r", b"")]
)
@pytest.mark.parametrize("sizes", [WHOLE, BYTE_BY_BYTE])
def test_a_terminal_on_the_way_is_recognised(old: bytes, new: bytes, sizes: tuple[int, ...]) -> None:
    taken = take(DATA.replace(old, new), Direction.RESULT, sizes)
    assert taken.items == []
    assert "A terminal in between probably rewrites line endings; call ssh without -t" in taken.message


@pytest.mark.parametrize("sizes", [WHOLE, BYTE_BY_BYTE])
@pytest.mark.parametrize("offset", range(frames.HEADER_SIZE))
def test_every_byte_of_a_header(offset: int, sizes: tuple[int, ...]) -> None:
    taken = take(_flip(DATA, START + offset), Direction.RESULT, sizes)
    assert taken.records == []
    if offset < len(frames.MARKER):
        first = taken.noises[0]
        assert (first.offset, first.data[:24]) == (START, _flip(DATA, START + offset)[START : START + 24])
        assert f"expected frame 0 at byte {START + first.size}, got frame 1" in taken.message
    else:
        assert f"frame header damaged at byte {START}: expected checksum" in taken.message
        assert "The stream was altered in transit" in taken.message


@pytest.mark.parametrize("bits", [0x01, 0x80])
def test_every_byte_of_a_payload(bits: int) -> None:
    first = START + frames.HEADER_SIZE
    _, _, size, _, _ = frames.HEADER.unpack_from(DATA, START)
    for offset in range(first, first + size):
        taken = take(_flip(DATA, offset, bits), Direction.RESULT)
        assert taken.records == []
        assert f"payload of frame 0 damaged at byte {first}: expected checksum" in taken.message


def test_something_printed_into_a_frame_is_an_error_that_shows_128_bytes() -> None:
    inside = START + frames.HEADER_SIZE + 5
    printed = b"\x1b[31mWARNING: disk full\x1b[0m\n"
    taken = take(DATA[:inside] + printed + DATA[inside:], Direction.RESULT)
    assert isinstance(taken.error, RemoteProtocolError)
    assert r"\x1b[31mWARNING: disk full\x1b[0m\n" in taken.message
    assert "printed into it" in taken.message
    assert "\x1b" not in taken.message
    assert len(taken.message) < 1000


def test_noise_that_looks_like_a_frame_is_an_error() -> None:
    sender = Sender(Direction.RESULT)
    data = sender.send(RECORDS[0]) + frames.MARKER + sender.send(RECORDS[1]) + sender.end()
    assert "frame header damaged" in take(data, Direction.RESULT).message


def test_sequence_numbers_start_again_after_32_bits() -> None:
    sender = Sender(Direction.RESULT)
    sender._sequence = 0xFFFFFFFF
    data = sender.send(RECORDS[0]) + sender.send(RECORDS[1])
    places = [place for place in range(len(data)) if data.startswith(frames.MARKER, place)]
    assert [frames.HEADER.unpack_from(data, place)[1] for place in places] == [0xFFFFFFFF, 0]


def test_a_preamble_in_the_middle_is_noise() -> None:
    sender = Sender(Direction.RESULT)
    data = sender.send(RECORDS[0]) + PREAMBLE + sender.send(RECORDS[1]) + sender.end()
    taken = take(data, Direction.RESULT)
    assert taken.error is None
    assert [noise.data for noise in taken.items if isinstance(noise, Noise)] == [PREAMBLE]
