"""The stages as users run them, with encryption in one direction or both, and with age itself in between."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from playstream.pipeline.errors import (
    CANCELED_EXIT_STATUS,
    ConfigurationError,
    IncompleteStream,
    RemoteProtocolError,
    SilentPeer,
)
from playstream.pipeline.protocol import Failure
from tests.e2e.age.conftest import Key
from tests.processes import Repeating, children, wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_records
from tests.stress.faults.met import look

LIVE = b"\xf5\x00ps-age\r\n\x1a\n\x01"
FILE = b"age-encryption.org/v1\n"


def age(*words: str | Path, stdin: bytes) -> bytes:
    """What the reference implementation makes of a stream."""
    return subprocess.run(["age", *words], input=stdin, check=True, capture_output=True).stdout


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
@pytest.mark.parametrize("name", ["age", "ed25519", "rsa"])
def test_both_streams_are_encrypted(
    stages: Stages, directory: Path, keys: dict[str, Key], tmp_path: Path, name: str, dialect: str
) -> None:
    key = keys[name]
    (tmp_path / "recipients").write_text(f"# the worker\n{key.recipient}\n")
    job = stages.transmit(directory, "-p", "site.yml", "--dialect", dialect, "--encrypt-to", f"@{tmp_path}/recipients")
    assert job.startswith(LIVE)
    assert b"site.yml" not in job
    served = stages.call("worker", "--identity", key.identity, "--encrypt-to", keys["other"].recipient, stdin=job)
    assert (served.returncode, served.stderr) == (0, b"")
    assert served.stdout.startswith(LIVE)
    shown = stages.call("process", directory, "--identity", keys["other"].identity, stdin=served.stdout)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert b"Hello from node1" in shown.stdout
    assert stages.leftovers() == []


def test_stages_joined_by_pipes(stages: Stages, directory: Path, keys: dict[str, Key]) -> None:
    run = stages.run(
        directory,
        "-p",
        "site.yml",
        "--encrypt-to",
        keys["other"].recipient,
        "--encrypt-to",
        keys["age"].recipient,
        worker=(
            "--identity",
            str(keys["rsa"].identity),
            "--identity",
            str(keys["age"].identity),
            "--encrypt-to",
            keys["ed25519"].recipient,
        ),
        process=("--identity", str(keys["ed25519"].identity)),
    )
    assert run.exit_statuses == (0, 0, 0), run.stderr
    assert "Hello from node1" in run.stdout


def capture(stages: Stages, path: Path, *words: str | Path, stdin: bytes = b"") -> bytes:
    """What a stage writes to a regular file."""
    with path.open("wb") as file:
        stage = stages.start(*words, stdout=file)
        _, stderr = stage.communicate(stdin, timeout=LIMIT_SECONDS)
    assert (stage.returncode, stderr) == (0, b"")
    return path.read_bytes()


def test_age_itself_decrypts_and_encrypts(
    stages: Stages, directory: Path, keys: dict[str, Key], tmp_path: Path
) -> None:
    key = keys["age"]
    recipients = ("--encrypt-to", key.recipient, "--encrypt-to", keys["ed25519"].recipient)
    job = capture(stages, tmp_path / "job.age", "transmit", directory, "-p", "site.yml", *recipients)
    assert job.startswith(FILE)
    plain = age("-d", "-i", keys["ed25519"].identity, stdin=job)
    assert stages.call("worker", stdin=plain).returncode == 0
    for armor in ((), ("-a",)):
        again = b"Last login: today\n" + age(*armor, "-r", key.recipient, stdin=plain)
        served = stages.call("worker", "--identity", key.identity, stdin=again)
        assert served.returncode == 0, served.stderr.decode()
        assert b"skipped 18 bytes of other output before the encrypted stream: b'Last login: today" in served.stderr
    words = ("--identity", key.identity, "--encrypt-to", key.recipient)
    results = capture(stages, tmp_path / "run.age", "worker", *words, stdin=job)
    assert results.startswith(FILE)
    assert stages.call("process", directory, stdin=age("-d", "-i", key.identity, stdin=results)).returncode == 0
    assert stages.call("process", directory, "--identity", key.identity, stdin=results).returncode == 0


def refuse(stages: Stages, directory: Path, stream: bytes, *words: str | Path) -> tuple[int, str]:
    """A worker's status and words, which are the other side's too."""
    done = stages.call("worker", *words, stdin=stream)
    (failure,) = [record for record in read_records(done.stdout) if isinstance(record, Failure)]
    stderr = done.stderr.decode()
    assert stderr == f"playstream worker: {failure.message}\n"
    told = stages.call("process", directory, stdin=done.stdout)
    assert failure.message in told.stderr.decode()
    assert told.returncode != 0
    assert stages.leftovers() == []
    return done.returncode, stderr


def test_what_does_not_fit_together_is_told_to_both_sides(
    stages: Stages, directory: Path, keys: dict[str, Key], tmp_path: Path
) -> None:
    plain = stages.transmit(directory, "-p", "site.yml")
    recipient = ("--encrypt-to", keys["age"].recipient)
    job = stages.transmit(directory, "-p", "site.yml", *recipient)
    file = capture(stages, tmp_path / "job.age", "transmit", directory, "-p", "site.yml", *recipient)
    ours = ("--identity", keys["age"].identity)
    for stream, words, status, text in (
        (job, ("--identity", keys["other"].identity), RemoteProtocolError, "none of the keys"),
        (plain, ours, RemoteProtocolError, "expected an encrypted stream, got an unencrypted one"),
        (job, (), RemoteProtocolError, "--identity FILE"),
        (b"Welcome!\n" + job, (), RemoteProtocolError, "--identity FILE"),
        (job[:-10], ours, IncompleteStream, "ended within batch"),
        (job[:100], ours, IncompleteStream, "ended within batch 0"),
        (b"\xf5^@" + job[2:], ours, RemoteProtocolError, "a terminal on the way has changed the stream"),
        (file, ("--identity", keys["other"].identity), RemoteProtocolError, "none of the keys"),
        (file, (), RemoteProtocolError, "or decrypt the stream with age before this stage"),
        (file[:-10], ours, IncompleteStream, "ended early"),
        (file[:100], ours, IncompleteStream, "ended within its header"),
        (b"", ours, IncompleteStream, "the stream is empty"),
    ):
        exit_status, stderr = refuse(stages, directory, stream, *words)
        assert (exit_status, text in stderr) == (status.exit_status, True), stderr


def test_results_that_do_not_fit(stages: Stages, directory: Path, keys: dict[str, Key]) -> None:
    plain = stages.transmit(directory, "-p", "site.yml")
    key = keys["age"]
    results = stages.call("worker", "--encrypt-to", key.recipient, stdin=plain).stdout
    for stream, words, status, text in (
        (results, ("--identity", keys["other"].identity), RemoteProtocolError, "none of the keys"),
        (plain, ("--identity", key.identity), RemoteProtocolError, "got an unencrypted one"),
        (results, (), RemoteProtocolError, "--identity FILE"),
        (results[:-10], ("--identity", key.identity), IncompleteStream, "ended within batch"),
    ):
        done = stages.call("process", directory, *words, stdin=stream)
        assert (done.returncode, text in done.stderr.decode()) == (status.exit_status, True), done.stderr.decode()
        assert (directory / "artifacts" / "status").read_text() == "error"


@pytest.mark.parametrize(
    "words",
    [
        ("transmit", "DIR", "-p", "site.yml", "--encrypt-to", "somebody"),
        ("transmit", "DIR", "-p", "missing.yml", "--encrypt-to", "KEY"),
        ("worker", "--identity", "/nowhere"),
        ("worker", "--encrypt-to", "somebody"),
        ("process", "DIR", "--identity", "/nowhere"),
    ],
)
def test_wrong_flags_write_nothing(
    stages: Stages, directory: Path, keys: dict[str, Key], words: tuple[str, ...]
) -> None:
    given = {"DIR": str(directory), "KEY": keys["age"].recipient}
    done = stages.call(*(given.get(word, word) for word in words))
    assert (done.returncode, done.stdout) == (ConfigurationError.exit_status, b""), done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert not (directory / "artifacts").exists()


def test_a_job_ends_when_the_reader_of_its_encrypted_results_has_gone(
    stages: Stages, keys: dict[str, Key], directory: Path
) -> None:
    waiting = "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: sleep 600\n"
    (directory / "project" / "wait.yml").write_text(waiting)
    worker = stages.start("worker", "--encrypt-to", keys["age"].recipient)
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert worker.stderr is not None
    with worker.stdin, worker.stdout, worker.stderr:
        worker.stdin.write(stages.transmit(directory, "-p", "wait.yml"))
        worker.stdin.flush()
        worker.stdout.close()
        assert worker.wait(60) != 0
    assert stages.leftovers() == []


@pytest.fixture
def full() -> Iterator[socket.socket]:
    """A link that takes nothing, and whose other end stays."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with suppress(BlockingIOError):
            while ours.send(bytes(1 << 16)):
                pass
        ours.setblocking(True)
        yield ours


