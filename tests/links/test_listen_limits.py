"""Slots, the queue, and connections that send slowly, nonsense or nothing."""

from __future__ import annotations

import os
import resource
import selectors
import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

import playstream
from playstream.pipeline.protocol import Failure, FileData, FileEntry, Job, Sender
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.protocol.records import FileType
from tests.links.conftest import Listen
from tests.links.listening import Listener, connect, finish, read_all, wait_for_line
from tests.links.test_listen_unix import start_hanging
from tests.processes import marked_processes, wait_until
from tests.stages import Stages, read_records

MIB = 1 << 20


def path_of(listener: Listener) -> str:
    return listener.address.removeprefix("unix:")


def failure_in(results: bytes) -> Failure:
    (found,) = (record for record in read_records(results) if isinstance(record, Failure))
    return found


def has_begun(hanging: Path, ident: str) -> bool:
    """Whether the job of a run has printed something."""
    stdout = hanging / "artifacts" / ident / "stdout"
    return stdout.exists() and b"waiting" in stdout.read_bytes()


def cancel(run: subprocess.Popen[bytes]) -> None:
    run.send_signal(signal.SIGINT)
    assert finish(run)[0] == 254


def test_the_queue_and_what_is_beyond(fakes: Stages, hanging: Path, listen: Listen) -> None:
    """One job runs, one waits with a worker that lives, and one is refused; the one that waits is next."""
    listener = listen("--slots", "1", "--queue", "1")
    first = start_hanging(fakes, hanging, listener, "first")
    second = fakes.start("run", hanging, "-p", "hang.yml", "-i", "second", "--on", listener.address)
    (queued,) = listener.wait_for("queued")
    assert queued["job"] == "second"
    third = fakes.call("run", hanging, "-p", "hang.yml", "-i", "third", "--on", listener.address)
    assert third.returncode == 88
    assert b"all 1 slot and 1 place of the queue are taken: try again later" in third.stderr
    assert not has_begun(hanging, "third")
    assert not has_begun(hanging, "second")
    cancel(first)
    wait_until(lambda: has_begun(hanging, "second"))
    assert [event["job"] for event in listener.wait_for("started", 2)] == ["first", "second"]
    cancel(second)
    listener.wait_for("ended", 2)
    assert marked_processes(fakes.temporary) == []
    assert fakes.leftovers() == []


def test_a_job_that_waits_lives(fakes: Stages, hanging: Path, listen: Listen) -> None:
    """Its worker sends heartbeats, so that a sender with a short limit does not give up; and it can be canceled."""
    listener = listen("--slots", "1", "--keepalive-seconds", "0.05")
    first = start_hanging(fakes, hanging, listener, "first")
    words = ("run", hanging, "-p", "hang.yml", "-i", "second", "--liveness-seconds", "1", "--keepalive-seconds", "0.05")
    second = fakes.start(*words, "--on", listener.address, "--debug")
    wait_for_line(second, b"waits for a free slot")
    (queued,) = listener.wait_for("queued")
    written = Path(f"/proc/{queued['pid']}/io")
    before = written_bytes(written)
    wait_until(lambda: written_bytes(written) > before + 60 * 30)  # so many heartbeats outlast the limit
    assert second.poll() is None
    cancel(second)
    assert listener.wait_for("ended")[0]["job"] == "second"
    assert listener.events("started", job="second") == []
    cancel(first)


def written_bytes(io: Path) -> int:
    return next(int(line.split()[1]) for line in io.read_text().splitlines() if line.startswith("wchar"))


