"""Records that carry nothing: a frame may have some of them and not a megabyte."""

from __future__ import annotations

import pytest

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.protocol import (
    NEED_DATA,
    Content,
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Job,
    Listing,
    Log,
    LogLevel,
    Offer,
    Receiver,
    Record,
    Sender,
    Status,
    StatusName,
    codec,
)
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.protocol.record_reader import MAX_IDLE

NOW = "2026-01-01T00:00:00+00:00"
BEFORE: tuple[Record, ...] = (
    Status(StatusName.FAILED, NOW, rc=1),
    FileEntry(b"", FileType.DIRECTORY, 0o700, 0),
    FileEntry(b"file", FileType.FILE, 0o600, 0, 2000),
)
IDLE = {
    "heartbeats": codec.encode(Heartbeat()),
    "unknown kinds": codec.RECORD.pack(200, codec.IGNORABLE, 3) + b"new",
    "data without bytes": codec.encode(FileData(b"")),
    "lines without text": codec.encode(Log(LogLevel.INFO, "")),
}


def receive(content: bytes) -> int:
    """How many records of one frame come, behind those that make every kind possible."""
    sender = Sender(Direction.RESULT)
    receiver = Receiver(Direction.RESULT)
    receiver.receive_data(b"".join(map(sender.send, BEFORE)) + sender.frame(content))
    count = 0
    while receiver.next_record() is not NEED_DATA:
        count += 1
    return count - len(BEFORE)


@pytest.mark.parametrize("idle", IDLE.values(), ids=IDLE)
def test_too_many(idle: bytes) -> None:
    receive(idle * MAX_IDLE)
    with pytest.raises(RemoteProtocolError, match="more than 100 empty records"):
        receive(idle * (MAX_IDLE + 1))


def test_each_frame_may_have_as_many() -> None:
    sender = Sender(Direction.RESULT)
    receiver = Receiver(Direction.RESULT)
    for _ in range(3):
        receiver.receive_data(sender.flush() + sender.frame(IDLE["heartbeats"] * MAX_IDLE))
    records = 0
    while receiver.next_record() is not NEED_DATA:
        records += 1
    assert records == 3 * MAX_IDLE


def test_what_carries_something_is_not_counted() -> None:
    assert receive(codec.encode(FileData(b"x")) * (MAX_IDLE + 1)) == MAX_IDLE + 1
    assert receive(codec.encode(Log(LogLevel.INFO, "x")) * (MAX_IDLE + 1)) == MAX_IDLE + 1


@pytest.mark.parametrize("cls", [Listing, Content])
def test_an_offered_tree_of_small_objects_fills_frames(cls: type[Listing] | type[Content]) -> None:
    sender = Sender(Direction.JOB)
    receiver = Receiver(Direction.JOB)
    receiver.receive_data(sender.send(Job("a", tree=True)) + sender.send(Offer(bytes(32), "blake2b", 1, 0)))
    receiver.receive_data(sender.frame(codec.encode(cls(b"x")) * 1000 + codec.encode(cls(b"")) * (MAX_IDLE + 1)))
    for _ in range(2 + 1000 + MAX_IDLE):
        assert receiver.next_record() is not NEED_DATA
    with pytest.raises(RemoteProtocolError, match="more than 100 empty records"):
        receiver.next_record()
