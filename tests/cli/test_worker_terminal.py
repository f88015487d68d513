"""A worker refuses terminals, which change the bytes of a stream."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyrage import x25519

from playstream.pipeline.dialect import LIVE_START, REFUSAL, FirstBytes
from playstream.pipeline.protocol.frames import MAGIC_START, SHOWN
from tests.cli.typist import Typist
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, Stages


@pytest.mark.parametrize("name", ["input", "output"])
def test_a_worker_refuses_a_terminal(stages: Stages, tmp_path: Path, name: str) -> None:
    job = stages.transmit(tmp_path, "-m", "ping")
    master, terminal = os.openpty()
    if name == "input":
        worker = stages.start("worker", stdin=terminal)
        stdout, stderr = worker.communicate(timeout=LIMIT_SECONDS)
    else:
        worker = stages.start("worker", stdout=terminal)
        _, stderr = worker.communicate(job, timeout=LIMIT_SECONDS)
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 1)
        stdout = b""
    os.close(terminal)
    os.close(master)
    assert (worker.returncode, stdout) == (1, b"")
    expected = f"playstream worker: call ssh, docker or podman without -t: standard {name} is a terminal, "
    assert stderr.startswith(expected.encode())
    assert b"without -t" in stderr[:SHOWN], "process shows the first bytes of what it receives"
    assert stages.leftovers() == []


def test_what_is_no_job_may_use_a_terminal(stages: Stages) -> None:
    master, terminal = os.openpty()
    for words in (("--worker-info",), ("cleanup", "--file-pattern", "/nowhere/x*")):
        worker = stages.start("worker", *words, stdin=terminal)
        _, stderr = worker.communicate(timeout=LIMIT_SECONDS)
        assert (worker.returncode, stderr) == (0, b"")
    os.close(terminal)
    os.close(master)


def test_the_worker_of_ansible_runner_reads_a_terminal(stages: Stages) -> None:
    master, terminal = os.openpty()
    command = [sys.executable, "-m", "playstream.compat", "-m", "ansible_runner", "worker"]
    worker = subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=stages.env)
    os.write(master, b"nonsense\n\x04")
    stdout, stderr = worker.communicate(timeout=LIMIT_SECONDS)
    os.close(terminal)
    os.close(master)
    assert b'"status": "error"' in stdout, stderr
    assert b"terminal" not in stderr


@pytest.mark.parametrize(
    ("dialect", "keys", "length"),
    [
        # These preambles go on with Control-Z, at which a terminal drops what it has not echoed yet.
        ("playstream", (), len(MAGIC_START)),
        ("runner", (), 1000),
        ("playstream", ("--encrypt-to",), len(LIVE_START)),
        ("runner", ("--encrypt-to",), len(LIVE_START)),
        ("playstream", ("--encrypt-to", "--identity"), len(LIVE_START)),
    ],
)
def test_a_stream_that_a_terminal_sends_back(
    stages: Stages, tmp_path: Path, dialect: str, keys: tuple[str, ...], length: int
) -> None:
    """`process` does not wait for more when it gets the job instead of results: the worker may hang."""
    key = x25519.Identity.generate()
    (tmp_path / "key").write_text(str(key))
    values = {"--encrypt-to": str(key.to_public()), "--identity": str(tmp_path / "key")}
    encrypted = [word for name in keys[:1] for word in (name, values[name])]
    job = stages.transmit(tmp_path, "-m", "ping", "--dialect", dialect, *encrypted)
    master, terminal = os.openpty()
    os.write(master, job[:length])
    expected = job[:length].replace(b"\n", b"\r\n").replace(b"\0", b"^@")
    echoed = b""
    while len(echoed) < len(expected):
        echoed += os.read(master, 1 << 16)
    assert echoed == expected
    process = stages.start("process", tmp_path / "demo", *(word for name in keys[1:] for word in (name, values[name])))
    assert process.stdin is not None
    process.stdin.write(echoed)
    process.stdin.flush()
    assert process.wait(20) == 76
    assert process.stderr is not None
    assert b"without -t" in process.stderr.read()
    process.communicate()
    os.close(terminal)
    os.close(master)


@pytest.mark.parametrize("words", [(), ("--identity",)])
@pytest.mark.parametrize(
    "echoed",
    [
        b"^C \x9c^Xq\x08 \x08",
        b"^\\\xab^N^Ep\x92O\xae^X+l\x99(^]\x8c\xe7\xcd\xdd^_",
    ],
    ids=["two", "many"],
)
def test_a_stream_of_which_a_terminal_sends_back_a_part(
    stages: Stages, tmp_path: Path, words: tuple[str, ...], echoed: bytes
) -> None:
    """It drops what it has not shown yet when ^C or ^Z arrives; an encrypted job has any bytes."""
    (tmp_path / "key").write_text(str(x25519.Identity.generate()))
    process = stages.start("process", tmp_path, *(word for name in words for word in (name, tmp_path / "key")))
    assert process.stdin is not None
    process.stdin.write(echoed)
    process.stdin.flush()
    assert process.wait(20) == 76
    _, stderr = process.communicate()
    assert stderr.decode().startswith("playstream process: error: a terminal on the way has changed the stream")


@pytest.mark.parametrize("words", [(), ("--identity",)])
def test_a_worker_that_has_refused_a_terminal_is_understood(
    stages: Stages, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Its message comes from the terminal, in lines of its width, after what that has left of the job."""
    user = Typist([*PLAYSTREAM, "worker"], stages.env, columns=50)
    assert user.end() == 1
    refusal = str(user.child.before).encode()
    assert REFUSAL.encode() not in refusal, "it is wrapped"
    user.close()
    (tmp_path / "key").write_text(str(x25519.Identity.generate()))
    done = stages.call(
        "process", tmp_path, *(word for name in words for word in (name, tmp_path / "key")), stdin=b"w^Z\r\n" + refusal
    )
    assert done.returncode == 76
    assert done.stderr.startswith(b"playstream process: error: a terminal on the way has changed the stream")


@pytest.mark.parametrize(
    "banner",
    [
        b"Stop with ^C or ^Z\r\n",
        "^C f\N{LATIN SMALL LETTER U WITH DIAERESIS}r ^Z".encode("latin-1"),
        "^A^B caf\N{LATIN SMALL LETTER E WITH ACUTE}".encode(),
        b"\x80\x9c",
    ],
)
def test_a_banner_is_not_taken_for_an_echo(banner: bytes) -> None:
    assert FirstBytes().receive_data(banner) is None
