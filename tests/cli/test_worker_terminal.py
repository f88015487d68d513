"""A worker refuses terminals, which change the bytes of a stream."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from playstream.pipeline.protocol.frames import MAGIC_START, SHOWN
from tests.stages import LIMIT_SECONDS, Stages


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
    assert stderr.startswith(f"playstream worker: standard {name} is a terminal, which changes streams. ".encode())
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


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_a_stream_that_a_terminal_sends_back(stages: Stages, tmp_path: Path, dialect: str) -> None:
    """`process` does not wait for more when it gets the job instead of results: the worker may hang."""
    job = stages.transmit(tmp_path, "-m", "ping", "--dialect", dialect)
    master, terminal = os.openpty()
    # The native preamble goes on with Control-Z, at which a terminal drops what it has not echoed yet.
    os.write(master, job[: len(MAGIC_START)] if dialect == "playstream" else job[:1000])
    echoed = os.read(master, 1 << 16)
    process = stages.start("process", tmp_path / "demo")
    assert process.stdin is not None
    process.stdin.write(echoed)
    process.stdin.flush()
    assert process.wait(20) == 76
    assert process.stderr is not None
    assert b"without -t" in process.stderr.read()
    process.communicate()
    os.close(terminal)
    os.close(master)
