"""A process that the program forks removes nothing of its parent's, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

import playstream
from playstream.worker import guard_program as guard
from tests.interface.programs import fake, leftovers, run_program, start_program
from tests.processes import is_running, marked_processes, wait_until

BEGIN = """
import gc, multiprocessing, os, sys
import playstream

def fork(end):
    pid = os.fork()
    if pid == 0:
        end()
        sys.exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def fork_with_multiprocessing(end):
    process = multiprocessing.get_context("fork").Process(target=end)
    process.start()
    process.join()
    return process.exitcode

directory, binary, copies, way = sys.argv[1:]
fork = fork if way == "fork" else fork_with_multiprocessing
"""
PREPARED = (
    BEGIN
    + """
config = playstream.RunnerConfig(
    private_data_dir=directory, playbook="site.yml", binary=binary, quiet=True, directory_isolation_base_path=copies,
)
memory = playstream.RunnerConfig(playbook=[{"hosts": "all"}], binary=binary, quiet=True)
config.prepare()
memory.prepare()

def drop():
    global config, memory
    config = memory = None
    gc.collect()

for end in (lambda: None, drop):
    assert fork(end) == 0
    assert len(os.listdir(copies)) == 1, os.listdir(copies)
assert playstream.Runner(config).run() == ("successful", 0)
assert playstream.Runner(memory).run() == ("successful", 0)
assert os.listdir(copies) == []
"""
)
IN_A_HANDLER = (
    BEGIN
    + """
def forking(event):
    forked.append(fork(lambda: sys.exit(7)))
    return True

forked = []
runner = playstream.run(
    private_data_dir=directory, playbook="site.yml", binary=binary, quiet=True, directory_isolation_base_path=copies,
    event_handler=forking,
)
assert forked == [7], forked
assert (runner.status, runner.rc) == ("successful", 0), runner.explanation
assert os.listdir(copies) == []
"""
)
IN_THE_CHILD = (
    BEGIN
    + """
config = playstream.RunnerConfig(
    private_data_dir=directory, playbook="site.yml", binary=binary, quiet=True, directory_isolation_base_path=copies,
)
config.prepare()

def run():
    runner = playstream.Runner(config)
    assert runner.run() == ("successful", 0), runner.explanation

for _ in range(2):
    assert fork(run) == 0
    assert len(os.listdir(copies)) == 1, os.listdir(copies)
assert os.path.isdir(config.env["PLAYSTREAM_SPOOL"])
run()
assert os.listdir(copies) == []
"""
)
AT_EXIT = (
    BEGIN
    + """
from playstream.compat.ansible_runner.utils import register_for_cleanup

os.mkdir(copies)
register_for_cleanup(copies)
assert fork(lambda: None) == 0
assert os.path.isdir(copies)
"""
)
PROGRAMS = {
    "prepared": PREPARED,
    "in-a-handler": IN_A_HANDLER,
    "in-the-child": IN_THE_CHILD,
    "at-exit": AT_EXIT,
}


@pytest.mark.parametrize("way", ["fork", "multiprocessing"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_forked_child_removes_nothing(program: str, way: str, demo: Path, tmp_path: Path, temporary: Path) -> None:
    copies = tmp_path / "copies"
    binary = fake(tmp_path, "echo hello; ls . > /dev/null")
    done = run_program(PROGRAMS[program], demo, binary, copies, way, temporary=temporary)
    assert done.returncode == 0, done.stderr
    assert not copies.exists() or list(copies.iterdir()) == []
    assert list(temporary.iterdir()) == []


def list_open(pid: int, *places: Path | str) -> list[str]:
    """What a process has open of what begins like one of `places`."""
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return [link for link in links if link.startswith(tuple(map(str, places)))]


KILLED = """
import multiprocessing, os, sys, time
import playstream

