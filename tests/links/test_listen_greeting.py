"""A connection hears Hello at once, before it has a worker, and the worker's own Hello does not come twice."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from playstream.pipeline.protocol import Failure, Hello, Ping, Pong, Receiver, Record, Sender
from playstream.pipeline.protocol.frames import PREAMBLE_SIZE
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.protocol.records import Status
from playstream.worker.listen.greeting import WithoutGreeting
from tests.links.conftest import Listen
from tests.links.listening import Listener, connect, finish, read_all
from tests.links.test_listen_unix import start_hanging
from tests.stages import Stages, read_records

UPDATED = "import playstream._version\nplaystream._version.__version__ = '99.0'\n"


def path_of(listener: Listener) -> str:
    return listener.address.removeprefix("unix:")


def read_one(sock: socket.socket, receiver: Receiver) -> Record:
    """The next record that is neither noise nor a heartbeat."""
    while True:
        record = receiver.next_record()
        if isinstance(record, (Hello, Pong, Failure, Status)):
            return record
        receiver.receive_data(sock.recv(65536))


def test_hello_before_the_job(stages: Stages, directory: Path, listen: Listen) -> None:
    """After the preamble alone, and without a process. The stream goes on as that of the worker."""
    listener = listen()
    job = stages.transmit(directory, "-p", "site.yml")
    with connect(path_of(listener)) as sock:
        sock.sendall(job[:PREAMBLE_SIZE])
        start = sock.recv(65536)
        receiver = Receiver(Direction.RESULT)
        receiver.receive_data(start)
        hello = receiver.next_record()
        assert isinstance(hello, Hello)
        assert "Ping" in hello.records
        assert hello.ansible_core is not None
        assert listener.workers() == []
        sock.sendall(job[PREAMBLE_SIZE:])
        sock.shutdown(socket.SHUT_WR)
        results = start + read_all(sock)
    assert [type(record) for record in read_records(results)].count(Hello) == 1
    assert stages.call("process", directory, "-i", "x", stdin=results).returncode == 0


def test_a_ping_is_answered_by_a_worker(listen: Listen) -> None:
    """Before the job: a connection can be measured as over any link."""
    listener = listen("--slots", "1", "--queue", "0")
    sender = Sender(Direction.JOB)
    receiver = Receiver(Direction.RESULT)
    with connect(path_of(listener)) as sock:
        sock.sendall(sender.flush())
        assert isinstance(read_one(sock, receiver), Hello)
        assert listener.events("started") == []
        sock.sendall(sender.send(Ping(7, b"x" * 1000)))
        assert read_one(sock, receiver) == Pong(7)
        assert len(listener.events("started")) == 1
        with connect(path_of(listener)) as other:
            other.sendall(Sender(Direction.JOB).send(Ping(1)))
            assert "all 1 slot are taken" in str(read_records(read_all(other)))
    listener.wait_for("ended", client="gone")


def test_a_ping_while_the_job_waits(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen("--slots", "1")
    first = start_hanging(fakes, hanging, listener, "first")
    sender, receiver = Sender(Direction.JOB), Receiver(Direction.RESULT)
    with connect(path_of(listener)) as sock:
        sock.sendall(sender.flush())
        assert isinstance(read_one(sock, receiver), Hello)
        sock.sendall(sender.send(Ping(1)))
        assert read_one(sock, receiver) == Pong(1)
        assert len(listener.events("queued")) == 1
    first.send_signal(signal.SIGINT)
    assert finish(first)[0] == 254


def test_check(stages: Stages, listen: Listen) -> None:
    listener = listen()
    done = stages.call("check", listener.address, "--json")
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    text = done.stdout.decode()
    assert '"round_trip_seconds": null' not in text
    assert '"bytes_per_second": null' not in text
    assert '"ansible_core": null' not in text


def test_a_refusal_goes_on_where_the_greeting_has_ended(listen: Listen) -> None:
    """Together they are one stream with one digest."""
    listener = listen()
    with connect(path_of(listener)) as sock:
        sock.sendall(Sender(Direction.JOB).flush())
        start = sock.recv(65536)
        sock.sendall(b"nonsense that is longer than the header of a frame")
        hello, failure, _end = read_records(start + read_all(sock))
    assert isinstance(hello, Hello)
    assert isinstance(failure, Failure)
    assert "expected frame 0" in failure.message


def test_playstream_was_updated_under_the_listener(
    stages: Stages, directory: Path, listen: Listen, tmp_path: Path
) -> None:
    """The one job that was greeted wrongly has not started, and is refused; later ones hear the new worker alone."""
    updated = tmp_path / "updated"
    updated.mkdir()
    listener = listen(env={"PYTHONPATH": str(updated)})
    job = stages.transmit(directory, "-p", "site.yml")
    with connect(path_of(listener)) as sock:
        sock.sendall(job[:PREAMBLE_SIZE])
        start = sock.recv(65536)
        (updated / "sitecustomize.py").write_text(UPDATED)
        sock.sendall(job[PREAMBLE_SIZE:])
        records = read_records(start + read_all(sock))
    (failure,) = (record for record in records if isinstance(record, Failure))
    assert (failure.error, "was updated on the host of the worker" in failure.message) == ("WorkerBusy", True)
    assert not [record for record in records if isinstance(record, Status)]
    listener.wait_for("worker-changed")
    done = stages.call("run", directory, "-p", "site.yml", "-i", "x", "--on", listener.address, "--debug")
    assert done.returncode == 0, done.stderr.decode()
    assert b"version='99.0'" in done.stderr


class Pieces:
    """A source that gives pieces, and nothing between them."""

    def __init__(self, *pieces: bytes | None) -> None:
        self._pieces = list(pieces)

    def receive(self, size: int) -> bytes | None:
        piece = self._pieces.pop(0)
        if piece is not None and len(piece) > size:
            self._pieces.insert(0, piece[size:])
            return piece[:size]
        return piece


@pytest.mark.parametrize(
    ("pieces", "found", "differs"),
    [
        ((b"hello", b"rest"), [b"rest"], False),
        ((b"he", b"llorest"), [b"rest"], False),
        ((b"h", None, b"ellorest"), [None, b"rest"], False),
        ((b"hallo", b"rest"), [b"", b""], True),
        ((b"hel", b"p"), [b"", b""], True),
        ((b"hel", b""), [b""], False),
    ],
)
def test_the_greeting_is_left_out(pieces: tuple[bytes | None, ...], found: list[bytes | None], differs: bool) -> None:
    output = WithoutGreeting(Pieces(*pieces), b"hello")
    assert not output.seen
    assert [output.receive(100) for _ in found] == found
    assert output.differs is differs
    assert output.seen is (found[-1] == b"rest")


def test_without_a_greeting_nothing_is_left_out() -> None:
    output = WithoutGreeting(Pieces(b"rest"), b"")
    assert output.seen
    assert output.receive(100) == b"rest"
