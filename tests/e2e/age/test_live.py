"""Encrypted links are live: what happens arrives while the job runs, and silence and cancellation mean what they do.

The limits and the moments are those of the same tests without encryption (tests/worker).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from playstream.pipeline.errors import CANCELED_EXIT_STATUS, IncompleteStream, RemoteProtocolError, SilentPeer
from playstream.pipeline.io.age_batches import BatchReader, BatchWriter
from playstream.pipeline.io.age_keys import read_identities, read_recipients
from playstream.pipeline.protocol import (
    NEED_DATA,
    Cancel,
    Heartbeat,
    Job,
    Noise,
    Receiver,
    Record,
    Sender,
    Status,
    StatusName,
)
from playstream.pipeline.protocol.order import Direction
from tests.e2e.age.conftest import Key
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_events
from tests.worker.test_socket_reader import SELDOM, make_job, tcp

NOW = "2026-11-21T10:00:00+00:00"
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - debug:
        msg: the first task
    - command: cat {gate}
"""


@pytest.fixture
def waiting(directory: Path) -> Path:
    """A private data directory whose playbook's second task waits until the pipe `go` beside it is written to."""
    gate = directory.with_name("go")
    os.mkfifo(gate)
    (directory / "project" / "wait.yml").write_text(PLAYBOOK.format(gate=gate))
    return directory


class Pipeline:
    """Three stages, encrypted in both directions."""

    def __init__(self, stages: Stages, directory: Path, keys: dict[str, Key], *words: str) -> None:
        self._shown = directory.parent / "shown"
        job = ("--encrypt-to", keys["age"].recipient)
        decrypts = ("--identity", keys["age"].identity, "--encrypt-to", keys["ed25519"].recipient)
        self.transmit = stages.start("transmit", directory, "-p", "wait.yml", *job, *words, stdin=subprocess.DEVNULL)
        self.worker = stages.start("worker", *decrypts, stdin=self.transmit.stdout)
        with self._shown.open("wb") as shown:
            identity = ("--identity", keys["ed25519"].identity)
            self.process = stages.start("process", directory, *identity, stdin=self.worker.stdout, stdout=shown)
        for stage in (self.transmit, self.worker):
            assert stage.stdout is not None
            stage.stdout.close()

    def wait_for(self, text: bytes) -> None:
        """Wait until `process` shows this."""
        wait_until(lambda: text in self._shown.read_bytes() or self.process.poll() is not None, LIMIT_SECONDS)
        assert text in self._shown.read_bytes(), self.end()

    def end(self) -> tuple[tuple[int, int, int], str]:
        """The exit statuses, and what the stages have said."""
        said = ""
        for stage in (self.process, self.worker, self.transmit):
            assert stage.stderr is not None
            said += stage.stderr.read().decode()
            stage.wait(LIMIT_SECONDS)
            stage.stderr.close()
        return (self.transmit.returncode, self.worker.returncode, self.process.returncode), said


@pytest.mark.parametrize("words", [("--hold",), (), ("--dialect", "runner")], ids=["hold", "plain", "runner"])
def test_events_arrive_while_the_job_runs(
    stages: Stages, waiting: Path, keys: dict[str, Key], words: tuple[str, ...]
) -> None:
    """With --hold the job itself arrives while its sender stays."""
    pipeline = Pipeline(stages, waiting, keys, *words)
    pipeline.wait_for(b"the first task")
    assert pipeline.process.poll() is None
    waiting.with_name("go").write_text("go\n")
    assert pipeline.end() == ((0, 0, 0), "")
    assert any(event["event"] == "runner_on_ok" for event in read_events(waiting / "artifacts"))
    assert stages.leftovers() == []


def test_an_encrypted_job_is_canceled(stages: Stages, waiting: Path, keys: dict[str, Key]) -> None:
    pipeline = Pipeline(stages, waiting, keys, "--hold")
    pipeline.wait_for(b"the first task")
    pipeline.transmit.send_signal(signal.SIGTERM)
    exit_statuses, said = pipeline.end()
    assert exit_statuses == (CANCELED_EXIT_STATUS,) * 3, said
    assert sorted(said.splitlines()) == [
        f"playstream {stage}: canceled by SIGTERM" for stage in ("process", "transmit", "worker")
    ]
    assert (waiting / "artifacts" / "status").read_text() == "canceled"
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []


