"""Runs that are captured while they are received: the file has what the run had, and never changes the run."""

from __future__ import annotations

import io
import os
import stat
import subprocess
from pathlib import Path

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import Event, FileEntry, Record, Status
from tests.captures.reading import a_run, an_event, read
from tests.conftest import MakeDir
from tests.processes import wait_until
from tests.stages import Stages, read_events

PLAY = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: {msg: hello}\n"
LARGE = (
    "- hosts: all\n  gather_facts: false\n  tasks:\n" + 20 * "    - shell: head -c 100000 /dev/urandom | base64 -w 0\n"
)
"""The events together are much larger than each, and cannot be compressed."""


def records_of(file: Path) -> list[Record]:
    """The records of a whole capture."""
    done = read(file.read_bytes())
    assert done.error is None
    return [piece.item for piece in done.pieces]  # type: ignore[misc]  # they are records


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": PLAY, "large.yml": LARGE})


def check_capture(file: Path, artifacts: Path) -> None:
    """The file has the run whose artifacts are there, and only this user can read it."""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    records = records_of(file)
    events = [record for record in records if isinstance(record, Event)]
    assert [event.counter for event in events] == [event["counter"] for event in read_events(artifacts)]
    statuses = [record.status.value for record in records if isinstance(record, Status)]
    assert statuses == ["starting", "running", (artifacts / "status").read_text()]
    assert any(isinstance(record, FileEntry) and record.path == b"stdout" for record in records)


def test_a_run_of_this_host(stages: Stages, demo: Path, tmp_path: Path) -> None:
    file = tmp_path / "run"
    done = stages.call("run", demo, "-p", "site.yml", "-i", "x", "--capture", file)
    assert (done.returncode, done.stderr) == (0, b"")
    check_capture(file, demo / "artifacts" / "x")
    other = tmp_path / "other"
    done = stages.call("process", other, stdin=file.read_bytes())
    assert done.returncode == 0
    for name in ("stdout", "status", "rc", "command"):
        assert (other / "artifacts" / name).read_bytes() == (demo / "artifacts" / "x" / name).read_bytes()


def test_a_run_on_another_host(stages: Stages, demo: Path, tmp_path: Path) -> None:
    file = tmp_path / "run"
    on = ("--on", "exec:playstream worker")
    done = stages.call("run", demo, "-p", "site.yml", "-i", "x", *on, "--capture", file)
    assert done.returncode == 0, done.stderr
    check_capture(file, demo / "artifacts" / "x")


def test_a_failed_run_without_a_directory(stages: Stages, tmp_path: Path) -> None:
    file = tmp_path / "run"
    done = stages.call("adhoc", "localhost", "-i", "localhost,", "-c", "local", "-a", "false", "--capture", file)
    assert done.returncode == 2
    last = [record for record in records_of(file) if isinstance(record, Status)][-1]
    assert (last.status.value, last.rc) == ("failed", 2)


def test_python(demo: Path, tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_text("an earlier one")
    with pytest.raises(ConfigurationError, match=r"capture: .* exists"):
        playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, capture=file)
    assert file.read_text() == "an earlier one"
    assert not (demo / "artifacts").exists() or not list((demo / "artifacts").glob("*/job_events"))
    file.chmod(0o644)
    runner = playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, capture=file, force=True)
    check_capture(file, runner.artifact_path)

    copy = tmp_path / "copy"
    stream = file.read_bytes()
    other = playstream.run(
        streamer="process", _input=io.BytesIO(stream), private_data_dir=tmp_path / "other", quiet=True, tee=copy
    )
    assert other.status == "successful"
    assert copy.read_bytes() == stream
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tee": "x"}, "tee: concerns the process stage"),
        ({"force": True}, "force: expected a file to replace"),
        ({"capture": "x", "streamer": "worker"}, "capture: expected a run with results"),
        ({"capture": "/nowhere/x"}, "capture: '/nowhere/x' cannot be created"),
        ({"capture": "/dev/null", "force": True}, "is not a regular file"),
    ],
)
def test_what_cannot_be_kept(demo: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True, **options)  # type: ignore[arg-type]
    assert not list(demo.glob("artifacts/*/job_events"))


def test_tee(stages: Stages, tmp_path: Path) -> None:
    stream = a_run(an_event(1), an_event(2))
    file = tmp_path / "copy"
    done = stages.call("process", tmp_path / "demo", "--tee", file, stdin=b"Welcome!\n" + stream)
    assert done.returncode == 0
    assert file.read_bytes() == b"Welcome!\n" + stream
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    done = stages.call("process", tmp_path / "demo", "--tee", file, stdin=stream)
    assert done.returncode == 1
    assert b"--tee: " in done.stderr
    assert b"--force" in done.stderr
    assert stages.call("process", tmp_path / "demo", "--tee", file, "--force", stdin=stream[:-9]).returncode == 75
    assert file.read_bytes() == stream[:-9]


def test_the_copy_of_an_encrypted_stream_is_refused(stages: Stages, tmp_path: Path) -> None:
    vectors = Path(__file__).parents[1] / "vectors" / "encrypted-1"
    words = ("process", tmp_path / "demo", "--tee", tmp_path / "copy", "--identity", vectors / "identity")
    done = stages.call(*words, stdin=(vectors / "live.bin").read_bytes())
    assert done.returncode == 1
    assert b"would not be encrypted" in done.stderr
    assert not (tmp_path / "copy").exists()


def test_a_full_disk_ends_the_capture_and_not_the_run(stages: Stages, demo: Path, tmp_path: Path) -> None:
    """The limit on the size of files stands for the disk: each artifact is smaller."""
    file = tmp_path / "run"
    words = ("run", demo, "-p", "large.yml", "-i", "x", "--capture", file)
    process = stages.start(*words, prefix=("prlimit", "--fsize=1000000"))
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert stderr.count(b"is not complete: ") == 1
    assert b"The run continues" in stderr
    artifacts = demo / "artifacts" / "x"
    assert (artifacts / "status").read_text() == "successful"
    assert file.stat().st_size == 1000000
    done = read(file.read_bytes())
    assert done.error is not None
    assert 1 < len(done.pieces) < len(os.listdir(artifacts / "job_events"))


@pytest.fixture
def waiting(stages: Stages, demo: Path, tmp_path: Path) -> subprocess.Popen[bytes]:
    """A run that has reached a task which does not end, and is captured in the file `run`."""
    task = f"    - command: sh -c 'echo > {tmp_path}/reached; exec sleep 1000'\n"
    (demo / "project" / "wait.yml").write_text(PLAY + task)
    process = stages.start("run", demo, "-p", "wait.yml", "-i", "x", "--capture", tmp_path / "run")
    wait_until((tmp_path / "reached").exists, 60)
    return process


def test_a_run_that_is_killed_leaves_what_was_there(waiting: subprocess.Popen[bytes], tmp_path: Path) -> None:
    file = tmp_path / "run"
    wait_until(lambda: any(isinstance(piece.item, Event) for piece in read(file.read_bytes()).pieces), 60)
    waiting.kill()
    waiting.communicate()
    assert "up to its End record" in str(read(file.read_bytes()).error)


def test_a_canceled_run_is_whole(waiting: subprocess.Popen[bytes], tmp_path: Path) -> None:
    waiting.terminate()
    waiting.communicate()
    last = [record for record in records_of(tmp_path / "run") if isinstance(record, Status)][-1]
    assert last.status.value == "canceled"