@pytest.fixture
def job(stages: Stages, directory: Path, tmp_path: Path) -> Iterator[IO[bytes]]:
    """A job that ends at once, and says so in the file `done`."""
    program = tmp_path / "fakes" / "ansible-playbook"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho hello\n: > {tmp_path}/done\n")
    program.chmod(0o755)
    stages.path_before.append(program.parent)
    (tmp_path / "job").write_bytes(stages.transmit(directory, "-p", "site.yml"))
    with (tmp_path / "job").open("rb") as file:
        yield file


@pytest.mark.parametrize("stage", ["transmit", "worker"])
def test_a_reader_that_takes_nothing(
    stages: Stages, directory: Path, keys: dict[str, Key], job: IO[bytes], full: socket.socket, stage: str
) -> None:
    """It is noticed after as long as without encryption."""
    words = ("transmit", directory, "-p", "site.yml") if stage == "transmit" else ("worker",)
    reader = "worker" if stage == "transmit" else "process stage"
    started = stages.start(
        *words, "--encrypt-to", keys["age"].recipient, "--liveness-seconds", "0.2", stdin=job, stdout=full
    )
    _, stderr = started.communicate(timeout=LIMIT_SECONDS)
    assert (started.returncode, f"the {reader} has read nothing for 1 seconds" in stderr.decode()) == (
        SilentPeer.exit_status,
        True,
    ), stderr
    assert stages.leftovers() == []


