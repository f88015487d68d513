"""The guard is killed, alone and with its worker, is stopped, or ends by itself; a signal strikes a job that is asked
for a password, or has it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import playstream
from playstream.worker.guard import Guard
from tests.interface.conftest import make_demo
from tests.interface.programs import fake, leftovers, start_program
from tests.processes import guards_of, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS
from tests.stress.faults.guards import ask_for_a_password, check_secret, kill_both
from tests.stress.faults.pipeline import Pipeline, pipeline, strike

_PTRACE_SEIZE, _PTRACE_INTERRUPT = 0x4206, 0x4207
IMPATIENT = """
import sys
import playstream
from playstream.worker import guard as guard

guard._SPARE_SECONDS = 0.2

directory, binary, moment = sys.argv[1:]
words = []

def tell(status, **_):
    if status["status"] == moment:
        print("ready", flush=True)
        words.append(sys.stdin.readline())

runner = playstream.run(
    private_data_dir=directory, playbook="site.yml", binary=binary, quiet=True, status_handler=tell,
    cancel_callback=lambda: words == ["cancel\\n"],
)
print(runner.status, flush=True)
"""


def wait_for(made: Pipeline, text: bytes) -> None:
    """Wait until the job has printed something."""
    shown = made.demo / "artifacts" / "stdout"
    wait_until(lambda: made.ansible is not None and shown.exists() and text in shown.read_bytes())


def test_the_guard_is_killed(tmp_path: Path) -> None:
    with pipeline(tmp_path) as made:
        struck = strike(made, "guard", signal.SIGKILL, "long.yml", lambda: wait_for(made, b"line 3"))
        assert struck.seconds is not None
        assert (made.demo / "artifacts" / "status").read_text() == "error"
        assert made.processes["worker"].returncode == 71
        assert "the guard process of the job was killed by signal 9" in made.text("process")
        assert made.stages.leftovers() == []


def test_the_guard_and_the_worker_are_killed(tmp_path: Path) -> None:
    with pipeline(tmp_path) as made:
        took, left = kill_both(made, "long.yml", lambda: wait_for(made, b"line 3"))
        assert took is not None
        assert left
        assert (made.demo / "artifacts" / "status").read_text() == "error"


def state(pid: int) -> str:
    """The letter that stands for what a process does (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_the_guard_is_stopped(tmp_path: Path) -> None:
    with pipeline(tmp_path) as made:
        made.start("long.yml")
        wait_for(made, b"line 3")
        guard = made.guard
        assert guard is not None
        os.kill(guard, signal.SIGSTOP)
        wait_until(lambda: state(guard) == "T")
        made.processes["worker"].terminate()
        wait_until(made.gone, LIMIT_SECONDS)
        assert (made.demo / "artifacts" / "status").read_text() == "canceled"
        assert (made.demo / "artifacts" / "rc").exists(), "the guard has ended the job"
        assert made.processes["worker"].returncode == 254
        assert made.stages.leftovers() == []


@contextmanager
def traced(pid: int) -> Iterator[None]:
    """A process that is stopped as by a debugger: SIGCONT does not continue it."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    try:
        for request in (_PTRACE_SEIZE, _PTRACE_INTERRUPT):
            assert ptrace(request, pid, None, None) == 0, os.strerror(ctypes.get_errno())
        wait_until(lambda: state(pid) == "t")
        yield
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("moment", "word", "status"),
    [
        ("running", "cancel", "canceled"),
        ("successful", "go on", "successful"),
    ],
)
def test_the_guard_does_not_answer(moment: str, word: str, status: str, tmp_path: Path) -> None:
    """Without it the job is ended all the same, and the spool removed."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    script = "exec sleep 600" if moment == "running" else "exit 0"
    program = start_program(
        IMPATIENT,
        make_demo(tmp_path / "demo"),
        fake(tmp_path, script),
        moment,
        temporary=temporary,
        stdin=subprocess.PIPE,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n", program.communicate()
    (guard,) = guards_of(program.pid)
    wait_until(lambda: moment != "running" or marked_processes(temporary))
    with traced(guard):
        said, complained = program.communicate(f"{word}\n", timeout=LIMIT_SECONDS)
    assert said.split() == [status]
    assert ("the guard process has not responded for" in complained) is (word == "cancel")
    assert marked_processes(temporary) == []
    assert leftovers(temporary) == []


def test_the_guard_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = Guard.start

    def start_and_confuse(self: Guard, *arguments: object) -> None:
        start(self, *arguments)  # type: ignore[arg-type]
        os.write(self.fileno(), b"not an order\n")

    monkeypatch.setattr(Guard, "start", start_and_confuse)
    ran = playstream.run(
        private_data_dir=make_demo(tmp_path / "demo"),
        playbook="site.yml",
        quiet=True,
        binary=fake(tmp_path, "exec sleep 600"),
    )
    assert ran.status == "error"
    assert "the guard process of the job exited with status 1, so" in str(ran.explanation)
    assert "killed" not in str(ran.explanation)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("target", "text"), [("worker", b"password: "), ("ansible", b"handed over")])
def test_a_signal_to_a_job_with_a_password(target: str, text: bytes, number: signal.Signals, tmp_path: Path) -> None:
    with pipeline(tmp_path) as made:
        ask_for_a_password(made)
        struck = strike(made, target, number, "long.yml", lambda: wait_for(made, text))
        assert struck.seconds is not None
        check_secret(made)
