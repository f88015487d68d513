"""The command line: what it refuses, what it says, and what it ends with."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from playstream.pipeline.protocol import FileEntry, Job
from playstream.pipeline.protocol.order import Direction
from tests.conftest import MakeDir
from tests.processes import BECOMES_NOBODY
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages, read_records

AS_SOMEBODY_ELSE = f"""{BECOMES_NOBODY}
import sys
from playstream.cli.main import main

sys.exit(main(["transmit", sys.argv[1], "-p", "site.yml"]))
"""


@pytest.fixture
def directory(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": "[]\n"})


@pytest.mark.parametrize(
    ("words", "exit_status", "expected"),
    [
        ((), 2, "usage: playstream"),
        (("transmit",), 2, "usage: playstream transmit"),
        (("transmit", "DIR"), 1, "expected something to run, got nothing"),
        (("transmit", "DIR", "-p", "site.yml", "-m", "ping"), 2, "not allowed with argument"),
        (("transmit", "DIR/nowhere", "-p", "site.yml"), 1, "playstream transmit: the private data directory"),
        (("transmit", "DIR", "-p", "nope.yml"), 1, "available: site.yml"),
        (("transmit", "DIR", "-p", "site.yml", "--forks", "0"), 1, "forks: expected an integer of 1 or more"),
        (("transmit", "DIR", "-r", "nope"), 1, "role 'nope' was not found"),
        (("transmit", "DIR", "-r", "ping", "--role-vars", "[1"), 1, "--role-vars, line 1"),
        (("worker", "--keepalive-seconds", "-1"), 1, "--keepalive-seconds: expected a number of seconds"),
        (("worker", "--keepalive-seconds", "nan"), 1, "--keepalive-seconds: expected a number of seconds"),
        (("process", "DIR", "-i", "a/b"), 1, "is not a valid directory name"),
    ],
)
def test_bad_input_is_one_clear_error(
    stages: Stages, directory: Path, words: tuple[str, ...], exit_status: int, expected: str
) -> None:
    done = stages.call(*(word.replace("DIR", str(directory)) for word in words))
    assert done.returncode == exit_status
    assert done.stdout == b""
    assert expected in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_an_unreadable_file_is_an_error_before_a_byte_is_written(stages: Stages, directory: Path) -> None:
    secret = directory / "project" / "secret.yml"
    secret.write_text("x")
    secret.chmod(0)
    for path in (directory, *directory.parents):
        if path.stat().st_uid == os.geteuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", AS_SOMEBODY_ELSE, str(directory)],
        capture_output=True,
        check=False,
        env=stages.env,
        timeout=LIMIT_SECONDS,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert "secret.yml" in done.stderr.decode()


def test_transmit_refuses_a_terminal(directory: Path, stages: Stages) -> None:
    master, slave = pty.openpty()
    done = subprocess.run(
        [*PLAYSTREAM, "transmit", str(directory), "-p", "site.yml"],
        stdout=slave,
        stderr=subprocess.PIPE,
        check=False,
        env=stages.env,
        timeout=LIMIT_SECONDS,
    )
    os.close(slave)
    with pytest.raises(OSError, match="Input/output error"):
        os.read(master, 1)
    os.close(master)
    assert done.returncode == 1
    assert b"standard output is a terminal" in done.stderr


def test_only_the_arguments_travel_when_asked(stages: Stages, directory: Path) -> None:
    stream = stages.transmit(directory, "-p", "site.yml", "--only-transmit-kwargs", "-i", "7")
    job, _end = read_records(stream, Direction.JOB)
    assert isinstance(job, Job)
    assert (job.ident, job.playbook, job.tree) == ("7", "site.yml", False)


def test_what_is_not_sent(stages: Stages, directory: Path) -> None:
    for name in (
        "artifacts/1/stdout",
        "project/.git/config",
        "project/a.log",
        "project/keep.log",
        "env/extravars",
        "env/vault_pass",
        "big/data.bin",
    ):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (directory / ".playstreamignore").write_text(".git/\n*.log\n!keep.log\n")
    stream = stages.transmit(directory, "-p", "site.yml", "--exclude", "/big")
    sent = {record.path.decode() for record in read_records(stream, Direction.JOB) if isinstance(record, FileEntry)}
    assert sent >= {"", "project/site.yml", "project/keep.log", "inventory/hosts", "env/vault_pass"}
    assert not sent & {"artifacts", "project/.git", "project/a.log", "env/extravars", "big"}


@pytest.mark.parametrize(
    ("job", "exit_status", "expected"),
    [
        (b"", 75, "the stream is empty"),
        (b"hello\n", 75, "received no playstream stream"),
    ],
)
def test_a_worker_that_reads_rubbish_says_so_on_both_streams(
    stages: Stages, job: bytes, exit_status: int, expected: str
) -> None:
    done = stages.call("worker", stdin=job)
    assert done.returncode == exit_status
    assert len(done.stderr.splitlines()) == 1
    assert expected in done.stderr.decode()
    _hello, failure, _end = read_records(done.stdout)
    assert expected in repr(failure)
    assert stages.leftovers() == []


def test_every_damage_to_a_job_is_a_failure_record(stages: Stages, directory: Path) -> None:
    stream = stages.transmit(directory, "-p", "site.yml")
    for offset in (0, 15, 16, 25, 40, 60, len(stream) // 2, len(stream) - 5):
        damaged = stream[:offset] + bytes([stream[offset] ^ 0x10]) + stream[offset + 1 :]
        done = stages.call("worker", stdin=damaged)
        assert done.returncode in {75, 76}, offset
        assert len(done.stderr.splitlines()) == 1
        assert type(read_records(done.stdout)[-2]).__name__ == "Failure"


def test_a_closed_output_is_an_error_and_not_a_traceback(stages: Stages, directory: Path) -> None:
    process = stages.start("transmit", directory, "-p", "site.yml")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 74
    assert stderr.decode() == (
        "playstream transmit: the next stage has exited: it finished, or was killed, before this stage was done\n"
    )


def test_version(stages: Stages) -> None:
    assert stages.call("--version").stdout.decode().startswith("playstream 0.")
