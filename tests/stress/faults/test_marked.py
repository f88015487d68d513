"""What is left of a job whose guard was killed is found and ended: what forks meanwhile, and what served the job."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from playstream.worker.command import Command
from playstream.worker.environment import SPOOL_VARIABLE
from playstream.worker.guard import Guard
from playstream.worker.killing import kill_marked
from playstream.worker.launch import Launch
from playstream.worker.paths import Paths
from playstream.worker.spool import remove_leftovers
from playstream.worker.terminal import Terminal
from tests.processes import guards_of, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS

FORKING = """
import os, time
for _ in range(2000):
    if os.fork() == 0:
        time.sleep(600)
    time.sleep(0.0005)
time.sleep(600)
"""

WRITING = """
import os
place = os.environ["PLAYSTREAM_SPOOL"] + "/run"
number = 0
while True:
    number += 1
    try:
        os.makedirs(place, exist_ok=True)
        open(f"{place}/{number % 300}", "w").close()
    except OSError:
        pass
"""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "run").mkdir()
    yield tmp_path
    while marked := marked_processes(tmp_path):
        for pid in marked:
            os.kill(pid, signal.SIGKILL)


def test_what_forks_while_it_is_ended(spool: Path) -> None:
    job = subprocess.Popen([sys.executable, "-S", "-c", FORKING], env={SPOOL_VARIABLE: str(spool)})
    wait_until(lambda: len(marked_processes(spool)) > 5)
    kill_marked(spool)
    job.wait(LIMIT_SECONDS)
    wait_until(lambda: not marked_processes(spool), 1)  # the last may be on their way


def test_what_served_a_job_whose_guard_was_killed_when_it_had_ended(spool: Path) -> None:
    """As a shared connection of ssh does, which has written over its environment."""
    ssh, control = spool / "ssh", spool / "run" / "control"
    shutil.copy(str(shutil.which("tail")), ssh)
    control.touch()
    # Until it has a session of its own, the end of the shell would end it.
    script = (
        f"env -i setsid {ssh} -f {control} </dev/null >/dev/null 2>&1 & echo $! > {spool / 'pid'}\n"
        'until [ "$(cat /proc/$!/comm)" = ssh ]; do :; done'
    )
    command = Command(("/bin/sh", "-c", script), {SPOOL_VARIABLE: str(spool), "PATH": os.environ["PATH"]}, spool)
    launch = Launch(command, Paths(spool, spool, spool / "run", spool, spool))
    with closing(Terminal({})) as terminal:
        guard = Guard()
        guard.start(launch, terminal)
        while not guard.finished:
            guard.read()
        assert guard.rc == 0
        servant = os.pidfd_open(int((spool / "pid").read_text()))
        (process,) = guards_of()
        os.kill(process, signal.SIGKILL)
        guard.close()
    ended, _, _ = select.select([servant], [], [], LIMIT_SECONDS)
    if not ended:
        signal.pidfd_send_signal(servant, signal.SIGKILL)
    os.close(servant)
    assert ended


def test_the_clean_up_of_a_job_whose_guard_was_killed(spool: Path) -> None:
    """A container's engine runs it, and no process of the job is its parent."""
    command = Command(("sleep", "600"), {SPOOL_VARIABLE: str(spool), "PATH": os.environ["PATH"]}, spool)
    cleanup = (("no-such-engine", "kill"), ("sh", "-c", 'echo "$PLAYSTREAM_SPOOL" > "$0"', str(spool / "cleaned")))
    launch = Launch(command, Paths(spool, spool, spool / "run", spool, spool), cleanup=cleanup)
    with closing(Terminal({})) as terminal, closing(Guard()) as guard:
        guard.start(launch, terminal)
        wait_until(lambda: marked_processes(spool))
        (process,) = guards_of()
        os.kill(process, signal.SIGKILL)
        while not guard.finished:
            guard.read()
    assert (spool / "cleaned").read_text() == f"{spool}\n"
    assert marked_processes(spool) == []


def test_what_writes_into_its_spool_until_it_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker and guard were killed. The job is ended before its spool is removed, which it would make anew."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for number in range(10):
        spool = tmp_path / f"playstream-spool-number_{number}"
        spool.mkdir(mode=0o700)
        job = subprocess.Popen([sys.executable, "-S", "-c", WRITING], env={SPOOL_VARIABLE: str(spool)})
        wait_until((spool / "run" / "99").exists)
        remove_leftovers()
        job.wait(LIMIT_SECONDS)
    assert list(tmp_path.iterdir()) == []
