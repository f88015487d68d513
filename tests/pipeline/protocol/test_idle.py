"""Records that carry nothing: a frame may have some of them and not a megabyte."""

from __future__ import annotations

import pytest

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.protocol import (
    NEED_DATA,
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Log,
    LogLevel,
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
