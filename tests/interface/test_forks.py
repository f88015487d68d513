"""A process that the program forks removes nothing of its parent's, however it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interface.programs import fake, run_program

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
PREPARED = BEGIN + """
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
IN_A_HANDLER = BEGIN + """
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
AT_EXIT = BEGIN + """
from playstream.compat.ansible_runner.utils import register_for_cleanup

os.mkdir(copies)
register_for_cleanup(copies)
assert fork(lambda: None) == 0
assert os.path.isdir(copies)
"""


@pytest.mark.parametrize("way", ["fork", "multiprocessing"])
@pytest.mark.parametrize("program", [PREPARED, IN_A_HANDLER, AT_EXIT], ids=["prepared", "in-a-handler", "at-exit"])
def test_a_forked_child_removes_nothing(program: str, way: str, demo: Path, tmp_path: Path, temporary: Path) -> None:
    copies = tmp_path / "copies"
    binary = fake(tmp_path, "echo hello; ls . > /dev/null")
    done = run_program(program, demo, binary, copies, way, temporary=temporary)
    assert done.returncode == 0, done.stderr
    assert not copies.exists() or list(copies.iterdir()) == []
    assert list(temporary.iterdir()) == []
