"""The bytes of a job do not depend on which thread is ahead, so that two captures of one job are the same."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable, Iterator

import pytest

from playstream.pipeline import outbox as outbox_module
from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import LinkError
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.io.stdio import OutputLayer
from playstream.pipeline.outbox import Outbox
from playstream.pipeline.protocol import (
    NEED_DATA,
    Event,
    FileData,
    FileEntry,
    FileType,
    Job,
    Noise,
    Offer,
    Receiver,
    Record,
    Status,
    StatusName,
    TreeEnd,
    Want,
)
from playstream.pipeline.protocol.order import Direction
from tests.processes import wait_until
from tests.stages import read_records

NOW = "2026-11-21T10:00:00+00:00"

TREE: list[Record] = [
    Job("1", tree=True, playbook="site.yml"),
    FileEntry(b"", FileType.DIRECTORY, 0o700, 0),
    FileEntry(b"large", FileType.FILE, 0o600, 0, 3 << 20),
    *[FileData(os.urandom(1 << 18))] * 12,
    TreeEnd(2, 3 << 20),
]


def send(begin_after: int, monkeypatch: pytest.MonkeyPatch, layer: OutputLayer | None = None) -> bytes:
    """Return what is written for TREE if the outbox's thread begins after so many records."""
    reading, writing = os.pipe()
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.extend(iter(lambda: os.read(reading, 1 << 16), b"")))
    reader.start()
    threads: list[threading.Thread] = []
    mailbox = Mailbox[Record | bytes]()
    outbox = Outbox(
        mailbox, writing, Direction.JOB, keepalive_seconds=0, liveness_seconds=0, cancellation=None, layer=layer
    )
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: threads.append(thread))  # noqa: PLW0108 - bound
        outbox.start(Dialect.PLAYSTREAM)
    for number, record in enumerate(TREE):
        if number == begin_after:
            threads[0].start()
        outbox.send(record, lambda: None)
    if begin_after == len(TREE):
        threads[0].start()
    outbox.close()
    assert mailbox.error is None
    os.close(writing)
    reader.join()
    os.close(reading)
    return b"".join(received)


def test_a_thread_that_begins_late(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = send(0, monkeypatch)
    records: list[Record | Noise] = read_records(at_once, Direction.JOB)
    assert records[: len(TREE)] == TREE
    assert send(len(TREE) - 1, monkeypatch) == at_once
    assert send(7, monkeypatch) == at_once
    assert send(len(TREE), monkeypatch) == at_once


class _Layer:
    """A layer that keeps what is not flushed, and shows the flushes."""

    def __init__(self, gather_seconds: float) -> None:
        self.gather_seconds = gather_seconds
        self.flushes: list[bytes] = []
        self._kept = b""

    def wrap(self, data: Iterable[bytes], *, flush: bool, last: bool = False) -> Iterator[bytes]:
        self._kept += b"".join(data)
        if self._kept and (flush or last):
            self.flushes.append(self._kept)
            yield self._kept
            self._kept = b""


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(("gather_seconds", "expected"), [(0.0, 3), (3600.0, 1)])
def test_a_layer_whose_flushes_cost_much_gets_fewer(
    monkeypatch: pytest.MonkeyPatch, dialect: Dialect, gather_seconds: float, expected: int
) -> None:
    monkeypatch.setattr(outbox_module, "GATHER_SECONDS", 0.0)
    mailbox = Mailbox[Record]()
    reading, writing = os.pipe()
    layer = _Layer(gather_seconds)
    outbox = Outbox(
        mailbox,
        writing,
        Direction.RESULT,
        keepalive_seconds=0,
        liveness_seconds=0,
        cancellation=None,
        layer=layer,
    )
    outbox.start(dialect)
    records: list[Record] = [Status(StatusName.STARTING, NOW), Status(StatusName.RUNNING, NOW), Event(1, b"{}")]
    for number, record in enumerate(records, 1):
        mailbox.put(record)
        wait_until(lambda: mailbox.empty and (expected == 1 or len(layer.flushes) >= number))  # noqa: B023
    mailbox.put(Status(StatusName.SUCCESSFUL, NOW, rc=0))
    outbox.close()
    os.close(writing)
    sent = b"".join(iter(lambda: os.read(reading, 1 << 16), b""))
    os.close(reading)
    assert mailbox.error is None
    assert sent == b"".join(layer.flushes)
    assert len(layer.flushes) == 1 if expected == 1 else len(layer.flushes) >= expected


def test_a_layer_gets_at_once_what_has_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link was slower than the packing: the flushes are fewer."""
    layer = _Layer(0.0)
    sent = send(len(TREE), monkeypatch, layer)
    assert len(layer.flushes) == 3, "the preamble, which is sent at once; what has gathered; the end"
    assert sent == b"".join(layer.flushes)
    assert read_records(sent, Direction.JOB)[: len(TREE)] == TREE


def test_an_error_of_the_system_reaches_the_stage() -> None:
    """The thread must not end without a word: the stage would take that for success."""
    mailbox = Mailbox[Record | bytes]()
    reading, writing = os.pipe()
    os.close(writing)
    outbox = Outbox(mailbox, reading, Direction.JOB, keepalive_seconds=0, liveness_seconds=0, cancellation=None)
    outbox.start(Dialect.PLAYSTREAM)
    outbox.close()  # writing to the end for reading fails
    os.close(reading)
    assert isinstance(mailbox.error, LinkError)


def read_beginning(reading: int, direction: Direction, count: int) -> list[Record | Noise]:
    """Return the first records of a stream that is still open."""
    receiver = Receiver(direction)
    found: list[Record | Noise] = []
    while len(found) < count:
        assert select.select([reading], [], [], 60)[0], f"nothing comes after {found}"
        receiver.receive_data(os.read(reading, 1 << 16))
        while (item := receiver.next_record()) is not NEED_DATA:
            found.append(item)
    return found


@pytest.mark.parametrize(
    ("direction", "records"),
    [
        (Direction.JOB, [TREE[0], Offer(bytes(32), "blake2b", 1, 0)]),
        (Direction.RESULT, [Want(True), Want(False)]),
    ],
)
def test_what_the_other_side_answers_is_sent_at_once(
    monkeypatch: pytest.MonkeyPatch, direction: Direction, records: list[Record]
) -> None:
    monkeypatch.setattr(outbox_module, "GATHER_SECONDS", 3600.0)
    reading, writing = os.pipe()
    mailbox = Mailbox[Record | bytes]()
    outbox = Outbox(mailbox, writing, direction, keepalive_seconds=0, liveness_seconds=0, cancellation=None)
    outbox.start(Dialect.PLAYSTREAM)
    for record in records:
        if direction is Direction.JOB:
            outbox.send(record, lambda: None)
        else:
            mailbox.put(record)
    assert read_beginning(reading, direction, len(records)) == records
    outbox.drop()
    os.close(reading)
    os.close(writing)