def test_a_client_that_leaves_the_queue(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen("--slots", "1", "--queue", "1")
    first = start_hanging(fakes, hanging, listener, "first")
    second = fakes.start("run", hanging, "-p", "hang.yml", "-i", "second", "--on", listener.address)
    listener.wait_for("queued")
    second.kill()
    finish(second)
    listener.wait_for("ended", job="second", client="gone")
    third = fakes.start("run", hanging, "-p", "hang.yml", "-i", "third", "--on", listener.address)
    listener.wait_for("queued", job="third")
    cancel(first)
    listener.wait_for("started", job="third")
    cancel(third)


def test_from_python(fakes: Stages, hanging: Path, listen: Listen) -> None:
    """The same link as on the command line; a busy worker is told apart by its exit status."""
    listener = listen("--slots", "1", "--queue", "0")
    first = start_hanging(fakes, hanging, listener, "first")
    runner = playstream.run(private_data_dir=str(hanging), playbook="hang.yml", on=listener.address, quiet=True)
    assert (runner.status, runner.exit_status) == ("error", playstream.WorkerBusy.exit_status)
    assert "try again later" in str(runner.explanation)
    cancel(first)


def test_without_a_queue(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen("--slots", "1", "--queue", "0")
    first = start_hanging(fakes, hanging, listener, "first")
    refused = fakes.call("run", hanging, "-p", "hang.yml", "--on", listener.address)
    assert (refused.returncode, b"all 1 slot are taken" in refused.stderr) == (88, True)
    cancel(first)


def test_a_busy_worker_answers_in_ansible_runners_protocol(fakes: Stages, hanging: Path, listen: Listen) -> None:
    listener = listen("--slots", "1", "--queue", "0")
    first = start_hanging(fakes, hanging, listener, "first")
    job = fakes.transmit(hanging, "-p", "hang.yml", "--dialect", "runner")
    with connect(path_of(listener)) as sock:
        sock.sendall(job)
        text = read_all(sock).decode()
    assert '"status": "error"' in text
    assert "try again later" in text
    assert text.endswith('{"eof": true}\n')
    cancel(first)


def test_a_thousand_idle_connections_and_a_job(stages: Stages, directory: Path, listen: Listen) -> None:
    """They say nothing, a part of a preamble, or a preamble; none is in the way of a job, and none has a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        listener = listen("--slots", "1", "--queue", "0")
        preamble = Sender(Direction.JOB).flush()
        before = memory_kib(listener.process.pid)
        with ExitStack() as idle:
            for number in range(1000):
                sock = idle.enter_context(connect(path_of(listener)))
                sock.sendall((b"", preamble[:7], preamble)[number % 3])
            wait_until(lambda: open_files(listener.process.pid) > 1000)
            assert listener.workers() == []
            done = stages.call("run", directory, "-p", "site.yml", "-i", "x", "--on", listener.address)
            assert done.returncode == 0, done.stderr.decode()
            assert open_files(listener.process.pid) > 1000  # they are still there
            grown = memory_kib(listener.process.pid) - before
            assert grown < 16 * 1024, f"{grown} KiB"
        wait_until(lambda: open_files(listener.process.pid) < 50)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_the_limit_of_open_files_is_raised_for_the_listener_alone(
    stages: Stages, directory: Path, listen: Listen
) -> None:
    (directory / "project" / "files.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.shell: ulimit -n\n      register: limit\n"
        "    - ansible.builtin.debug: {msg: 'limit {{ limit.stdout }}'}\n"
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, hard))
    try:
        listener = listen()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(listener.process.pid, resource.RLIMIT_NOFILE)[0] > 500
    done = stages.call("run", directory, "-p", "files.yml", "-i", "x", "--on", listener.address)
    assert b"limit 500" in done.stdout


def test_the_oldest_connections_make_room(stages: Stages, directory: Path, listen: Listen) -> None:
    """With room for few connections, those that say nothing give way, the oldest first."""
    listener = listen("--slots", "1", "--queue", "0", open_files=200)
    with ExitStack() as idle:
        first = idle.enter_context(connect(path_of(listener)))
        for _ in range(300):
            idle.enter_context(connect(path_of(listener)))
        assert first.recv(1) == b""
        assert len(listener.wait_for("dropped", 100)) >= 100
        done = stages.call("run", directory, "-p", "site.yml", "-i", "x", "--on", listener.address)
        assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("sent", [0, 7, 20])
def test_what_arrives_too_slowly_is_refused(listen: Listen, sent: int) -> None:
    listener = listen("--arrival-seconds", "0.5")
    with connect(path_of(listener)) as sock:
        sock.sendall(Sender(Direction.JOB).flush()[:sent])
        failure = failure_in(read_all(sock))
    assert failure.error == "SilentPeer"
    assert "the job was not complete 0.5 seconds after" in failure.message
    assert listener.wait_for("refused")[0]["error"] == "SilentPeer"


def test_a_job_one_byte_at_a_time(stages: Stages, directory: Path, listen: Listen) -> None:
    """It is slow, but it arrives."""
    listener = listen()
    job = stages.transmit(directory, "-p", "site.yml")
    with connect(path_of(listener)) as sock:
        for place in range(len(job)):
            sock.sendall(job[place : place + 1])
        sock.shutdown(socket.SHUT_WR)
        assert stages.call("process", directory, "-i", "x", stdin=read_all(sock)).returncode == 0


def unfinished(size: int) -> bytes:
    """The beginning of a job of so many bytes that do not compress, without its end."""
    sender = Sender(Direction.JOB)
    job = Job("large", plays=({"hosts": os.urandom(size // 2).hex()},))
    return sender.send(job)[:-10]


def test_all_connections_together_hold_a_bounded_number_of_bytes(
    stages: Stages, directory: Path, listen: Listen
) -> None:
    """The ones that hold most are refused, so that a small job gets in."""
    listener = listen("--slots", "1")
    large = unfinished(24 * MIB)
    assert len(large) > 10 * MIB
    with ExitStack() as idle, selectors.DefaultSelector() as selector:
        for _ in range(16):
            sock = idle.enter_context(connect(path_of(listener)))
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_WRITE, [0])
        while selector.get_map() and not listener.events("refused"):
            for key, _ in selector.select():
                sent = key.data
                try:
                    sent[0] += key.fileobj.send(large[sent[0] : sent[0] + 65536])  # type: ignore[union-attr]
                except OSError:
                    selector.unregister(key.fileobj)
                    continue
                if sent[0] == len(large):
                    selector.unregister(key.fileobj)
        (refused, *_) = listener.wait_for("refused")
        assert refused["error"] == "WorkerBusy"
        assert "too many large jobs" in refused["reason"]
        assert memory_kib(listener.process.pid) < 400 * 1024
        done = stages.call("run", directory, "-p", "site.yml", "-i", "x", "--on", listener.address)
        assert done.returncode == 0, done.stderr.decode()


def test_a_job_over_the_limit(stages: Stages, directory: Path, listen: Listen) -> None:
    listener = listen("--max-record-bytes", "100000")
    words = ("run", directory, "-p", "site.yml", "-i", "x", "-e", f"x={'y' * 110000}", "--on", listener.address)
    done = stages.call(*words)
    assert done.returncode == 81
    assert b"--max-record-bytes" in done.stderr
    assert listener.events("started") == []


def test_a_large_tree_streams_through(stages: Stages, directory: Path, listen: Listen) -> None:
    """Only the job record is limited: the tree after it passes in pieces."""
    (directory / "project" / "large.bin").write_bytes(os.urandom(40 * MIB))
    listener = listen("--max-record-bytes", str(4 * MIB))
    done = stages.call("run", directory, "-p", "site.yml", "-i", "x", "--on", listener.address)
    assert done.returncode == 0, done.stderr.decode()
    assert memory_kib(listener.process.pid) < 80 * 1024


def test_a_tree_that_stalls_is_the_workers_to_judge(listen: Listen) -> None:
    """After the job record the limits of the worker apply, as over any link."""
    listener = listen("--liveness-seconds", "1")
    sender = Sender(Direction.JOB)
    data = sender.send(Job("stalls", playbook="x.yml", tree=True))
    data += sender.send(FileEntry(b"", FileType.DIRECTORY, 0o755, 0))
    data += sender.send(FileEntry(b"f", FileType.FILE, 0o644, 0, size=10)) + sender.send(FileData(b"x"))
    with connect(path_of(listener)) as sock:
        sock.sendall(data)
        failure = failure_in(read_all(sock))
    assert "has been silent for 1 seconds" in failure.message
    assert listener.wait_for("ended")[0]["exit_status"] == 80
