"""A stage that writes to a TCP socket hears at once that its reader has left, and takes no half-closed one for that."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from playstream.pipeline.protocol import NEED_DATA, End, Heartbeat, Job, Noise, Receiver, Record, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.runner_dialect.wire import END, archive, carry, line
from tests.processes import marked_processes
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.hostile.streams import KWARGS, native, zipped

SELDOM = ("--keepalive-seconds", "1000", "--liveness-seconds", "0")
"""Longer than any test takes."""
SCRIPT = 'echo "begun"; read line < "{fifo}"'


@contextmanager
def tcp() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    with ours, theirs:
        yield ours, theirs


class Reader:
    """The records of a worker that come on a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._receiver = Receiver(Direction.RESULT)

    def next(self) -> Record:
        while True:
            record = self._receiver.next_record()
            if record is not NEED_DATA:
                assert not isinstance(record, Noise)
                return record
            data = self._connection.recv(65536)
            assert data, "the worker has left"
            self._receiver.receive_data(data)

    def wait_for(self, kind: type[Record]) -> Record:
        while not isinstance(record := self.next(), kind):
            pass
        return record


def start_worker(stages: Stages, output: socket.socket, job: bytes) -> subprocess.Popen[bytes]:
    """A worker that has its job and writes to a socket; the sender stays."""
    worker = stages.start("worker", *SELDOM, stdout=output.fileno())
    output.close()
    assert worker.stdin is not None
    worker.stdin.write(job)
    worker.stdin.flush()
    return worker


def make_job(tmp_path: Path) -> bytes:
    """A job that ends when somebody opens the pipe `go` for writing."""
    os.mkfifo(tmp_path / "go")
    command = ("/bin/sh", "-c", SCRIPT.format(fifo=tmp_path / "go"))
    return native([Job("run", command=command)], Direction.JOB)


def end_of(worker: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, stderr = worker.communicate(timeout=LIMIT_SECONDS)
    return worker.returncode, stderr.decode()


@pytest.mark.parametrize("half_closed_first", [False, True])
def test_a_reader_that_leaves(stages: Stages, tmp_path: Path, half_closed_first: bool) -> None:
    with tcp() as (ours, theirs):
        worker = start_worker(stages, theirs, make_job(tmp_path))
        reader = Reader(ours)
        while not (isinstance(record := reader.next(), Status) and record.status is StatusName.RUNNING):
            pass
        if half_closed_first:
            ours.shutdown(socket.SHUT_WR)
            reader.wait_for(Heartbeat)
        ours.close()
        status, message = end_of(worker)
        assert status == 74
        assert message.startswith("playstream worker: the next stage has exited")
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []


def test_a_reader_that_only_sends_no_more(stages: Stages, tmp_path: Path) -> None:
    with tcp() as (ours, theirs):
        ours.shutdown(socket.SHUT_WR)
        worker = start_worker(stages, theirs, make_job(tmp_path))
        reader = Reader(ours)
        for _ in range(3):
            reader.wait_for(Heartbeat)
        (tmp_path / "go").write_text("go\n")
        while not (isinstance(record := reader.next(), Status) and record.status.terminal):
            pass
        assert record.status is StatusName.SUCCESSFUL
        reader.wait_for(End)
        assert end_of(worker) == (0, "")


def test_a_reader_that_leaves_in_the_runner_dialect(stages: Stages, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    script = "#!/bin/sh\n" + SCRIPT.format(fifo=tmp_path / "go")
    job = line(kwargs={**KWARGS, "binary": "./wait"}) + carry(archive(zipped("wait", script.encode(), 0o755))) + END
    with tcp() as (ours, theirs):
        worker = start_worker(stages, theirs, job)
        with ours.makefile("rb") as lines:
            while json.loads(lines.readline()).get("status") != "running":
                pass
        ours.close()
        assert end_of(worker)[0] == 74
    assert marked_processes(stages.temporary) == []


def test_a_worker_that_leaves_its_transmit(stages: Stages, tmp_path: Path) -> None:
    """`transmit --hold` stays as long as its worker reads."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project/site.yml").write_text("[]\n")
    with tcp() as (ours, theirs):
        transmit = stages.start("transmit", tmp_path, "-p", "site.yml", "--hold", *SELDOM, stdout=theirs.fileno())
        theirs.close()
        receiver = Receiver(Direction.JOB)
        ended = False
        while not ended:
            receiver.receive_data(ours.recv(65536))
            while (record := receiver.next_record()) is not NEED_DATA:
                ended = ended or type(record).__name__ == "TreeEnd"
        ours.close()
        assert end_of(transmit)[0] == 0
