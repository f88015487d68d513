"""Records as bytes: the binary layouts, and what a sender refuses to encode."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import LocalProtocolError, RemoteProtocolError
from playstream.pipeline.protocol import (
    Cancel,
    Content,
    End,
    Event,
    Failure,
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Hello,
    Input,
    Job,
    KeyMode,
    Listing,
    Log,
    LogLevel,
    Offer,
    Ping,
    Pong,
    Prompt,
    Record,
    Resize,
    Status,
    StatusName,
    TreeEnd,
    Want,
    codec,
    frames,
)
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.strategies import RECORDS
from tests.pipeline.protocol.wire import RawStream, record_bytes, take

ENTRY = FileEntry(b"a/b", FileType.SYMLINK, 0o4751, -1, 0x0102, 3, b"to")
ENTRY_BYTES = bytes.fromhex("0400 20000000  03 e909 ffffffffffffffff 0201000000000000 03000000 0300 0200") + b"a/bto"


@given(st.sampled_from(list(RECORDS.values())).flatmap(lambda records: records))
def test_every_record_survives(record: Record) -> None:
    data = codec.encode(record)
    kind, flags, size = codec.RECORD.unpack_from(data)
    assert size == len(data) - codec.RECORD.size
    assert codec.decode(kind, flags, data[codec.RECORD.size :]) == record
    ignorable = type(record) in {Log, Heartbeat, Hello, Ping, Pong, Input, Resize, Prompt, Want}
    assert flags == (codec.IGNORABLE if ignorable else 0)


@pytest.mark.parametrize(
    ("record", "data"),
    [
        (ENTRY, ENTRY_BYTES),
        (FileData(b"xyz"), b"\x05\x00\x03\x00\x00\x00xyz"),
        (Event(258, b"{}"), b"\x03\x00\x0a\x00\x00\x00\x02\x01" + bytes(6) + b"{}"),
        (Ping(258, b"xyz"), b"\x0d\x01\x0b\x00\x00\x00\x02\x01" + bytes(6) + b"xyz"),
        (Input(258, b"xyz"), b"\x0f\x01\x0b\x00\x00\x00\x02\x01" + bytes(6) + b"xyz"),
        (Listing(b"D"), b"\x13\x00\x01\x00\x00\x00D"),
        (Want(True, since=b"xyz"), b"\x14\x01\x05\x00\x00\x00\x01\x03xyz"),
        (Want(True), b"\x14\x01\x02\x00\x00\x00\x01\x00"),
        (Want(False, contents=b"\x05"), b"\x14\x01\x03\x00\x00\x00\x00\x00\x05"),
        (Content(b"xyz"), b"\x15\x00\x04\x00\x00\x00\x00xyz"),
        (Content(b"xyz", changed=True), b"\x15\x00\x04\x00\x00\x00\x01xyz"),
        (Heartbeat(), b"\x08\x01\x02\x00\x00\x00{}"),
        (Cancel("a\n\u20ac"), b'\x09\x00\x16\x00\x00\x00{"reason":"a\\n\\u20ac"}'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layouts(record: Record, data: bytes) -> None:
    assert codec.encode(record) == data
    assert codec.decode(data[0], data[1], data[6:]) == record


@pytest.mark.parametrize("size", [*range(len(ENTRY_BYTES) - 6), len(ENTRY_BYTES) - 5, len(ENTRY_BYTES) + 40])
def test_a_file_entry_of_another_size_is_refused(size: int) -> None:
    payload = (ENTRY_BYTES[6:] + bytes(60))[:size]
    with pytest.raises(RemoteProtocolError, match="file entry"):
        codec.decode(codec.Kind.FILE_ENTRY, 0, payload)


@pytest.mark.parametrize(
    ("offset", "value", "expected"), [(0, 0, "type 0"), (0, 5, "type 5"), (0, 255, "type 255"), (2, 0x10, "mode 10351")]
)
def test_a_file_entry_with_a_type_or_mode_that_does_not_exist(offset: int, value: int, expected: str) -> None:
    payload = bytearray(ENTRY_BYTES[6:])
    payload[offset] = value
    with pytest.raises(RemoteProtocolError, match=expected):
        codec.decode(codec.Kind.FILE_ENTRY, 0, bytes(payload))


@pytest.mark.parametrize("size", range(8))
def test_an_event_without_room_for_its_counter_is_refused(size: int) -> None:
    with pytest.raises(RemoteProtocolError, match=f"an event of {size} bytes is too short"):
        codec.decode(codec.Kind.EVENT, 0, bytes(size))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01",
        b"\x02\x00",
        b"\xff\x00",
        b"\x01\x01",
        b"\x01\x00x",
        b"\x01\x03xy",
        b"\x01\x03xyz1",
        b"\x01\x41" + bytes(65),
        b"\x00\x01x",
    ],
)
def test_a_question_that_is_neither_for_listings_nor_for_contents(payload: bytes) -> None:
    with pytest.raises(
        RemoteProtocolError, match=f"a record Want of {len(payload)} bytes is not well formed: expected"
    ):
        codec.decode(codec.Kind.WANT, 0, payload)


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\x02x", b"\xff" + bytes(100)])
def test_a_content_is_changed_or_not(payload: bytes) -> None:
    with pytest.raises(
        RemoteProtocolError, match=f"Content of {len(payload)} bytes is not well formed: expected 0 or 1"
    ):
        codec.decode(codec.Kind.CONTENT, 0, payload)


def test_representations_have_no_bytes_of_files() -> None:
    assert repr(Listing(b"secret")) == "Listing(6 bytes)"
    assert repr(Content(b"secret", changed=True)) == "Content(6 bytes)"
    assert repr(Want(True, since=bytes(32))) == "Want(listings)"
    assert repr(Want(False, contents=b"\x05\x80")) == "Want(3 contents)"


UNSENDABLE: list[Any] = [
    Event(-1, b"{}"),
    Event(2**64, b"{}"),
    FileData(bytes(frames.MAX_CONTENT + 1)),
    FileEntry(b"", FileType.FILE, 0o100644, 0),
    FileEntry(b"", FileType.FILE, -1, 0),
    FileEntry(b"", FileType.FILE, 0, 2**63),
    FileEntry(b"", FileType.FILE, 0, 0, -1),
    FileEntry(b"", FileType.FILE, 0, 0, 0, 2**32),
    FileEntry(bytes(65536), FileType.FILE, 0, 0),
    FileEntry(b"", 5, 0, 0),  # type: ignore[arg-type]
    Status("runing", ""),  # type: ignore[arg-type]
    Status(StatusName.RUNNING, "", rc="0"),  # type: ignore[arg-type]
    Status(StatusName.RUNNING, "", rc=2**63),
    Status(StatusName.RUNNING, "", command="ls"),  # type: ignore[arg-type]
    Status(StatusName.RUNNING, "", env={"A": 1}),  # type: ignore[dict-item]
    Log(LogLevel.INFO, None),  # type: ignore[arg-type]
    Failure("E", "x" * codec.MAX_MESSAGE),
    Job("a", extravars={"a": float("nan")}),
    Job("a", extravars={"a": float("inf")}),
    Job("a", extravars={"a": object()}),
    Job("a", extravars={"a": b"bytes"}),
    Job("a", extravars={1: "a", "1": "b"}),  # type: ignore[dict-item]
    Job("a", tree=1),  # type: ignore[arg-type]
    Offer(bytes(31), "blake2b", 1, 0),
    Offer(bytes(32), "blake2b", 2**63, 0),
    Offer(bytes(32), "blake2b", 1, 0, (bytes(32),)),  # type: ignore[arg-type]
    Want(True, since=bytes(65)),
    Want(True, contents=b"\x01"),
    Want(False, since=bytes(32)),
    Want(False, contents=bytes(codec.MAX_MESSAGE)),
    Want(2),  # type: ignore[arg-type]
    Content(bytes(frames.MAX_CONTENT + 1)),
    Content(b"x", changed=2),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("record", UNSENDABLE, ids=lambda record: repr(record)[:60])
def test_what_no_receiver_would_take_is_not_sent(record: Record) -> None:
    with pytest.raises(LocalProtocolError, match="cannot be sent"):
        codec.encode(record)


@pytest.mark.parametrize("kind", [0, 22, 100, 255])
def test_an_unknown_critical_record_asks_for_an_update(kind: int) -> None:
    for flags in (0, 0xFE):
        message = take(RawStream().content(record_bytes(kind, b"{}", flags=flags)).data, Direction.JOB).message
        assert f"received a record of unknown kind {kind}" in message
        assert "The other side is newer; update this side" in message


def test_reserved_flags_of_a_known_record_are_ignored() -> None:
    data = record_bytes(codec.Kind.JOB, b'{"ident":"a"}', flags=0xFE)
    assert take(RawStream().content(data).data, Direction.JOB).records == [Job("a")]


def test_kinds_are_never_renumbered() -> None:
    numbers = {Job: 1, Status: 2, Event: 3, FileEntry: 4, FileData: 5, TreeEnd: 6, Log: 7, Heartbeat: 8, Cancel: 9}
    numbers |= {Failure: 10, End: 11, Hello: 12, Ping: 13, Pong: 14}
    numbers |= {Input: 15, Resize: 16, Prompt: 17}
    numbers |= {Offer: 18, Listing: 19, Want: 20, Content: 21}
    assert set(numbers) == set(RECORDS)
    assert sorted(numbers.values()) == sorted(codec.Kind)
    samples: list[Record] = [Job("a"), Status(StatusName.RUNNING, ""), Event(1, b""), ENTRY, FileData(b"")]
    samples += [TreeEnd(1, 0), Log(LogLevel.INFO, ""), Heartbeat(), Cancel(""), Failure("", ""), End(0, 0, bytes(32))]
    samples += [Hello(1, "0.1.0"), Ping(1), Pong(1), Input(1), Resize(), Prompt(1, KeyMode.NONE)]
    samples += [Offer(bytes(32), "", 1, 0), Listing(b""), Want(True), Content(b"")]
    assert {type(record): codec.encode(record)[0] for record in samples} == numbers
