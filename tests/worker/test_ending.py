"""However a worker or its link ends, the job ends with it, and the truth is told where it can be."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from playstream.pipeline.protocol import (
    NEED_DATA,
    Cancel,
    End,
    Failure,
    FileEntry,
    Job,
    Receiver,
    Record,
    Sender,
    Status,
    StatusName,
)
from playstream.pipeline.protocol.order import Direction
from tests.processes import guards_of, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_events, read_records


def start_worker(stages: Stages, directory: Path, behaviour: str, count: int = 1) -> subprocess.Popen[bytes]:
    """A worker whose job has started `count` processes or more."""
    worker = stages.start("worker")
    assert worker.stdin is not None
    worker.stdin.write(stages.transmit(directory, "-p", f"{behaviour}.yml"))
    worker.stdin.close()
    worker.stdin = None
    wait_until(lambda: len(marked_processes(stages.temporary)) >= count)
    return worker


def guard_of(worker: subprocess.Popen[bytes]) -> int:
    return guards_of(worker.pid)[0]


def last_status(stream: bytes) -> Status:
    return [record for record in read_records(stream) if isinstance(record, Status)][-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("behaviour", ["hang", "ignore-term", "daemons", "flood-for-ever"])
def test_a_signal_cancels(fake_ansible: Stages, misbehaving: Path, number: signal.Signals, behaviour: str) -> None:
    worker = start_worker(fake_ansible, misbehaving, behaviour, 3 if behaviour == "daemons" else 1)
    worker.send_signal(number)
    stdout, stderr = worker.communicate(timeout=LIMIT_SECONDS)
    assert worker.returncode == 254, stderr
    records = read_records(stdout)
    status = last_status(stdout)
    assert (status.status, status.explanation) == (StatusName.CANCELED, f"canceled by {number.name}")
    assert b"stdout" in [record.path for record in records if isinstance(record, FileEntry)]
    assert isinstance(records[-1], End)
    assert marked_processes(fake_ansible.temporary) == []
    assert fake_ansible.leftovers() == []


@pytest.mark.parametrize("behaviour", ["ignore-term", "daemons"])
def test_sigkill_of_the_worker_ends_the_job_and_removes_the_spool(
    fake_ansible: Stages, misbehaving: Path, behaviour: str
) -> None:
    worker = start_worker(fake_ansible, misbehaving, behaviour, 3 if behaviour == "daemons" else 1)
    worker.kill()
    worker.communicate(timeout=LIMIT_SECONDS)
    wait_until(lambda: not marked_processes(fake_ansible.temporary), 5)
    wait_until(lambda: not fake_ansible.leftovers(), 5)


def test_sigkill_of_the_guard_ends_the_job_with_an_error(fake_ansible: Stages, misbehaving: Path) -> None:
    worker = start_worker(fake_ansible, misbehaving, "daemons", 3)
    os.kill(guard_of(worker), signal.SIGKILL)
    stdout, stderr = worker.communicate(timeout=LIMIT_SECONDS)
    assert worker.returncode == 71
    assert b"guard process of the job was killed" in stderr
    assert isinstance(read_records(stdout)[-1], End)
    assert marked_processes(fake_ansible.temporary) == []
    assert fake_ansible.leftovers() == []


def test_the_next_worker_removes_what_a_killed_worker_and_guard_left(fake_ansible: Stages, misbehaving: Path) -> None:
    worker = start_worker(fake_ansible, misbehaving, "daemons", 3)
    os.kill(worker.pid, signal.SIGSTOP)
    os.kill(guard_of(worker), signal.SIGKILL)
    worker.kill()
    worker.communicate(timeout=LIMIT_SECONDS)
    assert len(fake_ansible.leftovers()) == 1
    job = fake_ansible.transmit(misbehaving, "-p", "quiet.yml")
    assert fake_ansible.call("worker", stdin=job).returncode == 0
    assert fake_ansible.leftovers() == []
    wait_until(lambda: not marked_processes(fake_ansible.temporary), 5)


def test_a_live_workers_spool_is_left_alone(fake_ansible: Stages, misbehaving: Path) -> None:
    worker = start_worker(fake_ansible, misbehaving, "hang")
    spools = fake_ansible.leftovers()
    job = fake_ansible.transmit(misbehaving, "-p", "quiet.yml")
    assert fake_ansible.call("worker", stdin=job).returncode == 0
    assert fake_ansible.leftovers() == spools
    worker.terminate()
    worker.communicate(timeout=LIMIT_SECONDS)
    assert fake_ansible.leftovers() == []


@pytest.mark.parametrize("behaviour", ["hang", "flood-for-ever"])
def test_a_reader_that_goes_away_ends_the_job(fake_ansible: Stages, misbehaving: Path, behaviour: str) -> None:
    worker = start_worker(fake_ansible, misbehaving, behaviour)
    assert worker.stdout is not None
    assert worker.stdout.read(100)
    worker.stdout.close()
    worker.stdout = None
    _, stderr = worker.communicate(timeout=LIMIT_SECONDS)
    assert worker.returncode == 74
    assert stderr.decode().startswith("playstream worker: the next stage has exited")
    assert marked_processes(fake_ansible.temporary) == []


def test_a_slow_reader_makes_ansible_wait(fake_ansible: Stages, misbehaving: Path) -> None:
    worker = start_worker(fake_ansible, misbehaving, "flood-for-ever")
    (flooding,) = marked_processes(fake_ansible.temporary)
    written = [0]

    def blocked() -> bool:
        io = Path(f"/proc/{flooding}/io").read_text().splitlines()
        written.append(int(next(line for line in io if line.startswith("wchar:")).split()[1]))
        return written[-1] > 1 << 20 and len(set(written[-5:])) == 1

    wait_until(blocked)
    status = Path(f"/proc/{worker.pid}/status").read_text()
    peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])
    assert peak < 64 << 10
    worker.terminate()
    stdout, _ = worker.communicate(timeout=LIMIT_SECONDS)
    assert worker.returncode == 254
    assert last_status(stdout).status is StatusName.CANCELED


def send_job(worker: subprocess.Popen[bytes], sender: Sender, *records: Record) -> None:
    assert worker.stdin is not None
    for record in records:
        worker.stdin.write(sender.send(record))
    worker.stdin.flush()


def test_a_cancel_record_ends_the_job(fake_ansible: Stages, misbehaving: Path) -> None:
    worker = fake_ansible.start("worker", "--private-data-dir", misbehaving)
    sender = Sender(Direction.JOB)
    send_job(worker, sender, Job("a", playbook="ignore-term.yml"))
    wait_until(lambda: marked_processes(fake_ansible.temporary))
    send_job(worker, sender, Cancel("the user pressed a button"))
    stdout, _ = worker.communicate(sender.end(), timeout=LIMIT_SECONDS)
    assert worker.returncode == 254
    assert last_status(stdout).explanation == "the user pressed a button"
    assert marked_processes(fake_ansible.temporary) == []


def test_a_sender_that_dies_while_the_job_runs_ends_it(fake_ansible: Stages, misbehaving: Path) -> None:
    worker = fake_ansible.start("worker", "--private-data-dir", misbehaving)
    send_job(worker, Sender(Direction.JOB), Job("a", playbook="hang.yml"))
    wait_until(lambda: marked_processes(fake_ansible.temporary))
    stdout, stderr = worker.communicate(timeout=LIMIT_SECONDS)
    status = last_status(stdout)
    assert status.status is StatusName.ERROR
    assert "ended after" in (status.explanation or "")
    assert worker.returncode == 75
    assert len(stderr.splitlines()) == 1
    assert isinstance(read_records(stdout)[-2], Failure)
    assert marked_processes(fake_ansible.temporary) == []


def test_a_signal_before_the_job_has_come_cancels(fake_ansible: Stages) -> None:
    worker = fake_ansible.start("worker")
    wait_until(fake_ansible.leftovers)
    worker.terminate()
    stdout, _ = worker.communicate(timeout=LIMIT_SECONDS)
    assert worker.returncode == 254
    assert last_status(stdout).status is StatusName.CANCELED
    assert fake_ansible.leftovers() == []


def test_heartbeats_come_while_nothing_happens(fake_ansible: Stages, misbehaving: Path) -> None:
    worker = fake_ansible.start("worker", "--keepalive-seconds", "0.05")
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(fake_ansible.transmit(misbehaving, "-p", "hang.yml"))
    worker.stdin.close()
    worker.stdin = None
    receiver = Receiver(Direction.RESULT)
    names: list[str] = []
    while names.count("Heartbeat") < 5 or "Status" not in names:
        receiver.receive_data(os.read(worker.stdout.fileno(), 65536))
        while (record := receiver.next_record()) is not NEED_DATA:
            names.append(type(record).__name__)
    worker.terminate()
    worker.communicate(timeout=LIMIT_SECONDS)
    assert worker.returncode == 254


def test_process_tells_that_the_worker_was_killed_and_keeps_what_came(fake_ansible: Stages, misbehaving: Path) -> None:
    worker = fake_ansible.start("worker")
    process = fake_ansible.start("process", misbehaving, stdin=worker.stdout)
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert worker.stderr is not None
    assert process.stdout is not None
    worker.stdout.close()
    worker.stdin.write(fake_ansible.transmit(misbehaving, "-p", "hang.yml"))
    worker.stdin.close()
    assert process.stdout.readline() == b"waiting\n"
    worker.kill()
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    worker.stderr.close()
    worker.wait(LIMIT_SECONDS)
    assert process.returncode == 75
    assert stderr.decode().startswith("playstream process: error: the stream ended after")
    assert len(stderr.splitlines()) == 1
    artifacts = misbehaving / "artifacts"
    assert (artifacts / "status").read_text() == "error"
    assert (artifacts / "stdout").read_bytes() == b"waiting\r\n"
    assert [event["stdout"] for event in read_events(artifacts)] == ["waiting"]
    wait_until(lambda: not marked_processes(fake_ansible.temporary), 5)
