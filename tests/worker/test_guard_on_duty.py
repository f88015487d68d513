"""SIGKILL of a worker, or of a program that runs a job, at any moment of a spool's life: the guard removes it."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from playstream.pipeline.errors import JobError
from playstream.pipeline.protocol import FileData, Job, Record, Sender
from playstream.pipeline.protocol.order import Direction
from playstream.worker.command import Command
from playstream.worker.guard import Guard
from playstream.worker.launch import Launch
from playstream.worker.paths import Paths
from playstream.worker.terminal import Terminal
from tests.interface.conftest import make_demo
from tests.interface.programs import fake, start_program
from tests.pipeline.runner_dialect.wire import END, archive, carry, line
from tests.processes import children, guards_of, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages
from tests.stress.hostile.streams import JOB, KWARGS, ROOT, file, native, zipped

SIZE = 1 << 20
"""More than a pipe holds, so that who has written as much knows that it is being read."""
LEAVING = (
    "setsid sleep 600 </dev/null >/dev/null 2>&1 & "
    f'head -c {32 * SIZE} /dev/urandom > "$PLAYSTREAM_SPOOL/data/artifacts/run/large"'
)
"""Leaves a process running on purpose, and more artifacts than the worker keeps in memory for a reader."""


def native_head() -> bytes:
    """A job stream up to the middle of a file of its tree."""
    sender = Sender(Direction.JOB)
    records: list[Record] = [replace(JOB, tree=True), ROOT, file(b"large", 4 * SIZE), FileData(os.urandom(SIZE))]
    return b"".join(sender.send(record) for record in records)


def runner_head() -> bytes:
    """The same in the runner dialect."""
    stream = line(kwargs=KWARGS) + carry(archive(zipped("large", os.urandom(4 * SIZE))))
    return stream[: 2 * SIZE]


HEADS = {"native": native_head, "runner": runner_head}


def start_receiving(stages: Stages, dialect: str, *words: str | Path) -> subprocess.Popen[bytes]:
    """A worker that has half of a tree."""
    worker = stages.start("worker", *words)
    assert worker.stdin is not None
    worker.stdin.write(HEADS[dialect]())
    worker.stdin.flush()
    return worker


def kill(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=LIMIT_SECONDS)


@pytest.mark.parametrize("dialect", HEADS)
def test_a_worker_that_receives_a_tree_is_killed(stages: Stages, dialect: str) -> None:
    worker = start_receiving(stages, dialect)
    assert len(stages.leftovers()) == 1
    kill(worker)
    wait_until(lambda: not stages.leftovers())


def test_a_worker_that_waits_for_a_job_is_killed(stages: Stages) -> None:
    worker = stages.start("worker")
    wait_until(stages.leftovers)
    (guard,) = children(worker.pid)
    handle = os.pidfd_open(guard)
    kill(worker)
    ended, _, _ = select.select([handle], [], [], LIMIT_SECONDS)
    os.close(handle)
    assert ended
    assert stages.leftovers() == []


@pytest.mark.parametrize("linked", [False, True])
def test_a_directory_to_be_deleted_is_deleted(stages: Stages, tmp_path: Path, linked: bool) -> None:
    real = tmp_path / "real"
    place = tmp_path / "link" if linked else real
    if linked:
        real.mkdir()
        place.symlink_to(real)
    worker = start_receiving(stages, "native", "--private-data-dir", place, "--delete")
    wait_until((real / "large").exists)
    kill(worker)
    wait_until(lambda: not stages.leftovers() and not (real / "large").exists())
    wait_until(lambda: real.exists() is linked)


def test_a_directory_of_the_users_stays(stages: Stages, tmp_path: Path) -> None:
    worker = start_receiving(stages, "native", "--private-data-dir", tmp_path / "x")
    wait_until((tmp_path / "x" / "large").exists)
    kill(worker)
    wait_until(lambda: not stages.leftovers())
    assert (tmp_path / "x" / "large").exists()


JOBS = {
    "native": native([Job("run", command=("/bin/sh", "-c", LEAVING))], Direction.JOB),
    "runner": line(kwargs={**KWARGS, "binary": "./leaving"})
    + carry(archive(zipped("leaving", f"#!/bin/sh\n{LEAVING}\n".encode(), 0o755)))
    + END,
}


@pytest.mark.parametrize("dialect", JOBS)
def test_a_worker_that_delivers_artifacts_is_killed(stages: Stages, dialect: str) -> None:
    """To a reader that does not read. What the job left running goes on, as when the worker had ended by itself."""
    worker = stages.start("worker")
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(JOBS[dialect])
    worker.stdin.close()
    worker.stdin = None
    (spool,) = wait_for_spool(stages)
    wait_until((spool / "data" / "artifacts" / "run" / "rc").exists)
    kill(worker)
    wait_until(lambda: not stages.leftovers())
    (left,) = marked_processes(stages.temporary)
    os.kill(left, signal.SIGKILL)


def wait_for_spool(stages: Stages) -> list[Path]:
    wait_until(stages.leftovers)
    return stages.leftovers()


PREPARED = """
import sys
import playstream

