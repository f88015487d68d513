"""Silence past the limit ends the stage that listens, and names the side that is silent; staying cancels the job."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from playstream.pipeline.errors import SilentPeer
from playstream.pipeline.protocol import Cancel, Failure, Heartbeat, Job, Sender, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from tests.processes import marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_records

NOW = "2026-11-21T10:00:00+00:00"
RUNNER_LINES = b'{"status": "starting", "command": ["a"], "env": {}, "cwd": "/"}\n{"status": "running"}\n'


def process(stages: Stages, tmp_path: Path, *flags: str) -> subprocess.Popen[bytes]:
    return stages.start("process", tmp_path / "here", *flags)


def write(stage: subprocess.Popen[bytes], data: bytes) -> None:
    assert stage.stdin is not None
    stage.stdin.write(data)
    stage.stdin.flush()


@pytest.mark.parametrize("keepalive", [b"", b'{"event": "keepalive", "counter": 0, "uuid": 0}\n'])
def test_process_and_a_silent_worker(stages: Stages, tmp_path: Path, keepalive: bytes) -> None:
    stage = process(stages, tmp_path, "--liveness-seconds", "0.2")
    native = Sender(Direction.RESULT)
    started = native.send(Status(StatusName.RUNNING, NOW)) + native.send(Heartbeat())
    write(stage, RUNNER_LINES + keepalive if keepalive else started)
    assert stage.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    assert b"the worker has been silent for 0.2 seconds" in stage.communicate()[1]
    assert (tmp_path / "here" / "artifacts" / "status").read_text() == "error"


def test_process_and_a_worker_that_never_speaks(stages: Stages, tmp_path: Path) -> None:
    stage = process(stages, tmp_path, "--liveness-seconds", "0.1")
    assert stage.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    stderr = stage.communicate()[1]
    assert b"silent for 0.5 seconds" in stderr
    assert b"or a terminal on the way has stopped: call ssh, docker and podman without -t" in stderr


@pytest.mark.parametrize(
    ("flags", "data"),
    [
        (("--liveness-seconds", "0.1"), RUNNER_LINES),
        (
            ("--liveness-seconds", "0.1"),
            b'{"uuid":"1","counter":1,"event":"verbose","stdout":"","start_line":0,"end_line":0}\n',
        ),
        (("--liveness-seconds", "0"), Sender(Direction.RESULT).send(Status(StatusName.RUNNING, NOW))),
    ],
)
def test_process_bears_the_silence_of_who_has_no_heartbeat(
    stages: Stages, tmp_path: Path, flags: tuple[str, ...], data: bytes
) -> None:
    stage = process(stages, tmp_path, *flags)
    write(stage, data)
    with pytest.raises(subprocess.TimeoutExpired):
        stage.wait(1.5)
    stdout, stderr = stage.communicate(timeout=LIMIT_SECONDS)
    assert b"silent" not in stdout + stderr
    assert stage.returncode == 75


def test_a_worker_and_a_silent_transmit(stages: Stages) -> None:
    worker = stages.start("worker", "--liveness-seconds", "0.2")
    write(worker, Sender(Direction.JOB).send(Job("1", tree=True, playbook="x.yml")))
    assert worker.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    stdout, stderr = worker.communicate()
    assert b"the transmit stage has been silent for 0.2 seconds" in stderr
    failures = [record for record in read_records(stdout) if isinstance(record, Failure)]
    assert [failure.error for failure in failures] == ["SilentPeer"]
    assert stages.leftovers() == []


def test_a_worker_whose_open_link_falls_silent_ends_the_job(fake_ansible: Stages, misbehaving: Path) -> None:
    worker = fake_ansible.start("worker", "--liveness-seconds", "0.5", "--private-data-dir", misbehaving)
    sender = Sender(Direction.JOB)
    write(worker, sender.send(Job("1", playbook="hang.yml")))
    assert worker.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    statuses = [r.status for r in read_records(worker.communicate()[0]) if isinstance(r, Status)]
    assert statuses[-1] is StatusName.ERROR
    wait_until(lambda: not marked_processes(fake_ansible.temporary))


def test_a_worker_whose_reader_takes_nothing_gives_up(fake_ansible: Stages, misbehaving: Path) -> None:
    job = fake_ansible.transmit(misbehaving, "-p", "flood-for-ever.yml")
    worker = fake_ansible.start("worker", "--liveness-seconds", "0.2")
    write(worker, job)
    assert worker.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    assert b"the process stage has read nothing for 1 seconds" in worker.communicate()[1]
    wait_until(lambda: not marked_processes(fake_ansible.temporary))
    assert fake_ansible.leftovers() == []


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_transmit_whose_worker_takes_nothing_gives_up(stages: Stages, misbehaving: Path, dialect: str) -> None:
    (misbehaving / "project" / "large").write_bytes(os.urandom(4 << 20))
    words = ("-p", "quiet.yml", "--dialect", dialect, "--liveness-seconds", "0.2")
    stage = stages.start("transmit", misbehaving, *words)
    assert stage.stderr is not None
    assert b"the worker has read nothing for 1 seconds" in stage.stderr.read()
    assert stage.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    stage.communicate()


def test_transmit_says_that_it_lives(stages: Stages, misbehaving: Path) -> None:
    stage = stages.start("transmit", misbehaving, "-p", "quiet.yml", "--hold", "--keepalive-seconds", "0.1")
    assert stage.stdout is not None
    data = b""
    while data.count(b"\xf5\x00PS") < 6:
        data += os.read(stage.stdout.fileno(), 1 << 16)
    stage.send_signal(signal.SIGINT)
    data += stage.communicate(timeout=LIMIT_SECONDS)[0]
    assert stage.returncode == 254
    records = read_records(data, Direction.JOB)
    assert sum(isinstance(record, Heartbeat) for record in records) >= 3
    assert [record.reason for record in records if isinstance(record, Cancel)] == ["canceled by SIGINT"]


def test_a_signal_to_transmit_that_stays_cancels_the_job(fake_ansible: Stages, misbehaving: Path) -> None:
    transmit = fake_ansible.start("transmit", misbehaving, "-p", "hang.yml", "--hold")
    worker = fake_ansible.start("worker", stdin=transmit.stdout)
    assert transmit.stdout is not None
    transmit.stdout.close()
    wait_until(lambda: len(marked_processes(fake_ansible.temporary)) >= 1)
    transmit.send_signal(signal.SIGTERM)
    stdout, _stderr = worker.communicate(timeout=LIMIT_SECONDS)
    transmit.communicate(timeout=LIMIT_SECONDS)
    assert (transmit.returncode, worker.returncode) == (254, 254)
    last = [record for record in read_records(stdout) if isinstance(record, Status)][-1]
    assert (last.status, last.explanation) == (StatusName.CANCELED, "canceled by SIGTERM")


def test_transmit_that_stays_ends_with_its_worker(fake_ansible: Stages, misbehaving: Path) -> None:
    transmit = fake_ansible.start("transmit", misbehaving, "-p", "quiet.yml", "--hold")
    worker = fake_ansible.start("worker", stdin=transmit.stdout, stdout=subprocess.DEVNULL)
    assert transmit.stdout is not None
    transmit.stdout.close()
    for stage in (worker, transmit):
        stage.communicate(timeout=LIMIT_SECONDS)
    assert (worker.returncode, transmit.returncode) == (0, 0)


def test_the_runner_dialect_cannot_cancel(stages: Stages, misbehaving: Path) -> None:
    done = stages.call("transmit", misbehaving, "-p", "quiet.yml", "--hold", "--dialect", "runner")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"cannot cancel a job" in done.stderr