@pytest.mark.parametrize("cancels", [False, True])
def test_a_run_over_an_encrypted_link(stages: Stages, waiting: Path, keys: dict[str, Key], cancels: bool) -> None:
    ours, theirs = keys["other"], keys["age"]
    worker = f"{sys.executable} -m playstream worker --identity {theirs.identity} --encrypt-to {ours.recipient}"
    encrypted = ("--encrypt-to", theirs.recipient, "--identity", ours.identity)
    shown = waiting.with_name("shown")
    with shown.open("wb") as stdout:
        words = ("-p", "wait.yml", "-i", "x", "--on", f"exec:{worker}", *encrypted)
        run = stages.start("run", waiting, *words, stdout=stdout)
    wait_until(lambda: b"the first task" in shown.read_bytes() or run.poll() is not None, LIMIT_SECONDS)
    if cancels:
        run.terminate()
    else:
        waiting.with_name("go").write_text("go\n")
    _, stderr = run.communicate(timeout=LIMIT_SECONDS)
    assert (run.returncode, stderr) == (
        (CANCELED_EXIT_STATUS, b"playstream run: canceled by SIGTERM\n") if cancels else (0, b"")
    )
    assert (waiting / "artifacts/x/status").read_text() == ("canceled" if cancels else "successful")
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []


class Reader:
    """The records of an encrypted link, as they come."""

    def __init__(self, fd: int, key: Key, direction: Direction) -> None:
        self._fd = fd
        self._batches = BatchReader(read_identities([key.identity]))
        self._receiver = Receiver(direction)

    def next(self) -> Record:
        """Wait for the next record."""
        while (record := self._receiver.next_record()) is NEED_DATA:
            while (content := self._batches.next()) is None:
                data = os.read(self._fd, 1 << 16)
                assert data, "the stage has ended"
                self._batches.receive_data(data)
            self._receiver.receive_data(content)
        assert not isinstance(record, Noise)
        return record

    def wait_for(self, kind: type[Record]) -> Record:
        """Wait for a record of a kind."""
        while not isinstance(record := self.next(), kind):
            pass
        return record


def write(stage: subprocess.Popen[bytes], data: bytes) -> None:
    assert stage.stdin is not None
    stage.stdin.write(data)
    stage.stdin.flush()


def batches(key: Key, *contents: bytes) -> Iterator[bytes]:
    """The contents as a stream that does not end."""
    writer = BatchWriter(read_recipients([key.recipient], pytest.fail))
    return (b"".join(writer.wrap([content], flush=True)) for content in contents)


def test_a_worker_says_that_it_lives(stages: Stages, keys: dict[str, Key], tmp_path: Path) -> None:
    worker = stages.start("worker", "--encrypt-to", keys["age"].recipient, "--keepalive-seconds", "0.1")
    write(worker, make_job(tmp_path))
    assert worker.stdout is not None
    reader = Reader(worker.stdout.fileno(), keys["age"], Direction.RESULT)
    for _ in range(3):
        reader.wait_for(Heartbeat)
    (tmp_path / "go").write_text("go\n")
    while not (isinstance(record := reader.next(), Status) and record.status.terminal):
        pass
    assert record.status is StatusName.SUCCESSFUL
    worker.communicate(timeout=LIMIT_SECONDS)


def test_transmit_says_that_it_lives(stages: Stages, directory: Path, keys: dict[str, Key]) -> None:
    words = ("-p", "site.yml", "--hold", "--keepalive-seconds", "0.1", "--encrypt-to", keys["age"].recipient)
    transmit = stages.start("transmit", directory, *words)
    assert transmit.stdout is not None
    reader = Reader(transmit.stdout.fileno(), keys["age"], Direction.JOB)
    for _ in range(3):
        reader.wait_for(Heartbeat)
    transmit.send_signal(signal.SIGINT)
    canceled = reader.wait_for(Cancel)
    assert isinstance(canceled, Cancel)
    assert canceled.reason == "canceled by SIGINT"
    transmit.communicate(timeout=LIMIT_SECONDS)
    assert transmit.returncode == CANCELED_EXIT_STATUS


def test_a_silent_worker(stages: Stages, keys: dict[str, Key], tmp_path: Path) -> None:
    limit = ("--liveness-seconds", "0.2", "--identity", keys["age"].identity)
    process = stages.start("process", tmp_path / "here", *limit)
    write(process, b"".join(batches(keys["age"], Sender(Direction.RESULT).send(Status(StatusName.RUNNING, NOW)))))
    assert process.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    assert b"the worker has been silent for 0.2 seconds" in process.communicate()[1]
    assert (tmp_path / "here" / "artifacts" / "status").read_text() == "error"


def test_a_worker_that_never_speaks(stages: Stages, keys: dict[str, Key], tmp_path: Path) -> None:
    limit = ("--liveness-seconds", "0.1", "--identity", keys["age"].identity)
    process = stages.start("process", tmp_path / "here", *limit)
    assert process.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    assert b"silent for 0.5 seconds" in process.communicate()[1]