directory, binary, way = sys.argv[1:]
thread, runner = playstream.run_async(
    private_data_dir=directory, playbook="site.yml", binary=binary, quiet=True, ident="again",
)
next(iter(runner.events))
if way == "fork":
    child = os.fork()
    if child == 0:
        time.sleep(600)
else:
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    process.start()
    child = process.pid
print(child, flush=True)
thread.join()
"""


@pytest.mark.parametrize("way", ["fork", "multiprocessing"])
def test_a_host_that_has_forked_is_killed(way: str, demo: Path, tmp_path: Path, temporary: Path) -> None:
    """Its job ends with it, though the child lives; a run of the same name may follow."""
    program = start_program(KILLED, demo, fake(tmp_path, "echo 1; sleep 600"), way, temporary=temporary)
    assert program.stdout is not None
    child = int(program.stdout.readline())
    try:
        assert marked_processes(temporary)
        program.kill()
        program.wait()
        wait_until(lambda: not marked_processes(temporary) and leftovers(temporary) == [])
        assert is_running(child)
        # It closes what it has inherited when it gets processor time for the first time, which may be now.
        wait_until(lambda: list_open(child, temporary, demo, "/dev/ptmx", "/dev/pts", "socket:") == [])
        runner = playstream.run(
            private_data_dir=str(demo),
            playbook="site.yml",
            binary=fake(tmp_path, "echo 2"),
            quiet=True,
            ident="again",
        )
        assert (runner.status, runner.rc) == ("successful", 0)
    finally:
        os.kill(child, signal.SIGKILL)
        program.communicate()


PARENT_GONE = """
import os, sys, time
import playstream

directory, binary = sys.argv[1:]
config = playstream.RunnerConfig(private_data_dir=directory, playbook="site.yml", binary=binary, quiet=True)
config.prepare()
child = os.fork()
if child:
    os._exit(0)
while os.path.isdir(config.env["PLAYSTREAM_SPOOL"]):
    time.sleep(0.01)
try:
    playstream.Runner(config).run()
except playstream.ConfigurationError as error:
    print(error)
config.prepare()
print(*playstream.Runner(config).run())
"""


def test_a_child_whose_parent_has_ended_prepares_anew(demo: Path, tmp_path: Path, temporary: Path) -> None:
    done = run_program(PARENT_GONE, demo, fake(tmp_path, "echo hello"), temporary=temporary)
    refusal, result = done.stdout.splitlines()
    told = "the files that prepare() made for this run are gone. It was probably called in another process"
    assert refusal.startswith(told), done.stderr
    assert result == "successful 0"
    assert leftovers(temporary) == []


CANCELED = """
import os, sys, time
import playstream

directory, binary = sys.argv[1:]
thread, runner = playstream.run_async(private_data_dir=directory, playbook="site.yml", binary=binary, quiet=True)
next(iter(runner.events))
child = os.fork()
if child == 0:
    time.sleep(600)
runner.cancel()
thread.join()
os.kill(child, 9)
print(runner.status)
"""


def test_a_job_of_a_host_that_has_forked_is_canceled(demo: Path, tmp_path: Path, temporary: Path) -> None:
    done = run_program(CANCELED, demo, fake(tmp_path, "echo 1; sleep 600"), temporary=temporary)
    assert done.stdout == "canceled\n", done.stderr
    assert leftovers(temporary) == []


def test_the_worker_is_watched_without_handles_of_processes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent of this process may be in another namespace, or process 1, so another one stands in for it."""
    with subprocess.Popen(["sleep", "60"]) as parent:
        monkeypatch.setattr(os, "getppid", lambda: parent.pid)
        (handle,) = guard.Worker(parent.pid).handles
        os.close(handle)
        monkeypatch.delattr(os, "pidfd_open")
        worker = guard.Worker(parent.pid)
        assert worker.handles == []
        assert not worker.has_died()
        monkeypatch.setattr(os, "getppid", lambda: 1)
        assert worker.has_died()
        parent.kill()