directory, binary, copies = sys.argv[1:]
config = playstream.RunnerConfig(
    private_data_dir=directory, playbook="site.yml", binary=binary, quiet=True, directory_isolation_base_path=copies,
)
config.prepare()
print("ready", flush=True)
sys.stdin.read()
"""
ENDED = """
import sys
import playstream

def stop(status, **_):
    if status["status"] == "successful":
        print("ready", flush=True)
        sys.stdin.read()

directory, binary, copies = sys.argv[1:]
playstream.run(
    private_data_dir=directory, playbook="site.yml", binary=binary, quiet=True, directory_isolation_base_path=copies,
    status_handler=lambda status, **_: stop(status),
)
"""
FROM_MEMORY = """
import sys
import playstream

directory, binary, copies = sys.argv[1:]
config = playstream.RunnerConfig(playbook=[{"hosts": "all"}], binary=binary, quiet=True)
config.prepare()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("text", [PREPARED, ENDED, FROM_MEMORY], ids=["prepared", "ended", "from-memory"])
def test_a_program_that_runs_a_job_is_killed(text: str, tmp_path: Path) -> None:
    """Its copy of the project goes too, and what a run from memory has among temporary files."""
    temporary, copies = tmp_path / "tmp", tmp_path / "copies"
    temporary.mkdir()
    copies.mkdir()
    program = start_program(
        text,
        make_demo(tmp_path / "demo"),
        fake(tmp_path, "echo hello"),
        copies,
        temporary=temporary,
        stdin=subprocess.PIPE,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n", program.communicate()
    assert list(temporary.iterdir())
    kill(program)
    wait_until(lambda: not [*temporary.iterdir(), *copies.iterdir()])


def test_what_a_job_left_running_holds_no_lock(stages: Stages, tmp_path: Path) -> None:
    """The guard holds the locks of the spool and of --delete; the next job there is not refused."""
    words = ("worker", "--private-data-dir", tmp_path / "x", "--delete")
    # Until it has a session of its own, the end of the shell would end it.
    script = 'setsid sleep 600 </dev/null >/dev/null 2>&1 & until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done'
    job = native([Job("run", command=("/bin/sh", "-c", script))], Direction.JOB)
    done = [stages.call(*words, stdin=job) for _ in range(2)]
    left = marked_processes(stages.temporary)
    held = [os.listdir(f"/proc/{pid}/fd") for pid in left]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert [(one.returncode, one.stderr) for one in done] == [(0, b"")] * 2
    assert held == [["0", "1", "2"]] * 2


def test_a_job_that_outlives_worker_and_guard_does_not_keep_its_spool(stages: Stages) -> None:
    worker = stages.start("worker")
    assert worker.stdin is not None
    worker.stdin.write(native([Job("run", command=("/bin/sh", "-c", "trap '' HUP; sleep 600"))], Direction.JOB))
    worker.stdin.flush()
    wait_until(lambda: len(marked_processes(stages.temporary)) == 2)
    (guard,) = guards_of(worker.pid)
    os.kill(worker.pid, signal.SIGSTOP)  # or it would learn of the guard's end, and end the job
    os.kill(guard, signal.SIGKILL)
    kill(worker)
    assert marked_processes(stages.temporary)
    stages.call("worker")
    assert (stages.leftovers(), marked_processes(stages.temporary)) == ([], [])


def test_a_directory_that_cannot_be_entered_is_not_said_of_the_program(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    for cwd, program, named in (
        (missing, "/bin/true", f"working directory {missing}: No such"),
        (tmp_path, str(missing), f"started: {missing}: No such"),
    ):
        launch = Launch(Command((program,), {}, cwd), Paths(tmp_path, tmp_path, tmp_path, tmp_path, tmp_path))
        with closing(Terminal({})) as terminal, closing(Guard()) as guard:
            guard.start(launch, terminal)
            with pytest.raises(JobError, match=re.escape(named)):
                guard.read()
