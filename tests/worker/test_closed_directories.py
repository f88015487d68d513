"""A job whose tree brings directories that nobody may write, and that makes more, leaves nothing, whoever runs it."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from playstream.pipeline.protocol import FileData, Job, Record, TreeEnd
from playstream.pipeline.protocol.order import Direction
from tests.hostile.streams import JOB, ROOT, directory, file, native
from tests.processes import MODES_BIND, guards_of, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages

CLOSE = 'mkdir -p "$PLAYSTREAM_SPOOL/run/made/below" && chmod 0 "$PLAYSTREAM_SPOOL/run/made"'
STAY = f"{CLOSE}; exec sleep 600"
USERS = pytest.mark.parametrize("prefix", [(), MODES_BIND], ids=["this-user", "modes-bind"])


def stream(job: Job) -> bytes:
    """A job stream whose tree has a directory of mode 0555 with something in it."""
    tree: list[Record] = [ROOT, directory(b"closed", 0o555), file(b"closed/file", 1), FileData(b"x"), TreeEnd(3, 1)]
    return native([replace(job, tree=True), *tree], Direction.JOB)


def shell_job(script: str) -> Job:
    return Job("run", command=("/bin/sh", "-c", script))


def call(stages: Stages, prefix: tuple[str, ...], job: Job, *words: str | Path) -> None:
    worker = stages.start("worker", *words, prefix=prefix)
    _, stderr = worker.communicate(stream(job), timeout=LIMIT_SECONDS)
    assert (worker.returncode, stderr) == (0, b"")


def start(stages: Stages, prefix: tuple[str, ...], *words: str | Path) -> subprocess.Popen[bytes]:
    """A worker whose job has closed its directories."""
    worker = stages.start("worker", *words, prefix=prefix)
    assert worker.stdin is not None
    worker.stdin.write(stream(shell_job(STAY)))
    worker.stdin.flush()
    wait_until(lambda: any(
        (root / "run/made").exists() and not (root / "run/made").stat().st_mode & 0o777 for root in stages.leftovers()
    ))
    return worker


def kill(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.communicate(timeout=LIMIT_SECONDS)


@USERS
@pytest.mark.parametrize("delete", [False, True])
def test_a_worker_that_ends(stages: Stages, tmp_path: Path, prefix: tuple[str, ...], delete: bool) -> None:
    place = tmp_path / "x"
    words = ("--private-data-dir", place, "--delete") if delete else ()
    if delete:
        (place / "old/below").mkdir(parents=True)
        (place / "old").chmod(0o555)
    call(stages, prefix, shell_job(CLOSE), *words)
    assert stages.leftovers() == []
    assert not place.exists()


@USERS
@pytest.mark.parametrize("delete", [False, True])
def test_a_worker_that_is_killed(stages: Stages, tmp_path: Path, prefix: tuple[str, ...], delete: bool) -> None:
    place = tmp_path / "x"
    kill(start(stages, prefix, *(("--private-data-dir", place, "--delete") if delete else ())))
    wait_until(lambda: stages.leftovers() == [] and not place.exists())


@USERS
def test_a_worker_that_is_killed_with_its_guard(stages: Stages, prefix: tuple[str, ...]) -> None:
    worker = start(stages, prefix)
    os.kill(worker.pid, signal.SIGSTOP)
    os.kill(guards_of(worker.pid)[0], signal.SIGKILL)
    kill(worker)
    assert len(stages.leftovers()) == 1
    call(stages, prefix, JOB)
    assert stages.leftovers() == []
    assert marked_processes(stages.temporary) == []