def test_signals_while_the_other_side_hangs(
    stages: Stages, directory: Path, keys: dict[str, Key], job: IO[bytes], full: socket.socket, tmp_path: Path
) -> None:
    """After the end of the job one signal leaves 5 s for delivery, and a second one none; `process` hears one too."""
    hanging = stages.start("process", directory, "--identity", keys["age"].identity)
    assert hanging.stdin is not None
    hanging.stdin.write(age("-r", keys["age"].recipient, stdin=bytes(1 << 17))[: 1 << 10])
    hanging.stdin.flush()
    workers = []
    for _ in range(2):
        job.seek(0)
        worker = stages.start("worker", "--encrypt-to", keys["age"].recipient, stdin=job, stdout=full)
        wait_until(lambda: (tmp_path / "done").exists() and not children(worker.pid), LIMIT_SECONDS)  # noqa: B023
        (tmp_path / "done").unlink()
        worker.terminate()
        workers.append(worker)
    wait_until(lambda: (found := look(hanging.pid)) is not None and found.handles, LIMIT_SECONDS)
    hanging.terminate()
    once, twice = workers
    with Repeating(twice.terminate, 0.05):
        assert twice.wait(LIMIT_SECONDS) == -signal.SIGTERM
    _, stderr = once.communicate(timeout=LIMIT_SECONDS)
    assert once.returncode == SilentPeer.exit_status, stderr
    assert b"canceled by SIGTERM, and the process stage did not read the remaining output within 5 seconds" in stderr
    assert hanging.wait(LIMIT_SECONDS) == CANCELED_EXIT_STATUS
    for process in (*workers, hanging):
        process.communicate()
    assert stages.leftovers() == []
