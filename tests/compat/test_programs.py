"""Programs written for ansible-runner print the same with it and with playstream in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.conftest import PROGRAMS, Run, make_directory

LAST_LINES = {
    "airflow": "['playbook_on_play_start', 'playbook_on_stats']",
    "awx": "error ['error']",
    "catalog": "successful",
    "commands": "254",
    "errors": "failed 2 {'node1': 1} False",
    "imports": "ValueError",
    "inputs": "failed 7",
    "navigator": "{} {}",
    "poller": "0 successful",
    "precedence": "['file  call', 'call call call']",
    "signals": "SIGTERM canceled 254 True",
    "tripleo": "True",
    "upkeep": "['run-2', 'run-3']",
    "validations": "False",
    "webui": "True",
}


def test_every_program_is_run() -> None:
    assert sorted(LAST_LINES) == sorted(path.stem for path in PROGRAMS.glob("*.py"))


@pytest.mark.parametrize("name", sorted(LAST_LINES))
def test_program(name: str, run: Run, runner_python: Path, tmp_path: Path) -> None:
    program = PROGRAMS / f"{name}.py"
    directory = tmp_path / "same" / "demo"  # of one name for both, which print it
    make_directory(directory)
    theirs = run(program, directory, python=runner_python)
    assert theirs.returncode == 0, theirs.stderr
    directory.parent.rename(tmp_path / "theirs")
    make_directory(directory)
    ours = run("-m", "playstream.compat", program, directory)
    assert ours.returncode == 0, ours.stderr
    assert ours.stdout == theirs.stdout
    assert ours.stdout.splitlines()[-1] == LAST_LINES[name]
