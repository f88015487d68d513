"""The bytes of a job do not depend on which thread is ahead, so that two captures of one job are the same."""

from __future__ import annotations

import os
import threading

import pytest

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import LinkError
from playstream.pipeline.io.mailbox import Mailbox
from playstream.pipeline.outbox import Outbox
from playstream.pipeline.protocol import FileData, FileEntry, FileType, Job, Noise, Record, TreeEnd
from playstream.pipeline.protocol.order import Direction
from tests.stages import read_records

TREE: list[Record] = [
    Job("1", tree=True, playbook="site.yml"),
    FileEntry(b"", FileType.DIRECTORY, 0o700, 0),
    FileEntry(b"large", FileType.FILE, 0o600, 0, 3 << 20),
    *[FileData(os.urandom(1 << 18))] * 12,
    TreeEnd(2, 3 << 20),
]


def send(begin_after: int, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return what is written for TREE if the outbox's thread begins after so many records."""
    reading, writing = os.pipe()
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.extend(iter(lambda: os.read(reading, 1 << 16), b"")))
    reader.start()
    threads: list[threading.Thread] = []
    mailbox = Mailbox[Record | bytes]()
    outbox = Outbox(mailbox, writing, Direction.JOB, keepalive_seconds=0, liveness_seconds=0, cancellation=None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: threads.append(thread))  # noqa: PLW0108 - bound
        outbox.start(Dialect.PLAYSTREAM)
    for number, record in enumerate(TREE):
        if number == begin_after:
            threads[0].start()
        outbox.send(record, lambda: None)
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