def test_a_silent_transmit(stages: Stages, keys: dict[str, Key]) -> None:
    limit = ("--liveness-seconds", "0.2", "--identity", keys["age"].identity)
    worker = stages.start("worker", *limit)
    job = Sender(Direction.JOB).send(Job("1", tree=True, playbook="x.yml"))
    write(worker, b"".join(batches(keys["age"], job)))
    assert worker.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    assert b"the transmit stage has been silent for 0.2 seconds" in worker.communicate()[1]
    assert stages.leftovers() == []


@contextmanager
def working(stages: Stages, key: Key, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A worker whose encrypted results come over TCP, and that says seldom that it lives."""
    with tcp() as (ours, theirs):
        worker = stages.start("worker", *SELDOM, "--encrypt-to", key.recipient, stdout=theirs.fileno())
        theirs.close()
        write(worker, make_job(tmp_path))
        yield worker, ours


@pytest.mark.parametrize("half_closed_first", [False, True])
def test_a_reader_that_leaves(stages: Stages, keys: dict[str, Key], tmp_path: Path, half_closed_first: bool) -> None:
    with working(stages, keys["age"], tmp_path) as (worker, ours):
        reader = Reader(ours.fileno(), keys["age"], Direction.RESULT)
        while not (isinstance(record := reader.next(), Status) and record.status is StatusName.RUNNING):
            pass
        if half_closed_first:
            ours.shutdown(socket.SHUT_WR)
            reader.wait_for(Heartbeat)
        ours.close()
        _, stderr = worker.communicate(timeout=LIMIT_SECONDS)
        assert worker.returncode == 74
        assert stderr.startswith(b"playstream worker: the next stage has exited")
    assert marked_processes(stages.temporary) == []
    assert stages.leftovers() == []


def encrypt(plain: bytes, key: Key) -> list[bytes]:
    """A whole stream in batches of a sixth."""
    writer = BatchWriter(read_recipients([key.recipient], pytest.fail))
    size = len(plain) // 6 + 1
    parts = [plain[start : start + size] for start in range(0, len(plain), size)]
    return [b"".join(writer.wrap([part], flush=True, last=part is parts[-1])) for part in parts]


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_batches_that_are_lost_moved_or_strange(
    stages: Stages, directory: Path, keys: dict[str, Key], dialect: str
) -> None:
    """In ansible-runner's protocol a line would not be missed; the batch that it was in is."""
    key = keys["age"]
    plain = stages.call("worker", stdin=stages.transmit(directory, "-p", "site.yml", "--dialect", dialect)).stdout
    first, second = encrypt(plain, key), encrypt(plain, key)
    for parts, error, expected in (
        (first, None, ""),
        ([*first[:3], *first[4:]], RemoteProtocolError, "batches were lost, duplicated or reordered"),
        ([*first[:4], *first[3:]], RemoteProtocolError, "batches were lost, duplicated or reordered"),
        ([*first[:3], first[4], first[3], first[5]], RemoteProtocolError, "lost, duplicated or reordered"),
        ([*first[:3], second[3], *first[4:]], RemoteProtocolError, "belongs to another encrypted stream"),
        (first[:3], IncompleteStream, "and none before it is marked as the last"),
        (first[:-1], IncompleteStream, "and none before it is marked as the last"),
    ):
        done = stages.call("process", directory, "--identity", key.identity, stdin=b"".join(parts))
        assert done.returncode == (0 if error is None else error.exit_status), done.stderr.decode()
        assert expected in done.stderr.decode()
        assert (directory / "artifacts" / "status").read_text() == ("successful" if error is None else "error")


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_a_capture_on_another_host_is_readable(
    stages: Stages, directory: Path, keys: dict[str, Key], dialect: str, tmp_path: Path
) -> None:
    """`ssh host playstream worker > capture`: the worker writes to a pipe, so the capture is in the live form."""
    job = stages.transmit(directory, "-p", "site.yml", "--dialect", dialect, "--encrypt-to", keys["rsa"].recipient)
    words = ("--identity", keys["rsa"].identity, "--encrypt-to", keys["rsa"].recipient)
    captured = b"Last login: today\n" + stages.call("worker", *words, stdin=job).stdout
    done = stages.call("process", tmp_path / "here", "--identity", keys["rsa"].identity, stdin=captured)
    assert done.returncode == 0, done.stderr.decode()
    assert b"skipped 18 bytes of other output before the encrypted stream" in done.stderr
    assert b"Hello from node1" in done.stdout
