"""The job stream keeps its order, whichever of its two threads is ahead."""

from __future__ import annotations

import os
import threading

import pytest

from playstream.pipeline.protocol import FileData, FileEntry, FileType, Job, Noise, Record, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.transmit.job_writer import JobWriter
from tests.stages import read_records

TREE: list[Record] = [
    Job("1", tree=True, playbook="site.yml"),
    FileEntry(b"", FileType.DIRECTORY, 0o700, 0),
    FileEntry(b"large", FileType.FILE, 0o600, 0, 3 << 20),
    *[FileData(bytes(1 << 18))] * 12,
    TreeEnd(2, 3 << 20),
]


def test_a_thread_that_begins_late(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: threads.append(thread))  # noqa: PLW0108 - bound
        reading, writing = os.pipe()
        transmission = JobWriter(writing, keepalive_seconds=0, liveness_seconds=0)
    for record in TREE[:11]:  # what is collected before the thread has written a byte
        transmission.send(record)
    threads[0].start()
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.extend(iter(lambda: os.read(reading, 1 << 16), b"")))
    reader.start()
    for record in TREE[11:]:
        transmission.send(record)
    transmission.end()
    os.close(writing)
    reader.join()
    os.close(reading)
    records: list[Record | Noise] = read_records(b"".join(received), Direction.JOB)
    assert records[: len(TREE)] == TREE
